"""Scenarios over a link with a delay."""
from figures import at_least, at_most
from scenario import Scenario

# A message of 4 MiB is above gRPC's default limit by its own few bytes.
_BIG_BYTES = (4 << 20) - 1024


def _head_of_line(contest):
    """By default a pool has two connections for so few RPCs, and takes them in turn."""
    link = contest.link(contest.server(), "5ms", "--rate=200M")

    def run(contender):
        several = {"connections_min": 8} if contender == "pooled_least_loaded" else {}
        return contest.run(contender, link, load="mixed", rate=100, callers=1,
                           beside_bytes=_BIG_BYTES, warmup=contest.seconds(1),
                           length=contest.seconds(10), **several)
    return contest.rounds(("plain", "raw_fds", "pooled", "pooled_least_loaded"), run)


def _cold(contest):
    """All at once: they rest nearly all of the time."""
    delay_ms = 25
    link = contest.link(contest.server(), "%dms" % delay_ms)
    contenders = ("plain", "pooled")
    clients = {contender: [contest.start_client(contender, link, load="first",
                                                idle=contest.seconds(60))
                           for _ in range(contest.repeat)] for contender in contenders}

    def result(client):
        run = contest.result_of(client)
        run["lost"] = sum(not run[when]["ok"] for when in ("after_start", "after_idle"))
        run["metrics"] = {"%s_round_trips" % when: run[when]["took"] / (2000 * delay_ms)
                          for when in ("after_start", "after_idle")}
        return run
    results = {contender: [result(client) for client in clients[contender]]
               for contender in contenders}
    for plain, pooled in zip(results["plain"], results["pooled"]):
        pooled["metrics"]["after_start_round_trips_sooner"] = (
            plain["metrics"]["after_start_round_trips"] -
            pooled["metrics"]["after_start_round_trips"])
    return results


def _burst(contest):
    link = contest.link(contest.server(), "10ms")
    return contest.rounds(
        ("plain", "pooled"),
        lambda contender: contest.run(contender, link, load="burst", within="10ms",
                                      callers=50 if contest.short else 500))


SCENARIOS = [
    Scenario("head-of-line", "100 RPCs of 128 bytes per second, beside transfers of 4 MiB one after "
             "the other, over a link of 200 Mbit/s and 5 ms each way; pooled_least_loaded has 8 "
             "connections and PickerKind::kLeastLoaded", _head_of_line, [
                 at_most("p99_us", 0.3, "plain", of="pooled_least_loaded"), at_most("lost", 0)]),
    Scenario("cold", "the first RPC 1.5 s after the channel was made, and one 60 s after that, over "
             "a link of 25 ms each way", _cold, [
                 at_most("after_start_round_trips", 1.1), at_most("after_idle_round_trips", 1.1),
                 at_most("lost", 0)],
             tls_bars=[at_least("after_start_round_trips_sooner", 1), at_most("lost", 0)]),
    Scenario("burst", "500 RPCs within 10 ms, the first ever, over a link of 10 ms each way",
             _burst, [at_most("max_us", 0.5, "plain"), at_most("lost", 0)]),
]
