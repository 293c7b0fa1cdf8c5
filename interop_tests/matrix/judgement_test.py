#!/usr/bin/env -S python3 -B
"""How made-up results are read, judged and shown."""
import contextlib
import io
import os
import sys
import unittest

sys.path.insert(0, "bazel")
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import case_xml
import matrix
import report
import table
import unsupported
import verdict
from processes import Error
from record import Record
from run import Result, check_complete, parse

UNARY = ("empty_unary",)


def results(*lines):
    """Each `channel api`, with `!` in front if it failed."""
    made = []
    for line in lines:
        channel, api = line.lstrip("!").split()
        passed = not line.startswith("!")
        made.append(Result(channel, "empty_unary", api, passed, 3, "" if passed else "bad"))
    return made


def record(**runs):
    """A Record with the results of each peer, direct. A text is what kept it from having any."""
    made = Record({"date": "2026-01-31", "seconds": 61.4, "soak_rpcs": 7,
                   "long_lived_ms": 8, "cases": UNARY,
                   "channels": ("ordinary", "anchor"), "versions": {"cpp": "gRPC C++ 1.51.1"},
                   "runs": []})
    for peer, found in runs.items():
        if isinstance(found, str):
            made.add(peer, "direct", 1, [], found)
        else:
            made.add(peer, "direct", 1, found)
    return made


class VerdictTest(unittest.TestCase):

    def expect(self, name, *lines, unsupported_reason=None):
        cell = verdict.judge(results(*lines), unsupported_reason)
        self.assertEqual(cell.name, name)
        return cell

    def test_all_pass(self):
        cell = self.expect(verdict.PASS, "ordinary sync", "anchor sync")
        self.assertEqual((cell.passed, cell.failed, cell.reasons), (2, 0, []))

    def test_what_fails_over_one_pooled_channel_only_is_a_failure(self):
        cell = self.expect(verdict.FAIL, "ordinary sync", "anchor sync", "!affinity sync")
        self.assertEqual((cell.passed, cell.failed), (2, 1))
        self.assertEqual(cell.reasons, ["affinity sync: bad"])

    def test_each_api_is_held_against_the_ordinary_channel_through_the_same(self):
        self.expect(verdict.FAIL, "!ordinary sync", "ordinary async", "!anchor async",
                    "anchor sync")
        self.expect(verdict.BOTH, "!ordinary sync", "ordinary async", "!anchor sync",
                    "anchor async")

    def test_what_the_ordinary_channel_fails_as_well_is_not_held_against_the_pool(self):
        cell = self.expect(verdict.BOTH, "!ordinary sync", "!anchor sync", "affinity sync")
        self.assertEqual(cell.reasons, ["ordinary sync: bad"])

    def test_what_only_the_ordinary_channel_fails(self):
        self.expect(verdict.POOL, "!ordinary sync", "anchor sync")

    def test_what_is_not_supported_shows_the_reason(self):
        cell = self.expect(verdict.UNSUPPORTED, "!ordinary sync", "!anchor sync",
                           unsupported_reason="cannot")
        self.assertEqual(cell.reasons, ["cannot"])

    def test_what_is_listed_and_passes_is_an_error(self):
        self.expect(verdict.LISTED, "ordinary sync", "anchor sync", unsupported_reason="cannot")

    def test_the_list_hides_no_failure_of_the_pool(self):
        self.expect(verdict.FAIL, "ordinary sync", "!anchor sync", unsupported_reason="cannot")

    def test_a_race_excuses_nothing_but_its_own_text(self):
        passed, failed = results("ordinary sync", "!anchor sync")
        race = unsupported.Race(None, None, None, "proxy", "the text")
        lost = failed._replace(reason="got 1 the text")
        self.assertEqual(verdict.judge([passed, lost], None, race).name, verdict.RACE)
        self.assertEqual(verdict.judge([passed, lost], None, None).name, verdict.FAIL)
        self.assertEqual(verdict.judge([passed, lost, failed._replace(api="async")], None,
                                       race).name, verdict.FAIL)
        self.assertEqual(verdict.judge([passed], None, race).name, verdict.PASS)


class UnsupportedTest(unittest.TestCase):

    def test_entries_match_by_peer_proxy_and_case(self):
        entries = (unsupported.Entry(("go",), None, ("a",), "one"),
                   unsupported.Entry(None, ("nginx",), ("b",), "two"))
        self.assertEqual(unsupported.reason("go", "direct", "a", entries), "one")
        self.assertEqual(unsupported.reason("cpp", "nginx", "b", entries), "two")
        self.assertIsNone(unsupported.reason("cpp", "nginx", "a", entries))
        self.assertIsNone(unsupported.reason("cpp", "direct", "b", entries))

    def test_every_entry_is_of_something_that_there_is(self):
        for entry in unsupported.ENTRIES + unsupported.RACES:
            self.assertLessEqual(set(entry.peers or ()), set(matrix.servers.NAMES))
            self.assertLessEqual(set(entry.proxies or ()), set(matrix.PROXIES))
            self.assertLessEqual(set(entry.cases), set(matrix.CASES))
            self.assertTrue(entry.reason)
        for race in unsupported.RACES:
            self.assertTrue(race.text)


