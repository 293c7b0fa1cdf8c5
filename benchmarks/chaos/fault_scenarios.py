"""What nobody planned: servers killed, stopped and cut off, connections that go bad."""
import functools
import os
import signal
import subprocess
import time

import namespace
import peers
from processes import Error
from result import MS, SECOND
from scenario import scenario

_CALLERS = 16


def _hit_repeatedly(result, hits):
    """Judges [(time of the fault, time from which there is service again)]."""
    worst_loss = 0
    worst_return = 0
    ends = [fault for fault, _ in hits[1:]] + [result.report["ended"] + 1]
    for (fault, back), end in zip(hits, ends):
        worst_loss = max(worst_loss, result.losses(fault, end))
        success = result.first_success_after(back)
        if success is None or success >= end:
            result.misses.append("no service after a return until the next fault")
            break
        worst_return = max(worst_return, success - back)
    result.facts += ["at most %d lost at once" % worst_loss,
                     "serves within %d ms" % (worst_return // MS)]
    # In a closed loop each caller has one in flight.
    if worst_loss > _CALLERS:
        result.misses.append("%d lost at once, with %d in flight" % (worst_loss, _CALLERS))
    if worst_return > SECOND:
        result.misses.append("served only %d ms after the return" % (worst_return // MS))
    return result


def _kill_server(bench):
    server = peers.cpp_server(bench)
    load = bench.load(peers.target(server), "--wait_for_ready")
    hits = []
    for _ in range(bench.length(20, 20, 5)):
        bench.pause(0.5)
        fault = time.monotonic_ns()
        server.stop(signal.SIGKILL)
        bench.pause(0.3)
        server.start()
        hits.append((fault, time.monotonic_ns()))
    bench.pause(1.5)
    return _hit_repeatedly(load.stop(), hits)


def _kill_connections(bench):
    server = peers.cpp_server(bench)
    load = bench.load(peers.target(server), "--wait_for_ready")
    hits = []
    for _ in range(bench.length(20, 20, 5)):
        bench.pause(0.5)
        fault = time.monotonic_ns()
        if not namespace.kill_connections(server.port):
            raise Error("ss -K killed nothing: this kernel may lack CONFIG_INET_DIAG_DESTROY")
        hits.append((fault, time.monotonic_ns()))
    bench.pause(1.5)
    return _hit_repeatedly(load.stop(), hits)


def _lives_on(result, fault):
    """From 1 s after the fault on, more than 99 % succeed, in every half second."""
    end = result.report["ended"]
    result.facts.append("recovered after %d ms" % result.recovered_after(fault, end))
    poor = result.poor_windows(fault + SECOND, end)
    if poor:
        at = poor[0]
        result.misses.append("%d half seconds with 99 %% success or less, the first from %d ms after "
                             "the fault on: %.1f %%" % (len(poor), (at - fault) // MS,
                                                        100 * result.share(at, at + 500 * MS)))
    return result


def _one_of_two(break_it, mend_it, bench):
    servers = [peers.cpp_server(bench) for _ in range(2)]
    load = bench.load(peers.target(*servers), "--deadline=300ms")
    bench.pause(1)
    fault = time.monotonic_ns()
    break_it(servers[0])
    bench.pause(bench.length(10, 10, 4))
    mend_it(servers[0])
    bench.pause(2)
    return _lives_on(load.stop(), fault)


def _return(bench):
    server = peers.cpp_server(bench)
    load = bench.load(peers.target(server), "--deadline=1s")
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
    load = bench.load(peers.target(server))
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
    load = bench.load(peers.target(server), "--callers_first=2",
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
        if not result.pool["last_error"]:
            result.misses.append("Stats().last_error does not say that the pool cannot grow")
    return result


SCENARIOS = [
    scenario("kill-9", "16 lost at once, serves 1 s after the server", _kill_server, loses=True),
    scenario("ss-kill", "16 lost at once, serves within 1 s", _kill_connections, loses=True),
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
