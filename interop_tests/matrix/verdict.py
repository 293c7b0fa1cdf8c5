"""Verdict: what the results of one cell (a peer, a proxy, a case) amount to.

The pool is held against an ordinary channel in the same run, API by API: what that passes it has to
pass, over every kind of pool. What the ordinary channel cannot do is not asked of it.
"""
import collections

from run import CONTROL

PASS = "pass"  # all passed
FAIL = "FAIL"  # failed over a pooled channel, and not over the ordinary one
BOTH = "both"  # failed over the ordinary channel as well
POOL = "pool"  # failed over the ordinary channel only
UNSUPPORTED = "-"  # listed as not supported, and did not pass
RACE = "race"  # failed only as unsupported.RACES says
LISTED = "LISTED"  # listed as not supported, and passed all the same
BAD = (FAIL, LISTED)

# passed, failed  how many results, over all channels and APIs
# reasons         what the verdict comes from, as text; empty for PASS
Verdict = collections.namedtuple("Verdict", "name passed failed reasons")


def judge(results, unsupported_reason=None, race=None):
    """`results`: of one cell. `unsupported_reason`, `race`: what is listed of it in unsupported.py."""
    failed = [each for each in results if not each.passed]
    if race and failed and all(race.text in each.reason for each in failed):
        return Verdict(RACE, len(results) - len(failed), len(failed), [race.reason])
    not_over_ordinary = {each.api for each in failed if each.channel == CONTROL}
    pool_only = [each for each in failed
                 if each.channel != CONTROL and each.api not in not_over_ordinary]
    pooled = [each for each in failed if each.channel != CONTROL]
    if pool_only:
        name, reasons = FAIL, _texts(pool_only)
    elif unsupported_reason and failed:
        name, reasons = UNSUPPORTED, [unsupported_reason]
    elif unsupported_reason:
        name, reasons = LISTED, ["it passes, and is listed as not supported: " + unsupported_reason]
    elif pooled:
        name, reasons = BOTH, _texts(each for each in failed if each.channel == CONTROL)
    elif failed:
        name, reasons = POOL, _texts(failed)
    else:
        name, reasons = PASS, []
    return Verdict(name, len(results) - len(failed), len(failed), reasons)


def _texts(failed):
    """Channels and APIs by what they say."""
    by_reason = collections.defaultdict(list)
    for each in failed:
        by_reason[each.reason].append("%s %s" % (each.channel, each.api))
    return ["%s: %s" % (", ".join(where), reason) for reason, where in by_reason.items()]
