#!/usr/bin/env -S python3 -B
"""Breaks what RPCs run over, with each contender in turn, and holds PooledChannel to its bars.

benchmarks/chaos.sh builds what this runs, and runs it.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..",
                                "interop_tests", "harness"))

import fault_scenarios
import namespace
import planned_scenarios
import scenario
from bench import CONTENDERS, MODES
from processes import Error, end_on_sigterm
from result import MS

SCENARIOS = planned_scenarios.SCENARIOS + fault_scenarios.SCENARIOS
_ROW = "%-18s %-9s %8s %6s %5s %7s  %s"


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="benchmarks/chaos.sh", allow_abbrev=False,
        description="Prints a table of what each contender lost, and exits with 1 if the pooled "
        "channel missed a bar.")
    parser.add_argument("--quick", action="store_true",
                        help="short runs, by default of those that the bars need: 3 minutes")
    parser.add_argument("--scenario", metavar="NAME[,NAME]", type=lambda text: text.split(","),
                        help="only these")
    parser.add_argument("--contender", metavar="NAME[,NAME]", type=lambda text: text.split(","),
                        help="only these of " + ", ".join(CONTENDERS))
    parser.add_argument("--mode", choices=MODES, default="auto",
                        help="how pooled makes its connections: PoolOptions::Mode")
    parser.add_argument("--list", action="store_true", help="the names of the scenarios")
    parser.add_argument("--bin", default="benchmarks", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    known = [each.name for each in SCENARIOS]
    for name in options.scenario or []:
        if name not in known:
            parser.error("--scenario=%s is none; they are %s" % (name, ", ".join(known)))
    for name in options.contender or []:
        if name not in CONTENDERS:
            parser.error("--contender=%s is none; they are %s" % (name, ", ".join(CONTENDERS)))
    return options


def measure(which, options):
    """Runs one scenario; prints a row for each contender; returns the bars that were missed."""
    results = {}
    for contender in scenario.contenders(which, options.quick, options.contender):
        result = scenario.run(which, contender, options.bin, options.quick, options.mode)
        results[contender] = result
        print(_ROW % (which.name, contender, result.rpcs, result.lost, result.duplicates,
                      result.worst_gap // MS, ", ".join(result.facts)), flush=True)
    misses = scenario.judge(which, results)
    for miss in misses:
        print("  MISSED (%s): %s" % (which.bar, miss))
    if misses:
        for line in results["pooled"].details():
            print("    " + line, flush=True)
    return misses


def main():
    options = parse(sys.argv[1:])
    if options.list:
        for each in SCENARIOS:
            print("%-18s %s" % (each.name, each.bar))
        return 0
    namespace.enter()
    end_on_sigterm()
    started = time.monotonic()
    failed = []
    print(_ROW % ("scenario", "contender", "RPCs", "lost", "dupl.", "gap, ms", ""), flush=True)
    for each in SCENARIOS:
        if options.scenario and each.name not in options.scenario:
            continue
        try:
            if measure(each, options):
                failed.append(each.name)
        except Error as error:
            print("  FAILED: %s" % error, flush=True)
            failed.append(each.name)
    print("%d s" % (time.monotonic() - started))
    if failed:
        print("benchmarks/chaos.sh: FAILED: " + ", ".join(failed), file=sys.stderr)
        return 1
    print("OK: every bar is met" if "pooled" in (options.contender or CONTENDERS) else
          "nothing was held to a bar: pooled did not take part")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit("benchmarks/chaos.sh: " + str(error))
    except KeyboardInterrupt:
        sys.exit(130)
