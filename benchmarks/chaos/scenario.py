"""Scenario: one row of the table, and how it is run and judged."""
import collections
import math

from bench import Bench, CONTENDERS
from processes import Error

# name      as --scenario has it
# bar       what pooled is held to, as text
# measure   (bench) -> Result, with one contender; what is above a bar goes into result.misses
# compares  whether pooled's losses are held against ordinary's
Scenario = collections.namedtuple("Scenario", "name bar measure compares loses")


def scenario(name, bar, measure, compares=False, loses=False):
    """`loses`: RPCs may be lost, as far as `measure` does not say otherwise."""
    return Scenario(name, bar, measure, compares, loses)


def contenders(which, quick, chosen=None):
    """Those that take part: `chosen`, or else all, or with `quick` those that the bar needs."""
    if chosen:
        return chosen
    if not quick:
        return CONTENDERS
    return ("pooled", "ordinary") if which.compares else ("pooled",)


def run(which, contender, binaries, quick, mode="auto"):
    """The Result of one contender, judged by itself."""
    with Bench(binaries, contender, quick, mode) as bench:
        result = which.measure(bench)
    if result.rpcs == 0:
        raise Error("not a single RPC was sent")
    if result.unrecorded:
        raise Error("%d RPCs were answered that no server has recorded" % result.unrecorded)
    if result.wrong:
        result.misses.append("%d wrong answers" % result.wrong)
    if result.duplicates:
        result.misses.append("%d RPCs were seen twice" % result.duplicates)
    if result.lost and not which.loses:
        result.misses.append("%d RPCs were lost" % result.lost)
    return result


def judge(which, results):
    """The bars that pooled missed, as text; of the others nothing is asked. `results` by name."""
    if "pooled" not in results:
        return []
    misses = list(results["pooled"].misses)
    if which.compares and "ordinary" in results:
        # The losses of two equals differ by chance. This allows two standard deviations of the
        # difference of two Poisson counts.
        pooled, ordinary = results["pooled"].lost, results["ordinary"].lost
        allowed = ordinary + 2 * math.sqrt(ordinary + pooled)
        if pooled > allowed:
            misses.append("%d RPCs were lost, and %d by ordinary" % (pooled, ordinary))
    return misses
