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

    The default has to be measured long enough for its idle_timeout to pass, a fixed size has nothing
    to find out. The best of them is taken for each step: no size is the best in all. The default
    comes before and after the adaptive pool, as a machine changes its speed within minutes.
    """
    link = contest.link(contest.server(), "5ms", "--stall_every=50ms", "--stall_length=40ms")
    callers = (4, 8, 4) if contest.short else _CALLERS

    def run(contender, warmup, length, **flags):
        result = contest.run(contender, link, load="steps", steps=",".join(map(str, callers)),
                             warmup=contest.seconds(warmup), length=contest.seconds(length),
                             **flags)
        result["metrics"] = {"mean_us_%d" % step: result["steps"][step - 1]["latency"]["mean"]
                             for step in _STEPS}
        return result
    # Once: it takes 14 minutes.
    before = run("pooled", 35, 15)
    adaptive = run("pooled_adaptive", 70, 20)
    after = run("pooled", 35, 15)
    fixed = {"pooled_%d" % size: [run("pooled", 2, 15, connections_min=size, connections_max=size)]
             for size in _SIZES}
    metrics = adaptive["metrics"]
    for step in _STEPS:
        mean = "mean_us_%d" % step
        best = min(result["metrics"][mean] for result, in fixed.values())
        default = (before["metrics"][mean] + after["metrics"][mean]) / 2
        metrics["to_best_%d" % step] = metrics[mean] / best
        metrics["to_default_%d" % step] = metrics[mean] / default
    return {"pooled": [before, after], "pooled_adaptive": [adaptive], **fixed}


SCENARIOS = [
    Scenario("adaptive", "16 RPCs at any time, then 1000, then 16 again, over a link of 5 ms each way "
             "on which a connection stalls for 40 ms now and then (every 50 ms on the average); "
             "SizingKind::kAdaptive counts after 70 s of each, and pooled_N has N connections",
             _adaptive, [at_most("%s_%d" % (metric, step), limit, of="pooled_adaptive")
                         # 3 % is what the controller takes for a difference.
                         for metric, limit in (("to_best", 1.1), ("to_default", 1.03))
                         for step in _STEPS] + [at_most("lost", 0)]),
]