class ParseTest(unittest.TestCase):

    def test_results_among_other_lines(self):
        self.assertEqual(
            parse("hello\nRESULT ordinary empty_unary sync pass 12 \n"
                  "RESULT anchor empty_unary async fail 3 expected 1 byte, got 2\n"),
            [Result("ordinary", "empty_unary", "sync", True, 12, ""),
             Result("anchor", "empty_unary", "async", False, 3, "expected 1 byte, got 2")])

    def test_half_a_result_is_an_error(self):
        for line in ("RESULT ordinary empty_unary sync", "RESULT ordinary empty_unary sync maybe 1",
                     "RESULT ordinary empty_unary sync pass soon"):
            with self.assertRaises(Error):
                parse(line)

    def test_every_channel_has_to_have_what_the_others_have(self):
        channels = ("ordinary", "anchor")
        check_complete(results("ordinary sync", "anchor sync"), channels, UNARY)
        for bad in (results("ordinary sync"),
                    results("ordinary sync", "ordinary async", "anchor sync"),
                    results("ordinary sync", "anchor sync", "anchor sync"),
                    results("ordinary sync", "anchor sync", "affinity sync"),
                    []):
            with self.assertRaises(Error):
                check_complete(bad, channels, UNARY)


class RecordTest(unittest.TestCase):

    def test_good_is_what_has_no_failure_of_the_pool(self):
        self.assertTrue(record(cpp=results("ordinary sync", "anchor sync")).is_good())
        self.assertTrue(record(cpp=results("!ordinary sync", "!anchor sync")).is_good())
        self.assertFalse(record(cpp=results("ordinary sync", "!anchor sync")).is_good())
        self.assertFalse(record(cpp=results("ordinary sync", "anchor sync"),
                                go="the server has ended").is_good())

    def test_a_cell_listed_without_need_is_not_good(self):
        case = unsupported.ENTRIES[0].cases[0]
        peer = unsupported.ENTRIES[0].peers[0]
        made = record(**{peer: [each._replace(case=case)
                                for each in results("ordinary sync", "anchor sync")]})
        made.data["cases"] = (case,)
        self.assertEqual(made.cells()[peer, "direct", case].name, verdict.LISTED)
        self.assertFalse(made.is_good())

    def test_a_run_without_results_has_no_verdict(self):
        cells = record(go="the server has ended").cells()
        self.assertEqual(cells["go", "direct", "empty_unary"].name, "ERROR")
        self.assertIn("    the server has ended", table.legend(cells))

    def test_numbers(self):
        summary = record(cpp=results("ordinary sync", "!anchor sync"),
                         go=results("ordinary sync", "anchor sync")).summary()
        self.assertIn("2 cells: 1 pass,", summary)
        self.assertIn("1 over the pool only", summary)
        self.assertIn("of 4 cases run over 2 channels, 3 passed", summary)


class TextTest(unittest.TestCase):

    def test_a_table_in_columns(self):
        cells = record(cpp=results("ordinary sync", "!anchor sync")).cells()
        self.assertEqual(table.text(cells, "cpp", ["direct"], UNARY),
                         ["cpp          direct", "empty_unary  FAIL"])
        self.assertEqual(table.markdown(cells, "cpp", ["direct"], UNARY),
                         ["| cpp | direct |", "|---|---|", "| empty_unary | FAIL |"])
        self.assertEqual(table.legend(cells), [
            "FAIL: passes over an ordinary channel, and fails over the pool",
            "  cpp: empty_unary", "    anchor sync: bad"])

    def test_a_legend_names_the_ways_that_differ(self):
        made = record(cpp=results("!ordinary sync", "!anchor sync"))
        made.add("cpp", "nginx", 1, results("ordinary sync", "anchor sync"))
        self.assertEqual(table.legend(made.cells()), [
            "both: fails over an ordinary channel as well",
            "  cpp (direct): empty_unary", "    ordinary sync: bad"])

    def test_the_page_keeps_what_is_around_the_markers(self):
        page = "a\n%s\nold\n%s\nb\n" % (report.BEGIN, report.END)
        lines = report.lines(record(cpp=results("ordinary sync", "anchor sync")))
        new = report.put(page, lines)
        self.assertTrue(new.startswith("a\n" + report.BEGIN + "\nWritten by "))
        self.assertTrue(new.endswith("\n" + report.END + "\nb\n"))
        self.assertNotIn("old", new)
        self.assertIn("| empty_unary | pass |", new)
        self.assertEqual(report.put(new, lines), new)
        with self.assertRaises(ValueError):
            report.put("a page without markers", lines)


class FlagsTest(unittest.TestCase):

    def test_the_ordinary_channel_is_always_there(self):
        self.assertEqual(matrix.parse(["--channel=anchor"]).channel, ("ordinary", "anchor"))
        self.assertEqual(matrix.parse([]).channel, matrix.CHANNELS)

    def test_wrong_flags_say_what_is_wrong(self):
        for flag, says in (("--peer=rust", "rust is none; they are cpp, node"),
                           ("--case=", "'' is none"),
                           ("--jobs=0", "at least 1"),
                           ("--proxi=nginx", "unrecognized"),
                           ("--json=/does/not/exist/x", "no directory to write to")):
            with self.subTest(flag):
                said = io.StringIO()
                with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as end:
                    matrix.parse([flag])
                self.assertEqual(end.exception.code, 2)
                self.assertIn(says, said.getvalue())

    def test_only_the_whole_matrix_is_written_into_the_page(self):
        self.assertTrue(matrix.parse(["--write-docs"]).write_docs)
        for flag in ("--peer=cpp", "--proxy=direct", "--case=empty_unary", "--channel=anchor"):
            with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
                matrix.parse(["--write-docs", flag])


if __name__ == "__main__":
    case_xml.main()
