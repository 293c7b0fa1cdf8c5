"""What servers and proxies do on purpose: connections end by age, count, reload, idleness."""
import functools
import signal

import peers
import proxies
from peer import target
from scenario import scenario

_NO_LOSS = "0 lost, 0 duplicates"


def _age(bench, server, full=30, quick=6):
    seconds = bench.length(full, 10, quick)
    return bench.load(target(server), "--seconds=%ds" % seconds).await_end(seconds + 60)


def _age_cpp(age, bench, quick=6):
    return _age(bench, peers.cpp_server(bench, "--max_connection_age=%dms" % age), quick=quick)


def _age_node(age, bench, quick=6):
    return _age(bench, peers.node_server(bench, age), quick=quick)


def _requests(bench, proxy):
    rpcs = bench.length(100000, 20000, 15000)
    return bench.load(target(proxy), "--rpcs=%d" % rpcs).await_end(300)


def _nginx_requests(bench):
    return _requests(bench, proxies.nginx(bench, peers.cpp_server(bench), "keepalive_requests 100;"))


def _nghttpx_requests(bench):
    return _requests(bench, proxies.nghttpx(bench, peers.cpp_server(bench),
                                          "frontend-max-requests=100"))


def _reload(proxy, number, bench):
    peer = proxy(bench, peers.cpp_server(bench))
    load = bench.load(target(peer))
    for _ in range(3 if bench.quick else 10):
        bench.pause(0.7)
        peer.process.signal(number)
    bench.pause(1.5)
    return load.stop()


def _idle(bench):
    timeout, interval = (1, 1.5) if bench.quick else (2, 3)
    calls = bench.length(10, 4, 5)
    proxy = proxies.nginx(bench, peers.cpp_server(bench), "keepalive_timeout %ds;" % timeout)
    return bench.load(target(proxy), "--callers=1", "--interval=%gs" % interval,
                      "--rpcs=%d" % calls).await_end(interval * calls + 60)


def _rolling(lame_duck, bench):
    servers = [peers.cpp_server(bench, "--lame_duck=" + lame_duck) for _ in range(2)]
    load = bench.load(target(*servers))
    rounds = bench.length(20, 20 if lame_duck == "0s" and bench.contender == "ordinary" else 5, 3)
    for _ in range(rounds):
        for server in servers:
            bench.pause(1.1)  # a pool has 1 s to be back on a server that returned: see kill-9
            server.stop()
            server.start()
    bench.pause(1)
    return load.stop()


SCENARIOS = [
    scenario("age-cpp-0.3s", _NO_LOSS, functools.partial(_age_cpp, 300)),
    scenario("age-cpp-3s", _NO_LOSS, functools.partial(_age_cpp, 3000, quick=8)),
    scenario("age-node-0.3s", _NO_LOSS, functools.partial(_age_node, 300)),
    scenario("age-node-3s", _NO_LOSS, functools.partial(_age_node, 3000, quick=8)),
    scenario("nginx-requests", _NO_LOSS, _nginx_requests),
    scenario("nghttpx-requests", _NO_LOSS, _nghttpx_requests),
    scenario("nginx-reload", _NO_LOSS, functools.partial(_reload, proxies.nginx, signal.SIGHUP)),
    scenario("haproxy-reload", _NO_LOSS,
             functools.partial(_reload, proxies.haproxy, signal.SIGUSR2)),
    scenario("nghttpx-reload", _NO_LOSS,
             functools.partial(_reload, proxies.nghttpx, signal.SIGHUP)),
    scenario("nginx-idle", _NO_LOSS, _idle),
    scenario("rolling-lame-duck", _NO_LOSS, functools.partial(_rolling, "500ms")),
    scenario("rolling-shutdown", "no more lost than ordinary", functools.partial(_rolling, "0s"),
             compares=True, loses=True),
]
