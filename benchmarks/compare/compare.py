#!/usr/bin/env -S python3 -B
"""Compares a pool with what else one would have, in one run, and holds it to its bars.

bazel run -c opt --config=system //benchmarks:compare -- --scenario=article --json=article.json
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time

_HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, _HERE)
sys.path.insert(0, os.path.join(_HERE, "..", "..", "interop_tests", "harness"))

import cost_scenarios
import link_scenarios
import load_scenarios
import scenario
import sizing_scenarios
from contest import Contest
from processes import Error, end_on_sigterm

SCENARIOS = (load_scenarios.SCENARIOS + link_scenarios.SCENARIOS + sizing_scenarios.SCENARIOS
             + cost_scenarios.SCENARIOS)
# Relative to the runfiles, where `bazel run` starts it.
BINARIES = {
    "compare_client": "benchmarks/compare/compare_client",
    "link_relay": "benchmarks/compare/link_relay",
    "rpc_loop": "benchmarks/rpc_loop",
    "checkout": "benchmarks/checkout",
    "echo_server": "examples/echo/echo_server",
}
# What a table shows of a contender, as far as it was measured.
_SHOWN = (("qps", "%.0f RPC/s"), ("mean_us", "mean %.0f us"), ("p50_us", "p50 %.0f"),
          ("p99_us", "p99 %.0f"), ("p999_us", "p99.9 %.0f"), ("max_us", "max %.0f"),
          ("cpu_us_per_rpc", "CPU %.1f us/RPC"), ("peak_mib", "%.0f MiB"),
          ("connections", "%d connections"), ("lost", "%d lost"))


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="compare", allow_abbrev=False, description="Prints what each contender measured, and "
        "exits with 1 if the pool missed a bar.")
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--scenario", default="all", metavar="NAME[,NAME]",
                        help="all, or of " + ", ".join(names))
    parser.add_argument("--repeat", type=int, default=5, metavar="N",
                        help="rounds, of which the medians are taken; default 5")
    parser.add_argument("--tls", action="store_true", help="over TLS; all are then those that can: "
                        + ", ".join(each.name for each in SCENARIOS if each.tls_bars is not None))
    parser.add_argument("--json", metavar="FILE", help="all that was measured, and the bars")
    parser.add_argument("--list", action="store_true", help="the scenarios and their bars")
    options = parser.parse_args(arguments)
    if not 1 <= options.repeat <= 100:
        parser.error("--repeat=%d is not within [1, 100]" % options.repeat)
    can = [each.name for each in SCENARIOS if each.tls_bars is not None] if options.tls else names
    options.scenario = can if options.scenario == "all" else options.scenario.split(",")
    for name in options.scenario:
        if name in names and name not in can:
            parser.error("--scenario=%s is for plaintext only; with --tls there are %s" % (
                name, ", ".join(can)))
        if name not in names:
            parser.error("--scenario=%s is none; they are %s" % (name, ", ".join(names)))
    return options


def _output(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        models = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return {"cores": os.cpu_count(), "processor": models[0] if models else platform.machine(),
            "kernel": platform.release(),
            "grpc": _output("pkg-config", "--modversion", "grpc++"),
            "compiler": _output("c++", "--version").splitlines()[0],
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "load_before": os.getloadavg()[0]}


def show(entry, bars):
    print("\n%s: %s" % (entry["name"], entry["what"]))
    for contender, of in entry["contenders"].items():
        summary = of["summary"]
        known = [name for name, _ in _SHOWN]
        facts = [text % summary[name]["median"] for name, text in _SHOWN if name in summary]
        facts += ["%s %.4g" % (name, value["median"]) for name, value in summary.items()
                  if name not in known and name != "threads"]
        print("  %-18s %s" % (contender, ", ".join(facts)))
    for bar in bars:
        measured = "nothing" if bar["measured"] is None else "%.3f (%.3f to %.3f)" % (
            bar["measured"], bar["min"], bar["max"])
        print("  %-7s %-44s %-8s %s" % ("met" if bar["met"] else "NOT MET", bar["name"],
                                        bar["bar"], measured), flush=True)


def main():
    options = parse(sys.argv[1:])
    if options.list:
        for each in SCENARIOS:
            print("%-14s %s" % (each.name, each.what))
            for tls, bar in ([("", bar) for bar in each.bars] +
                             [("--tls: ", bar) for bar in each.tls_bars or ()]):
                print("%14s %s%s of %s %s %g%s" % ("", tls, bar.metric, bar.of, ">=" if bar.least else "<=",
                                                 bar.limit, " of " + bar.versus + "'s"
                                                 if bar.versus else ""))
        return 0
    end_on_sigterm()
    # The folder that `bazel run` was called in.
    out = options.json and os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), options.json)
    report = {"machine": machine(), "repeat": options.repeat, "scenarios": [], "bars": []}
    for each in SCENARIOS:
        if each.name not in options.scenario:
            continue
        with Contest(BINARIES, options.repeat, tls=options.tls) as contest:
            entry, bars = scenario.run(each, contest)
        show(entry, bars)
        report["scenarios"].append(entry)
        report["bars"] += bars
        if out:
            with open(out, "w", encoding="utf-8") as f:
                json.dump(report, f, indent=1)
    missed = [bar["name"] for bar in report["bars"] if not bar["met"]]
    if missed:
        print("\ncompare: FAILED: not met: " + "; ".join(missed), file=sys.stderr)
        return 1
    print("\nOK: every bar is met")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit("compare: " + str(error))
    except KeyboardInterrupt:
        sys.exit(130)
