"""The scenario of a pool that sizes itself, beside every size that it could have."""
from figures import at_most
from scenario import Scenario

_SIZES = (1, 2, 4, 8, 16)
_CALLERS = (16, 1000, 16)
_STEPS = range(1, 1 + len(_CALLERS))


def _adaptive(contest):
    """With few callers most of the time is spent waiting for what the link holds back, and more
    connections have fewer RPCs each to wait; with many it is spent by the processors, and more
    connections cost.

    A fixed size has nothing to find out, so that it needs no time before it counts. The best of
    them is taken for each step: no size is the best in all.
    """
    link = contest.link(contest.server(), "5ms", "--stall_every=50ms", "--stall_length=40ms")
    callers = (4, 8, 4) if contest.short else _CALLERS

    def run(contender):
        flags = {"load": "steps", "steps": ",".join(map(str, callers))}
        if contender in ("pooled", "pooled_adaptive"):
            result = contest.run(contender, link, warmup=contest.seconds(70),
                                 length=contest.seconds(20), **flags)
        else:
            size = contender.split("_")[1]
            result = contest.run("pooled", link, connections_min=size, connections_max=size,
                                 warmup=contest.seconds(2), length=contest.seconds(15), **flags)
        result["metrics"] = {"mean_us_%d" % step: result["steps"][step - 1]["latency"]["mean"]
                             for step in _STEPS}
        return result
    fixed = ["pooled_%d" % size for size in _SIZES]
    # Once: it takes 13 minutes.
    results = {contender: run(contender) for contender in ("pooled", "pooled_adaptive", *fixed)}
    adaptive = results["pooled_adaptive"]["metrics"]
    for step in _STEPS:
        mean = "mean_us_%d" % step
        best = min(results[contender]["metrics"][mean] for contender in fixed)
        adaptive["to_best_%d" % step] = adaptive[mean] / best
        adaptive["to_default_%d" % step] = adaptive[mean] / results["pooled"]["metrics"][mean]
    return {contender: [result] for contender, result in results.items()}


SCENARIOS = [
    Scenario("adaptive", "16 RPCs at any time, then 1000, then 16 again, over a link of 5 ms each way "
             "on which a connection stalls for 40 ms now and then (every 50 ms on the average); "
             "SizingKind::kAdaptive counts after 70 s of each, and pooled_N has N connections",
             _adaptive, [at_most("%s_%d" % (metric, step), limit, of="pooled_adaptive")
                         # 3 % is what the controller takes for a difference.
                         for metric, limit in (("to_best", 1.1), ("to_default", 1.03))
                         for step in _STEPS] + [at_most("lost", 0)]),
]
