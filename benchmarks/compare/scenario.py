"""Scenario: one comparison, how it is run and what its bars are."""
import collections

import figures
from processes import Error

# name     as --scenario has it
# what     what happens, as text
# measure  (contest) -> {contender: [run]}; "pooled" is among them, or it has no `bars`
# bars     of figures.Bar
# tls_bars the same, if contest.tls; None: it is for plaintext only
Scenario = collections.namedtuple("Scenario", "name what measure bars tls_bars", defaults=[None])


def run(which, contest):
    """The scenario's entry of the JSON, and those of its bars."""
    if contest.tls and which.tls_bars is None:
        raise Error("--scenario=%s is for plaintext only" % which.name)
    name = which.name + (" --tls" if contest.tls else "")
    runs = which.measure(contest)
    entry = {"name": name, "what": which.what,
             "contenders": {contender: {"summary": figures.summary(of), "runs": of}
                            for contender, of in runs.items()}}
    return entry, [figures.judge(name, bar, runs)
                   for bar in (which.tls_bars if contest.tls else which.bars)]
