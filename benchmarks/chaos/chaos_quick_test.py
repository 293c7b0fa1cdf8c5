#!/usr/bin/env -S python3 -B
"""chaos.sh --quick as a test: each scenario is a case."""
import os
import sys
import unittest

sys.path.insert(0, "bazel")
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import chaos
import namespace
import scenario
from processes import end_on_sigterm


class ChaosTest(unittest.TestCase):

    def setUp(self):
        with open("benchmarks/chaos_load", "rb") as f:
            program = f.read()
        if any(name in program for name in (b"__asan_init", b"__tsan_init", b"__ubsan_handle")):
            self.skipTest("the bars are not for a program under a sanitizer")


def _case(which):
    def run(self):
        results = {contender: scenario.run(which, contender, "benchmarks", quick=True)
                   for contender in scenario.contenders(which, quick=True)}
        pooled = results["pooled"]
        print("%s: %d RPCs, %d lost, %s" % (which.name, pooled.rpcs, pooled.lost,
                                            ", ".join(pooled.facts)), file=sys.stderr)
        misses = scenario.judge(which, results)
        if misses:
            self.fail("\n".join([which.bar + ":", *misses, *pooled.details()]))
    return run


for _each in chaos.SCENARIOS:
    setattr(ChaosTest, "test_" + _each.name.replace("-", "_").replace(".", "_"), _case(_each))

if __name__ == "__main__":
    namespace.enter()
    end_on_sigterm()
    case_xml.main()
