"""Scenarios of steady loads, directly on the loopback interface."""
from figures import at_least, at_most
from scenario import Scenario


def _article(contest):
    server = contest.server()
    return contest.rounds(
        ("per_call", "plain", "naive", "raw_fds", "pooled"),
        lambda contender: contest.run(
            contender, server, load="callers", callers=20 if contest.short else 1000,
            warmup=contest.seconds(2), length=contest.seconds(30)))


def _latency(contest):
    server = contest.server()
    return contest.rounds(
        ("plain", "raw_fd", "pooled"),
        lambda contender: contest.run(contender, server, load="threads", callers=1,
                                      warmup=contest.seconds(1), length=contest.seconds(5)))


def _threads(contest):
    server = contest.server()
    return contest.rounds(
        ("plain", "naive", "raw_fd", "raw_fds", "pooled"),
        lambda contender: contest.run(contender, server, load="threads", callers=8,
                                      warmup=contest.seconds(1), length=contest.seconds(5)))


def _arrivals(contest):
    server = contest.server()
    return contest.rounds(
        ("plain", "raw_fds", "pooled"),
        lambda contender: contest.run(contender, server, load="arrivals",
                                      rate=500 if contest.short else 5000,
                                      warmup=contest.seconds(1), length=contest.seconds(5)))


def _stream_limit(contest):
    # The growth from the default size counts: there is no warm-up.
    server = contest.server("--max_concurrent_streams=%d" % (10 if contest.short else 100))
    several = "plain_each" if contest.tls else "raw_fds"
    return contest.rounds(
        ("plain", several, "pooled", "pooled_adaptive"),
        lambda contender: contest.run(
            contender, server, load="callers", callers=100 if contest.short else 1000,
            handler_delay="50ms", warmup="0s", length=contest.seconds(10)))


def _long_streams(contest):
    limit, streams = (10, 50) if contest.short else (100, 1000)
    server = contest.server("--max_concurrent_streams=%d" % limit)

    def run(contender):
        result = contest.run(contender, server, load="streams", callers=streams,
                             length=contest.seconds(5))
        result["metrics"] = {"progressed": result["progressed"], "finished": result["finished"]}
        return result
    return contest.rounds(("plain", "pooled"), run)


SCENARIOS = [
    Scenario("article", "1000 unary RPCs of 128 bytes at any time, callback API, for 30 s", _article, [
        at_least("qps", 20, "per_call"), at_most("mean_us", 0.06, "per_call"),
        at_most("cpu_us_per_rpc", 0.06, "per_call"), at_most("peak_mib", 0.6, "per_call"),
        at_least("qps", 1.6, "plain"), at_most("mean_us", 0.65, "plain"),
        at_most("p99_us", 0.85, "plain"), at_most("cpu_us_per_rpc", 0.82, "plain"),
        at_most("peak_mib", 0.85, "plain"), at_most("lost", 0)]),
    Scenario("latency", "one thread, synchronous, one RPC after the other", _latency, [
        at_most("p50_us", 0.97, "plain"), at_most("lost", 0)]),
    Scenario("threads", "8 threads, synchronous, each one RPC after the other", _threads, [
        at_least("qps", 1.15, "plain"), at_most("p99_us", 0.9, "plain"), at_most("lost", 0)]),
    Scenario("arrivals", "5,000 RPCs begin per second, evenly, whatever becomes of them", _arrivals,
             [at_most("lost", 0)]),
    Scenario("stream-limit", "1000 RPCs at any time that take the server 50 ms, which lets a "
             "connection have 100; the pool starts with its default size", _stream_limit, [
                 at_least("qps", 9, "plain"), at_most("lost", 0)],
             tls_bars=[at_least("qps", 6, "plain"), at_most("lost", 0)]),
    Scenario("long-streams", "1000 bidirectional streams that stay open, to a server that lets a "
             "connection have 100", _long_streams, [
                 at_least("progressed", 1000), at_least("finished", 1000)]),
]
