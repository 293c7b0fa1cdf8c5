"""What nobody planned: servers killed, stopped and cut off, connections that go bad."""
import functools
import os
import signal
import subprocess
import time

import namespace
import peers
from peer import target
from processes import Error
from result import MS, SECOND
from scenario import scenario

_CALLERS = 16


class _Hits:
    """Faults that are made again and again, each over before the next."""

    def __init__(self):
        self._hits = []

    def add(self, began, complete, back):
        """When a fault began, when it was complete, and from when on there may be service."""
        self._hits.append((began, complete, back))

    def judge(self, result):
        lost = []
        late = []
        returns = []
        ends = [began for began, _, _ in self._hits[1:]] + [result.report["ended"] + 1]
        for (began, complete, back), end in zip(self._hits, ends):
            starts = result.losses(began, end)
            lost.append(len(starts))
            late.append(sum(1 for start in starts if start > complete))
            # Without success until the next fault it is at least that long.
            success = result.first_success_after(back)
            returns.append(min(end if success is None else success, end) - back)
            # In a closed loop each caller has one RPC in flight. It can lose a second one to the
            # same fault only while that takes its connections one after the other.
            allowed = max(0, _CALLERS - (lost[-1] - late[-1]))
            if late[-1] > allowed:
                result.misses.append("%d lost at once, %d of which began after the fault" %
                                     (lost[-1], late[-1]))
        result.facts += ["at most %d lost at once" % max(lost),
                         "%d began after the fault" % sum(late),
                         "serves within %d ms" % (max(returns) // MS)]
        if max(returns) > SECOND:
            result.misses.append("served only %d ms after the return" % (max(returns) // MS))
        return result


def _kill_server(bench):
    server = peers.cpp_server(bench)
    load = bench.load(target(server), "--wait_for_ready")
    bench.pause(0.5)
    hits = _Hits()
    for _ in range(bench.length(20, 10, 5)):
        began = time.monotonic_ns()
        server.stop(signal.SIGKILL)
        complete = time.monotonic_ns()
        bench.pause(0.3)
        server.start()
        hits.add(began, complete, back=time.monotonic_ns())
        bench.pause(1.3)  # longer than the bar
    return hits.judge(load.stop())


def _kill_connections(bench):
    server = peers.cpp_server(bench)
    load = bench.load(target(server), "--wait_for_ready")
    bench.pause(0.5)
    hits = _Hits()
    for _ in range(bench.length(20, 10, 5)):
        began = time.monotonic_ns()
        if not namespace.kill_connections(server.port):
            raise Error("ss -K killed nothing: this kernel may lack CONFIG_INET_DIAG_DESTROY")
        complete = time.monotonic_ns()
        hits.add(began, complete, back=complete)
        bench.pause(1.3)  # longer than the bar
    return hits.judge(load.stop())


def _lives_on(result, fault):
    """From 1 s after the fault on, more than 99 % succeed, in every half second."""
    end = result.report["ended"]
    result.facts.append("recovered after %d ms" % result.recovered_after(fault, end))
    poor = result.poor_windows(fault + SECOND, end)
    if poor:
        at = poor[0]
        result.misses.append(
            "%d half seconds with 99 %% success or less, the first from %d ms after the fault on: "
            "%.1f %%" % (len(poor), (at - fault) // MS, 100 * result.share(at, at + 500 * MS)))
    return result


def _one_of_two(break_it, mend_it, bench):
    servers = [peers.cpp_server(bench) for _ in range(2)]
    load = bench.load(target(*servers), "--deadline=300ms")
    bench.pause(1)
    fault = time.monotonic_ns()
    break_it(servers[0])
    bench.pause(bench.length(10, 10, 4))
    mend_it(servers[0])
    bench.pause(2)
    return _lives_on(load.stop(), fault)


def _return(bench):
    server = peers.cpp_server(bench)
    load = bench.load(target(server), "--deadline=1s")
    bench.pause(0.5)
    server.stop(signal.SIGKILL)
    bench.pause(bench.length(30, 30, 5))
    server.start()
    back = time.monotonic_ns()
    bench.pause(4)
    result = load.stop()
    success = result.first_success_after(back)
    result.facts.append("no success in 4 s" if success is None else
                        "first success after %d ms" % ((success - back) // MS))
    if success is None or success - back > 1.5 * SECOND:
        result.misses.append(result.facts[-1])
    return result


def _poison(bench):
    server = peers.poisoned_server(bench)
    load = bench.load(target(server))
    bench.pause(1)
    fault = time.monotonic_ns()
    server.process.signal(signal.SIGUSR2)
    connections = int(server.process.await_line("poisoned "))
    bench.pause(4)
    result = load.stop()
    result.facts.append("%d connections" % connections)
    return _lives_on(result, fault)


def _descriptors(bench):
    server = peers.cpp_server(bench)
    load = bench.load(target(server), "--callers_first=2",
                      "--streams_per_connection_target=2")
    bench.pause(1)
    limit = len(os.listdir("/proc/%d/fd" % load.pid))
    subprocess.run(["prlimit", "--pid", str(load.pid), "--nofile=%d:%d" % (limit, limit)],
                   check=True)
    load.start_the_other_callers()
    bench.pause(bench.length(5, 3, 3))
    result = load.stop()
    if result.pool:
        refused = result.pool["dials"].get("local_limit", 0)
        result.facts += ["%d descriptors" % limit, "%(ready)d of %(wanted)d members" % result.pool,
                         "%d dials refused" % refused]
        if not refused:
            result.misses.append("no dial was refused: this pool did not want to grow")
        if not any(" refuse " in decision for decision in result.pool["decisions"]):
            result.misses.append("Stats().decisions does not say that the pool could not grow")
    return result


SCENARIOS = [
    scenario("kill-9", "what is in flight lost, serves within 1 s of the server", _kill_server,
             loses=True),
    scenario("ss-kill", "what is in flight lost, serves within 1 s", _kill_connections, loses=True),
    scenario("one-stopped", "> 99 % success after 1 s",
             functools.partial(_one_of_two, lambda server: server.process.signal(signal.SIGSTOP),
                               lambda server: server.process.signal(signal.SIGCONT)), loses=True),
    scenario("one-dropped", "> 99 % success after 1 s",
             functools.partial(_one_of_two, lambda server: namespace.drop_traffic(server.port),
                               lambda server: namespace.pass_traffic()), loses=True),
    scenario("return", "first success within 1.5 s of it", _return, loses=True),
    scenario("poisoned", "> 99 % success after 1 s", _poison, loses=True),
    scenario("descriptor-limit", "0 lost, growth refused and reported", _descriptors),
]
