#!/usr/bin/env -S python3 -B
"""Each scenario of compare.py in short: it runs, loses nothing and measures what its bars are about.

Whether the bars are met is for the real lengths.
"""
import contextlib
import io
import os
import shutil
import sys
import unittest

sys.path.insert(0, "bazel")
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import compare
import scenario
from contest import Contest
from processes import Error, end_on_sigterm


class CompareTest(unittest.TestCase):

    def test_each_name_is_there_once(self):
        names = [each.name for each in compare.SCENARIOS]
        self.assertEqual(len(names), len(set(names)))


    def test_tls_is_refused_where_there_is_none(self):
        with Contest(compare.BINARIES, repeat=1, short=True, tls=True) as contest:
            article = next(each for each in compare.SCENARIOS if each.name == "article")
            with self.assertRaisesRegex(Error, "--scenario=article is for plaintext only"):
                scenario.run(article, contest)
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
            compare.parse(["--tls", "--scenario=cold,article"])
        self.assertIn("--scenario=article is for plaintext only; with --tls there are",
                      said.getvalue())

    def test_tls_alone_is_all_that_can(self):
        self.assertEqual(compare.parse(["--tls"]).scenario, ["stream-limit", "cold", "instructions"])


def _case(which, tls=False):
    def run(self):
        if which.name == "instructions" and not shutil.which("valgrind"):
            self.skipTest("valgrind is not installed")
        with Contest(compare.BINARIES, repeat=1, short=True, tls=tls) as contest:
            entry, bars = scenario.run(which, contest)
        compare.show(entry, bars)
        for contender, of in entry["contenders"].items():
            summary = of["summary"]
            self.assertTrue(summary, contender)
            if "qps" in summary:
                self.assertGreater(summary["qps"]["median"], 0, contender)
            if "lost" in summary:
                self.assertEqual(summary["lost"]["max"], 0, of["runs"])
        for bar in bars:
            self.assertIsNotNone(bar["measured"], bar["name"])
    return run


for _each in compare.SCENARIOS:
    setattr(CompareTest, "test_" + _each.name.replace("-", "_"), _case(_each))
    if _each.tls_bars is not None:
        setattr(CompareTest, "test_%s_tls" % _each.name.replace("-", "_"), _case(_each, tls=True))

if __name__ == "__main__":
    end_on_sigterm()
    case_xml.main()
