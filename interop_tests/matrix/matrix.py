#!/usr/bin/env -S python3 -B
"""gRPC's interop cases over Predial's channels, against each peer through each proxy.

interop_tests/run.sh builds what this runs, and runs it.
"""
import argparse
import collections
import datetime
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "harness"))

import namespace
import report
import servers
import table
import versions
from processes import Error, Processes, end_on_sigterm
from record import Record
from run import CHANNELS, CONTROL, PROXIES, Run

CASES = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong",
    "empty_stream", "half_duplex", "client_compressed_unary", "client_compressed_streaming",
    "server_compressed_unary", "server_compressed_streaming", "cancel_after_begin",
    "cancel_after_first_response", "timeout_on_sleeping_server", "status_code_and_message",
    "special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service",
    "rpc_soak", "channel_soak", "long_lived", "slow_consumer")
SOAK_RPCS = 30
LONG_LIVED_MS = 500
_PAGE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "docs", "interop.md")


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="interop_tests/run.sh", allow_abbrev=False,
        description="Prints a table for each peer, and exits with 1 if a case that passes over an "
        "ordinary channel fails over a pooled one.")

    def names(flag, known, what):
        def read(text):
            chosen = text.split(",")
            for name in chosen:
                if name not in known:
                    raise argparse.ArgumentTypeError(
                        "%s is none; they are %s" % (name or "''", ", ".join(known)))
            return tuple(name for name in known if name in chosen)
        parser.add_argument("--" + flag, metavar="NAME[,NAME]", type=read, default=known,
                            help="only these %s, of %s" % (what, ", ".join(known)))

    names("peer", servers.NAMES, "servers")
    names("proxy", tuple(PROXIES), "ways to them")
    names("case", CASES, "cases")
    names("channel", CHANNELS, "channels; %s is always among them" % CONTROL)
    parser.add_argument("--soak-rpcs", metavar="N", type=int, default=SOAK_RPCS,
                        help="RPCs of a soak (default %(default)s)")
    parser.add_argument("--long-lived-ms", metavar="N", type=int, default=LONG_LIVED_MS,
                        help="how long the stream of long_lived is open (default %(default)s)")
    parser.add_argument("--json", metavar="FILE",
                        help="where all results go; relative to the checkout")
    parser.add_argument("--write-docs", action="store_true",
                        help="puts the table into docs/interop.md; all of it has to be run")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count(),
                        help="pairs of server and proxy at a time (default: the cores)")
    parser.add_argument("--packages", action="store_true",
                        help="prints the Debian packages that the peers need, and runs nothing")
    parser.add_argument("--client", default="interop_tests/cases/interop_client",
                        help=argparse.SUPPRESS)
    parser.add_argument("--cpp-server", default="interop_tests/peers/cpp_server",
                        help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if min(options.jobs, options.soak_rpcs, options.long_lived_ms) < 1:
        parser.error("--jobs, --soak-rpcs and --long-lived-ms are at least 1")
    if options.json and not os.access(os.path.dirname(options.json) or ".", os.W_OK):
        parser.error("--json=%s: no directory to write to" % options.json)
    whole = (servers.NAMES, tuple(PROXIES), CASES, CHANNELS)
    if options.write_docs and whole != (options.peer, options.proxy, options.case, options.channel):
        parser.error("--write-docs is for the whole matrix")
    if CONTROL not in options.channel:
        options.channel = (CONTROL, *options.channel)
    return options


def measure(options, on_peer=lambda record, peer: None):
    """The Record of all that `options` ask for. Calls `on_peer` when all of a peer's is in it."""
    _check_cases(options.client)
    record = Record({"date": datetime.date.today().isoformat(), "seconds": 0,
                     "soak_rpcs": options.soak_rpcs, "long_lived_ms": options.long_lived_ms,
                     "channels": options.channel, "cases": options.case, "runs": [],
                     "versions": versions.all_of([*options.peer, *options.proxy])})
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="predial-interop.") as scratch, \
            Processes(scratch) as bench:
        peers = servers.Servers(bench, options.cpp_server)
        peers.prepare(options.peer)
        _run_all(options, peers, record, on_peer)
    record.data["seconds"] = round(time.monotonic() - started, 1)
    record.sort(options.peer, options.proxy)
    return record


def _run_all(options, peers, record, on_peer):
    """`jobs` at a time, begun in their order."""
    flags = ["--soak_rpcs=%d" % options.soak_rpcs, "--long_lived_ms=%d" % options.long_lived_ms]
    waiting = collections.deque((peer, proxy) for peer in options.peer for proxy in options.proxy)
    left = collections.Counter(peer for peer, _ in waiting)
    running = []

    def add(peer, proxy, seconds, results, error=None):
        record.add(peer, proxy, seconds, results, error)
        left[peer] -= 1
        if not left[peer]:
            on_peer(record, peer)

    try:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                peer, proxy = waiting.popleft()
                try:
                    running.append(Run(peers, options.client, peer, proxy, options.channel,
                                       options.case, flags))
                except Error as error:
                    add(peer, proxy, 0, [], str(error))
            for run in list(running):
                try:
                    if not run.ends_within(0.05):
                        continue
                    results, error = run.results(), None
                except Error as problem:
                    results, error = [], str(problem)
                running.remove(run)
                run.__exit__()
                add(run.peer, run.proxy, run.seconds, results, error)
    finally:
        for run in running:
            run.__exit__()


def _check_cases(client):
    """The client has to know the cases that there are here, and no others."""
    listed = subprocess.run([client, "--list"], text=True, stdout=subprocess.PIPE, check=False)
    if listed.returncode or sorted(listed.stdout.split()) != sorted(CASES):
        raise Error("%s --list does not give the cases that matrix.py has: %s"
                    % (client, listed.stdout.split()))


def main():
    options = parse(sys.argv[1:])
    if options.packages:
        print(*(package for peer in options.peer for package in servers.PACKAGES[peer]))
        return 0
    namespace.enter()
    end_on_sigterm()

    def show(record, peer):
        print(*table.text(record.cells(), peer, options.proxy, options.case), "", sep="\n",
              flush=True)

    record = measure(options, show)
    if options.json:
        record.write(options.json)
    if options.write_docs:
        report.write(record, _PAGE)
    print(*table.legend(record.cells()), record.summary(), sep="\n")
    print("%d s" % record.data["seconds"], flush=True)
    if not record.is_good():
        print("interop_tests/run.sh: FAILED", file=sys.stderr)
        return 1
    print("OK: whatever passes over an ordinary channel passes over the pool")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit("interop_tests/run.sh: " + str(error))
    except KeyboardInterrupt:
        sys.exit(130)
