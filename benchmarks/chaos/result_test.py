#!/usr/bin/env -S python3 -B
"""What Result reads from a report."""
import os
import sys
import unittest

sys.path.insert(0, "bazel")
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
from result import MS, Result


def make(recorded=(), **fields):
    report = {"rpcs": 0, "ok": 0, "wrong": 0, "lost": 0, "began": 1000 * MS, "ended": 3000 * MS,
              "bucket": 10 * MS, "ok_timeline": [], "lost_timeline": [], "gaps": [],
              "worst_gap": 0, "causes": [], "losses": [], "pool": None}
    report.update(fields)
    return Result(report, recorded)


class ResultTest(unittest.TestCase):

    def test_duplicates_are_what_the_servers_saw_again(self):
        result = make(["0.1", "0.2", "0.1", "0.1"], ok=2)
        self.assertEqual(result.duplicates, 2)
        self.assertEqual(result.unrecorded, 0)

    def test_an_answer_that_no_server_recorded_is_noticed(self):
        self.assertEqual(make(["0.1"], ok=3).unrecorded, 2)

    def test_first_success_is_at_the_end_of_the_gap(self):
        result = make(gaps=[[1200 * MS, 1500 * MS], [2800 * MS, 3000 * MS]])
        self.assertEqual(result.first_success_after(1100 * MS), 1100 * MS)
        self.assertEqual(result.first_success_after(1200 * MS), 1500 * MS)
        self.assertEqual(result.first_success_after(1499 * MS), 1500 * MS)
        self.assertEqual(result.first_success_after(1500 * MS), 1500 * MS)
        self.assertIsNone(result.first_success_after(2900 * MS))

    def test_losses_are_found_by_their_end(self):
        result = make(losses=[[1000 * MS, 1300 * MS, 4], [1299 * MS, 1301 * MS, 14]])
        self.assertEqual(result.losses(1300 * MS, 1301 * MS), [1000 * MS])
        self.assertEqual(result.losses(0, 1302 * MS), [1000 * MS, 1299 * MS])

    def test_share_of_a_window_without_any_rpc_is_0(self):
        result = make(ok_timeline=[99, 0], lost_timeline=[1])
        self.assertEqual(result.share(1000 * MS, 1010 * MS), 0.99)
        self.assertEqual(result.share(1010 * MS, 1020 * MS), 0)
        self.assertEqual(result.share(0, 500 * MS), 0)

    def test_poor_windows_and_recovery(self):
        ok = [100] * 200
        lost = [0] * 50 + [2] * 10  # 2 % from 500 to 600 ms after the beginning
        result = make(ok_timeline=ok, lost_timeline=lost)
        self.assertEqual(result.poor_windows(1000 * MS, 3000 * MS), [])
        self.assertEqual(
            result.poor_windows(1000 * MS, 3000 * MS, length=100 * MS), [1500 * MS])
        # A window with 6 of the 10 poor buckets loses 1.2 %, one with 5 of them 0.99 %.
        self.assertEqual(result.recovered_after(1400 * MS, 3000 * MS), 240)
        self.assertEqual(result.recovered_after(1700 * MS, 3000 * MS), 0)
        self.assertEqual(len(result.poor_windows(3000 * MS, 3600 * MS)), 2)  # nothing ended


if __name__ == "__main__":
    case_xml.main()
