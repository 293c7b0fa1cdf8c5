#!/usr/bin/env -S python3 -B
"""Counts the test cases of `bazel test` runs: count_tests.py --started=SECONDS CODE:EVENTS…

CODE is the exit code of a run, EVENTS what its --build_event_json_file= wrote. Reads exactly the
test.xml files that the events name, cached results included, whatever else lies in bazel-testlogs.
Prints what failed, the time since SECONDS (of the epoch), and as the last line the counts. Exits
with 1 unless something passed and nothing failed.
"""
import collections
import json
import sys
import time
import urllib.parse
import xml.etree.ElementTree


class Counts:
    """Cases that passed and were skipped, and a line of text for each that failed."""

    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = []

    def __str__(self):
        text = "%d passed, %d failed" % (self.passed, len(self.failed))
        return text + (", %d skipped" % self.skipped if self.skipped else "")


def read_events(path):
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]
    except (OSError, ValueError):
        return []


def count_run(code, events, counts):
    """Adds one run. Every target that went wrong in it adds at least one failure."""
    failed_before = len(counts.failed)
    kinds = {}
    built = {}
    results = collections.defaultdict(dict)  # label -> (run, shard) -> (attempt, result)
    for event in events:
        identity = event["id"]
        if "targetConfigured" in identity and "configured" in event:
            kinds[identity["targetConfigured"]["label"]] = event["configured"]["targetKind"]
        elif "targetCompleted" in identity:
            label = identity["targetCompleted"]["label"]
            if event.get("aborted", {}).get("reason") != "SKIPPED":
                built[label] = event.get("completed", {}).get("success", False)
        elif "testResult" in identity:
            test = identity["testResult"]
            last = results[test["label"]]
            key = (test.get("run", 1), test.get("shard", 1))
            attempt = test.get("attempt", 1)
            if key not in last or last[key][0] < attempt:
                last[key] = (attempt, event.get("testResult", {}))  # none: interrupted

    for label, success in built.items():
        kind = kinds.get(label, "")
        if not success:
            counts.failed.append("%s: does not build" % label)
        elif kind.endswith("_test rule") and label not in results:
            counts.failed.append("%s: did not run" % label)
    for label, last in sorted(results.items()):
        count_target(label, kinds.get(label, ""), [result for _, result in last.values()], counts)
    if code and len(counts.failed) == failed_before:
        counts.failed.append("bazel test: exit code %d, for what it says above" % code)


def count_target(label, kind, results, counts):
    cases = 0
    failed_before = len(counts.failed)
    statuses = set()
    for result in results:
        status = result.get("status", "NO_STATUS")
        if status not in ("PASSED", "FLAKY"):
            statuses.add(status)
        for name, outcome in read_cases(xml_path(result)):
            if name is None and outcome == "passed" and kind.startswith("cc_test"):
                # It ended, with exit code 0, before GoogleTest had written anything.
                outcome = "failed"
                name = "passed without any GoogleTest case"
            if outcome == "failed":
                counts.failed.append("%s: %s" % (label, name or "crashed or timed out"))
            elif outcome == "skipped":
                counts.skipped += 1
            else:
                counts.passed += 1
            cases += 1
    if len(counts.failed) == failed_before:
        if statuses:
            counts.failed.append("%s: %s" % (label, ", ".join(sorted(statuses))))
        elif not cases:
            counts.failed.append("%s: ran no case" % label)


def xml_path(result):
    for output in result.get("testActionOutput", []):
        if output["name"] == "test.xml":
            return urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
    return None


def read_cases(path):
    """(name, "passed" | "failed" | "skipped") of each case; disabled ones are skipped.

    The name is None in the file that Bazel writes by itself, of one case that stands for the whole
    test, when the test left none: a crash, a time-out, or a test of no framework.
    """
    try:
        suites = xml.etree.ElementTree.parse(path).getroot() if path else ()
    except (OSError, xml.etree.ElementTree.ParseError):
        return
    for case in suites.iter("testcase") if path else ():
        suite = case.get("classname")
        name = "%s.%s" % (suite, case.get("name")) if suite else None
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif (case.find("skipped") is not None or case.get("status") == "notrun"
              or case.get("result") in ("skipped", "suppressed")):
            yield name, "skipped"
        else:
            yield name, "passed"


def main(args):
    started = float(args[0].removeprefix("--started="))
    counts = Counts()
    for run in args[1:]:
        code, _, path = run.partition(":")
        count_run(int(code), read_events(path), counts)
    if not counts.passed and not counts.failed:
        counts.failed.append("no test ran")
    print()
    for line in counts.failed:
        print("FAILED " + line)
    print("%d s" % (time.time() - started))
    print(counts)
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
