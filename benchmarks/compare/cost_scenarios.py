"""Scenarios of what connections and RPCs cost: memory, threads, instructions, a checkout."""
import collections
import glob
import json
import statistics

from figures import at_most
from processes import Error
from scenario import Scenario

# Of two runs with so many RPCs: their difference has no set-up in it.
_RPCS = (2000, 6000)


def _fan_out(contest):
    targets = 5 if contest.short else 50
    server = contest.server("--address=0.0.0.0")
    port = server.rsplit(":", 1)[1]
    # All of 127.0.0.0/8 is this machine: targets of their own, with one server behind them.
    addresses = ["127.0.0.%d:%s" % (1 + target, port) for target in range(targets)]

    contenders = ("plain", "pooled")

    def flags(contender):
        return {"connections_min": 4, "connections_max": 4} if contender == "pooled" else {}
    results = contest.rounds(
        contenders,
        lambda contender: contest.run(contender, ",".join(addresses), load="arrivals",
                                      rate=200 * targets, warmup=contest.seconds(2),
                                      length=contest.seconds(10), **flags(contender)))
    # At rest, all at once. A young pool replaces its connections whenever they are a few times as
    # old as at the last time (see plugin/core/lifetime.h): of 200, two a second after 75 s, and one
    # in two seconds after 5 minutes. Threads are compared at rest because under load, and for the
    # first few targets, gRPC has as many as it finds work for.
    some = max(1, targets // 2)
    idle = {(contender, number, count): contest.start_client(
        contender, ",".join(addresses[:count]), load="idle", callers=count,
        warmup=contest.seconds(300), idle=contest.seconds(20), **flags(contender))
            for contender in contenders for number in range(contest.repeat)
            for count in (some, targets)}
    for contender in contenders:
        for number, result in enumerate(results[contender]):
            fewer = contest.result_of(idle[contender, number, some])
            rest = contest.result_of(idle[contender, number, targets])
            result["metrics"] = {
                "threads_at_rest": rest["threads"],
                "threads_more_than_for_half": rest["threads"] - fewer["threads"],
                "idle_cpu_percent": 100 * rest["cpu_seconds"] / rest["seconds"]}
    return results


def _memory(contest):
    few, some, many = (1, 2, 4) if contest.short else (8, 64, 512)
    server = contest.server()

    def run(contender):
        taken = {}
        for count in (few, some, many):
            result = contest.run(contender, server, load="idle", warmup=contest.seconds(2),
                                 idle="0.1s", callers=4 * count, connections_min=count,
                                 connections_max=count)
            taken[count] = result["private_dirty_kib"]
        result["metrics"] = {"kib_of_%d" % count: kib for count, kib in taken.items()}
        result["metrics"]["kib_per_member"] = (taken[many] - taken[few]) / (many - few)
        return result
    return contest.rounds(("plain_each", "raw_fds", "pooled"), run)


def _total(path):
    """What callgrind has counted in this file."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("totals: "):
                return int(line.split()[1])
    raise Error("callgrind did not count: " + path)


def _instructions(contest):
    server = contest.server()
    few, many = (50, 100) if contest.short else _RPCS

    def count(kind, rpcs):
        """(of all threads, of the one that makes the RPCs)."""
        out = contest.path("callgrind.%s.%d" % (kind, rpcs))
        contest.processes.start(
            ["valgrind", "--tool=callgrind", "--separate-threads=yes",
             "--callgrind-out-file=" + out, contest.binary("rpc_loop"), "--address=" + server,
             "--channel=" + kind, "--rpcs=%d" % rpcs,
             *contest.client_flags]).await_success(timeout=300)
        threads = {path: _total(path) for path in glob.glob(out + "-*")}
        return sum(threads.values()), threads[out + "-01"]

    def run(contender):
        kind = "pooled_metrics" if contender == "pooled" else contender
        per_rpc = [(most - least) / (many - few)
                   for most, least in zip(count(kind, many), count(kind, few))]
        return {"contender": contender,
                "metrics": dict(zip(("instructions", "rpc_thread_instructions"), per_rpc))}
    # Once: counts hardly differ.
    others = ("plain_interceptor",) if contest.tls else ("raw_fd", "raw_fd_interceptor")
    return {contender: [run(contender)] for contender in ("plain", *others, "pooled")}


def _checkout(contest):
    """One run of the benchmark, which repeats by itself, for the default picker."""
    out = contest.path("checkout.json")
    contest.processes.start(
        [contest.binary("checkout"), "--benchmark_filter=^round_robin/members",
         "--benchmark_repetitions=%d" % contest.repeat,
         "--benchmark_min_time=%g" % (0.001 if contest.short else 0.2),
         "--benchmark_out_format=json", "--benchmark_out=" + out]).await_success(timeout=600)
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    nanos = collections.defaultdict(list)
    for each in report["benchmarks"]:
        if each["run_type"] != "iteration":
            continue
        members, threads = (part.split(":")[1] for part in each["run_name"].split("/")[1:3])
        nanos[int(members), int(threads)].append(each["cpu_time"])
    medians = {key: statistics.median(values) for key, values in nanos.items()}
    metrics = {"ns_%d_members_%d_threads" % key: value for key, value in sorted(medians.items())}
    metrics["ns_most"] = max(value for (_, threads), value in medians.items() if threads == 1)
    metrics["ns_512_members_to_8"] = medians[512, 1] / medians[8, 1]
    return {"pooled": [{"contender": "pooled", "metrics": metrics}]}


SCENARIOS = [
    Scenario("fan-out", "50 targets, 200 RPCs per second to each; a pool has 4 connections to each",
             _fan_out, [at_most("threads_more_than_for_half", 0),
                        at_most("idle_cpu_percent", 1), at_most("lost", 0)]),
    Scenario("memory", "8, 64 and 512 connections at rest, after 4 RPCs for each", _memory,
             [at_most("kib_per_member", 1.1, "raw_fds")]),
    Scenario("instructions", "user-space instructions of the client for one synchronous unary RPC, "
             "by callgrind", _instructions, [at_most("instructions", 0.84, "plain")],
             tls_bars=[at_most("rpc_thread_instructions", 1.05, "plain")]),
    Scenario("checkout", "getting a member and giving it back, without an RPC: ns of CPU",
             _checkout, [at_most("ns_most", 50), at_most("ns_512_members_to_8", 1.5)]),
]
