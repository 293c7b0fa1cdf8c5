"""Figures: what runs measured, their medians and spreads, and the bars that ratios are held to."""
import collections
import statistics

# Each metric from a run, as compare_client printed it. What a run has not measured is absent.
METRICS = {
    "qps": lambda run: run["rpcs"] / run["seconds"],
    "mean_us": lambda run: run["latency"]["mean"],
    "p50_us": lambda run: run["latency"]["p50"],
    "p99_us": lambda run: run["latency"]["p99"],
    "p999_us": lambda run: run["latency"]["p999"],
    "max_us": lambda run: run["latency"]["max"],
    "cpu_us_per_rpc": lambda run: 1e6 * run["cpu_seconds"] / run["rpcs"],
    "peak_mib": lambda run: run["peak_kib"] / 1024,
    "connections": lambda run: run["connections"],
    "threads": lambda run: run["threads"],
    "lost": lambda run: run["lost"],
}

# Of these every round counts: an RPC that hangs in one of five is no less lost.
_COUNTS = {"lost", "progressed", "finished"}

# metric  of the contender `of`
# versus  the contender whose metric it is divided by; None: it stands for itself
# least   whether it must be at least `limit`, or else at most
Bar = collections.namedtuple("Bar", "metric versus least limit of")


def at_least(metric, limit, versus=None, of="pooled"):
    return Bar(metric, versus, True, limit, of)


def at_most(metric, limit, versus=None, of="pooled"):
    return Bar(metric, versus, False, limit, of)


def metrics(run):
    """The metrics of a run that it has: {name: number}."""
    found = {}
    for name, read in METRICS.items():
        try:
            found[name] = read(run)
        except (KeyError, ZeroDivisionError):
            pass
    for name, value in run.get("metrics", {}).items():
        found[name] = value
    return found


def summary(runs):
    """Of one contender's runs: {metric: {"median":, "min":, "max":}}."""
    all_metrics = [metrics(run) for run in runs]
    names = [name for name in all_metrics[0] if all(name in each for each in all_metrics)]
    return {name: {"median": statistics.median(each[name] for each in all_metrics),
                   "min": min(each[name] for each in all_metrics),
                   "max": max(each[name] for each in all_metrics)} for name in names}


def judge(scenario, bar, runs):
    """An entry of `bars`: the median over the rounds of what the bar is about, or the worst of them.

    Ratios are taken within a round, whose runs follow one another: a machine that is slow for a
    while is slow for both. `runs`: {contender: [run]}, the rounds in the same order in all.
    """
    measured = [metrics(run).get(bar.metric) for run in runs[bar.of]]
    if bar.versus is not None:
        others = [metrics(run).get(bar.metric) for run in runs[bar.versus]]
        measured = [mine / other if mine is not None and other else None
                    for mine, other in zip(measured, others)]
    unmeasured = any(value is None for value in measured)
    choose = statistics.median
    if bar.metric in _COUNTS and bar.versus is None:
        choose = min if bar.least else max
    value = None if unmeasured else choose(measured)
    met = value is not None and (value >= bar.limit if bar.least else value <= bar.limit)
    name = "%s: %s" % (scenario, bar.metric)
    if bar.of != "pooled":
        name += " of %s" % bar.of
    if bar.versus is not None:
        name += " / %s" % bar.versus
    return {"name": name, "bar": "%s %g" % (">=" if bar.least else "<=", bar.limit),
            "measured": value, "met": met,
            "min": None if unmeasured else min(measured),
            "max": None if unmeasured else max(measured)}
