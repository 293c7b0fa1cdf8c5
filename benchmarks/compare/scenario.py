"""Scenario: one comparison, how it is run and what its bars are."""
import collections

import figures

# name     as --scenario has it
# what     what happens, as text
# measure  (contest) -> {contender: [run]}; "pooled" is among them, or it has no `bars`
# bars     of figures.Bar
Scenario = collections.namedtuple("Scenario", "name what measure bars")


def run(which, contest):
    """The scenario's entry of the JSON, and those of its bars."""
    runs = which.measure(contest)
    entry = {"name": which.name, "what": which.what,
             "contenders": {contender: {"summary": figures.summary(of), "runs": of}
                            for contender, of in runs.items()}}
    return entry, [figures.judge(which.name, bar, runs) for bar in which.bars]
