#!/usr/bin/env -S python3 -B
"""What count_tests.py makes of the events and test.xml files that Bazel leaves."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import count_tests

PASSED = '<testcase name="A" classname="S" status="run" result="completed"/>'
FAILED = '<testcase name="B" classname="S" status="run"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="C" classname="S" result="skipped"><skipped message="so"/></testcase>'
DISABLED = '<testcase name="DISABLED_D" classname="S" status="notrun" result="suppressed"/>'
BAZEL_OK = '<testcase name="p/a_test" status="run"></testcase>'
BAZEL_CRASH = '<testcase name="p/a_test" status="run"><error message="exited with 134"/></testcase>'


class CountTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.files = 0

    def target(self, *results, kind="cc_test rule", label="//p:a_test", success=True):
        """Events; results: (status, cases or None: no file[, shard[, attempt]])."""
        events = [
            {"id": {"targetConfigured": {"label": label}}, "configured": {"targetKind": kind}},
            {"id": {"targetCompleted": {"label": label}},
             "completed": {"success": True} if success else {}},
        ]
        for status, cases, *key in results:
            shard, attempt = (key + [1, 1][len(key):])
            outputs = [{"name": "test.log", "uri": "file:///nowhere"}]
            if cases is not None:
                self.files += 1
                path = os.path.join(self.directory, "a b%d.xml" % self.files)
                with open(path, "w") as f:
                    f.write("<testsuites><testsuite>%s</testsuite></testsuites>" % cases)
                outputs.append({"name": "test.xml", "uri": "file://" + path.replace(" ", "%20")})
            events.append({
                "id": {"testResult": dict(label=label, run=1, shard=shard, attempt=attempt)},
                "testResult": {"status": status, "testActionOutput": outputs},
            })
        return events

    def count(self, *targets, code=0):
        counts = count_tests.Counts()
        count_tests.count_run(code, sum(targets, []), counts)
        return str(counts)

    def test_every_case_counts_once(self):
        a = self.target(("PASSED", PASSED + SKIPPED + DISABLED))
        b = self.target(("FAILED", PASSED + FAILED), label="//p:b_test")
        self.assertEqual(self.count(a, b, code=3), "2 passed, 1 failed, 2 skipped")

    def test_shards_are_summed_and_an_empty_one_is_no_failure(self):
        shards = self.target(("PASSED", PASSED, 1), ("PASSED", PASSED, 2), ("PASSED", "", 3))
        self.assertEqual(self.count(shards), "2 passed, 0 failed")

    def test_the_last_attempt_counts(self):
        attempts = self.target(("FAILED", FAILED, 1, 1), ("PASSED", PASSED, 1, 2))
        self.assertEqual(self.count(attempts), "1 passed, 0 failed")

    def test_a_crash_counts_as_one_failed(self):
        crashed = self.target(("FAILED", BAZEL_CRASH))
        self.assertEqual(self.count(crashed, code=3), "0 passed, 1 failed")

    def test_one_that_was_interrupted_counts_as_one_failed(self):
        interrupted = self.target(("NO_STATUS", None))
        interrupted[-1] = {"id": interrupted[-1]["id"], "aborted": {"reason": "USER_INTERRUPTED"}}
        self.assertEqual(self.count(interrupted, code=8), "0 passed, 1 failed")

    def test_a_time_out_without_any_file_counts_as_one_failed(self):
        self.assertEqual(self.count(self.target(("TIMEOUT", None)), code=3), "0 passed, 1 failed")

    def test_a_failure_after_the_last_case_counts_as_one_failed(self):
        # A leak, say: found after GoogleTest has written its file.
        self.assertEqual(self.count(self.target(("FAILED", PASSED)), code=3), "1 passed, 1 failed")

    def test_no_case_at_all_counts_as_one_failed(self):
        self.assertEqual(self.count(self.target(("PASSED", ""))), "0 passed, 1 failed")
        self.assertEqual(self.count(self.target(("PASSED", None))), "0 passed, 1 failed")

    def test_a_cc_test_that_ends_before_googletest_does_counts_as_one_failed(self):
        self.assertEqual(self.count(self.target(("PASSED", BAZEL_OK))), "0 passed, 1 failed")

    def test_a_script_is_one_case(self):
        self.assertEqual(self.count(self.target(("PASSED", BAZEL_OK), kind="sh_test rule")),
                         "1 passed, 0 failed")

    def test_what_does_not_build_counts_as_one_failed(self):
        for kind in ("cc_test rule", "cc_library rule"):
            self.assertEqual(self.count(self.target(kind=kind, success=False), code=1),
                             "0 passed, 1 failed")

    def test_a_test_that_did_not_run_counts_as_one_failed(self):
        self.assertEqual(self.count(self.target()), "0 passed, 1 failed")

    def test_an_exit_code_that_nothing_explains_counts_as_one_failed(self):
        self.assertEqual(self.count(self.target(("PASSED", PASSED)), code=1), "1 passed, 1 failed")
        self.assertEqual(self.count(code=37), "0 passed, 1 failed")

    def test_command_line(self):
        script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "count_tests.py")

        def run(targets, *more):
            path = os.path.join(self.directory, "events.json")
            with open(path, "w") as f:
                f.writelines(json.dumps(event) + "\n" for event in sum(targets, []))
            done = subprocess.run([script, "--started=0", "0:" + path, *more], text=True,
                                  stdout=subprocess.PIPE)
            return done.returncode, done.stdout.splitlines()[-1]

        self.assertEqual(run([self.target(("PASSED", PASSED))]), (0, "1 passed, 0 failed"))
        self.assertEqual(run([self.target(("FAILED", FAILED))]), (1, "0 passed, 1 failed"))
        self.assertEqual(run([]), (1, "0 passed, 1 failed"))
        self.assertEqual(run([self.target(("PASSED", PASSED))], "1:/nowhere.json"),
                         (1, "1 passed, 1 failed"))


if __name__ == "__main__":
    case_xml.main()
