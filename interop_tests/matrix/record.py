"""Record: what one run of the matrix found, as --json= keeps it and as report.py reads it.

    {"date": "2026-01-31", "seconds": 300, "versions": {NAME: TEXT}, "soak_rpcs": 30,
     "long_lived_ms": 500, "channels": [NAME], "cases": [NAME],
     "runs": [{"peer": NAME, "proxy": NAME, "seconds": 12.3, "error": TEXT or null,
               "results": [[channel, case, api, passed, ms, reason]]}]}
"""
import collections
import json

import unsupported
import verdict
from run import Result

ERROR = verdict.Verdict("ERROR", 0, 0, [])


class Record:
    """`data` as above."""

    def __init__(self, data):
        self.data = data

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as f:
            return Record(json.load(f))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.data, f)
            f.write("\n")

    def add(self, peer, proxy, seconds, results, error=None):
        self.data["runs"].append({"peer": peer, "proxy": proxy, "seconds": seconds,
                                  "error": error, "results": results})

    def sort(self, peers, proxies):
        self.data["runs"].sort(
            key=lambda each: (peers.index(each["peer"]), proxies.index(each["proxy"])))

    def peers(self):
        return list(dict.fromkeys(each["peer"] for each in self.data["runs"]))

    def proxies(self):
        return list(dict.fromkeys(each["proxy"] for each in self.data["runs"]))

    def cells(self, entries=unsupported.ENTRIES):
        """The Verdict of each (peer, proxy, case)."""
        cells = {}
        for each in self.data["runs"]:
            by_case = collections.defaultdict(list)
            for result in each["results"]:
                by_case[result[1]].append(Result(*result))
            for case in self.data["cases"]:
                key = each["peer"], each["proxy"], case
                if each["error"]:
                    cells[key] = ERROR._replace(reasons=[each["error"]])
                else:
                    cells[key] = verdict.judge(by_case[case], unsupported.reason(*key, entries),
                                               unsupported.find(*key, unsupported.RACES))
        return cells

    def summary(self):
        """What all of it amounts to, in numbers."""
        cells = self.cells().values()
        names = collections.Counter(each.name for each in cells)
        passed = sum(each.passed for each in cells)
        run = passed + sum(each.failed for each in cells)
        return ("%d cells: %d pass, %d not supported, %d fail over the ordinary channel too, %d "
                "over it only, %d in a race of the proxy's, %d over the pool only, %d without a "
                "verdict; of %d cases run over %d channels, %d passed" % (
                    len(cells), names[verdict.PASS], names[verdict.UNSUPPORTED],
                    names[verdict.BOTH], names[verdict.POOL], names[verdict.RACE],
                    names[verdict.FAIL], names[verdict.LISTED] + names[ERROR.name],
                    run, len(self.data["channels"]),
                    passed))

    def is_good(self):
        """Nothing that the ordinary channel passes fails over the pool, and all of it ran."""
        return all(each.name not in verdict.BAD + (ERROR.name,) for each in self.cells().values())
