#!/usr/bin/env -S python3 -B
"""What is made of the figures: medians, ratios within a round, bars."""
import os
import sys
import unittest

sys.path.insert(0, "bazel")
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import figures
from figures import at_least, at_most


def run(rpcs=1000, seconds=2.0, **fields):
    return {"rpcs": rpcs, "seconds": seconds, "cpu_seconds": 0.1, "lost": 0, **fields}


class FiguresTest(unittest.TestCase):

    def test_metrics_are_those_that_were_measured(self):
        metrics = figures.metrics(run(peak_kib=2048, metrics={"own": 7}))
        self.assertEqual(metrics, {"qps": 500, "cpu_us_per_rpc": 100, "peak_mib": 2, "lost": 0,
                                   "own": 7})

    def test_a_load_without_a_success_has_no_cost_per_rpc(self):
        self.assertNotIn("cpu_us_per_rpc", figures.metrics(run(rpcs=0)))
        self.assertEqual(figures.metrics(run(rpcs=0))["qps"], 0)

    def test_a_summary_is_median_and_spread(self):
        summary = figures.summary([run(rpcs=rpcs) for rpcs in (600, 200, 1000)])
        self.assertEqual(summary["qps"], {"median": 300, "min": 100, "max": 500})

    def test_what_one_run_lacks_is_in_no_summary(self):
        self.assertNotIn("peak_mib", figures.summary([run(peak_kib=1), run()]))

    def test_ratios_are_of_the_same_round(self):
        # The machine was ten times slower in the second round: the ratios do not show it.
        runs = {"pooled": [run(rpcs=2000), run(rpcs=200), run(rpcs=1800)],
                "plain": [run(rpcs=1000), run(rpcs=100), run(rpcs=1000)]}
        verdict = figures.judge("s", at_least("qps", 1.9, "plain"), runs)
        self.assertEqual(verdict, {"name": "s: qps / plain", "bar": ">= 1.9", "measured": 2.0,
                                   "met": True, "min": 1.8, "max": 2.0})

    def test_what_is_lost_in_one_round_is_lost(self):
        runs = {"pooled": [run(lost=0, metrics={"progressed": 9}),
                           run(lost=2, metrics={"progressed": 7}),
                           run(lost=0, metrics={"progressed": 9})]}
        lost = figures.judge("s", at_most("lost", 1), runs)
        self.assertEqual((lost["measured"], lost["met"]), (2, False))
        progressed = figures.judge("s", at_least("progressed", 8), runs)
        self.assertEqual((progressed["measured"], progressed["met"]), (7, False))

    def test_a_bar_is_missed_on_its_other_side_only(self):
        runs = {"pooled": [run(lost=1)], "plain": [run(lost=2)]}
        self.assertFalse(figures.judge("s", at_most("lost", 0), runs)["met"])
        self.assertTrue(figures.judge("s", at_most("lost", 1), runs)["met"])
        self.assertTrue(figures.judge("s", at_least("lost", 1), runs)["met"])
        self.assertFalse(figures.judge("s", at_least("lost", 2), runs)["met"])
        self.assertTrue(figures.judge("s", at_most("lost", 0.5, "plain"), runs)["met"])
        self.assertFalse(figures.judge("s", at_most("lost", 0.4, "plain"), runs)["met"])

    def test_a_bar_may_be_of_another_contender(self):
        runs = {"pooled": [run(lost=1)], "pooled_more": [run(lost=3)], "plain": [run(lost=2)]}
        verdict = figures.judge("s", at_most("lost", 1.5, "plain", of="pooled_more"), runs)
        self.assertEqual((verdict["name"], verdict["measured"], verdict["met"]),
                         ("s: lost of pooled_more / plain", 1.5, True))

    def test_what_was_not_measured_is_not_met(self):
        for bar in (at_most("p99_us", 1), at_least("peak_mib", 0, "plain")):
            verdict = figures.judge("s", bar, {"pooled": [run()], "plain": [run()]})
            self.assertIsNone(verdict["measured"])
            self.assertFalse(verdict["met"])


if __name__ == "__main__":
    case_xml.main()
