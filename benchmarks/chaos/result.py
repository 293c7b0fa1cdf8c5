"""Result: what one load reported, and what the servers recorded of it.

Times are nanoseconds of time.monotonic_ns(), which is the clock of the load as well.
"""
import collections

MS = 1_000_000
SECOND = 1000 * MS


class Result:
    """`report` is the JSON of chaos_load, `recorded` the ids that the servers saw, in any order."""

    def __init__(self, report, recorded):
        self.report = report
        self.rpcs = report["rpcs"]
        self.ok = report["ok"]
        self.wrong = report["wrong"]
        self.lost = report["lost"]
        self.pool = report["pool"]
        self.worst_gap = report["worst_gap"]
        counts = collections.Counter(recorded)
        self.duplicates = sum(counts.values()) - len(counts)
        self.unrecorded = max(0, self.ok - len(counts))  # answered, but by whom?
        self.facts = []  # what a scenario found out, as text
        self.misses = []  # bars of this contender's own that it missed, as text

    def first_success_after(self, time):
        """None if there was none."""
        for start, end in self.report["gaps"]:
            if start <= time < end:
                return end if end < self.report["ended"] else None
        return time  # in fact up to 20 ms later: shorter gaps are not listed

    def losses(self, start, end):
        """When the lost RPCs began that ended within [start, end)."""
        return [began for began, ended, _ in self.report["losses"] if start <= ended < end]

    def share(self, start, end):
        """Of the RPCs that ended within [start, end), those with success; 0 if none ended."""
        ok = self._count("ok_timeline", start, end)
        lost = self._count("lost_timeline", start, end)
        return ok / (ok + lost) if ok + lost else 0

    def poor_windows(self, start, end, share=0.99, length=500 * MS, step=100 * MS):
        """The windows within [start, end) in which not more than `share` succeeded."""
        poor = []
        while start + length <= end:
            if self.share(start, start + length) <= share:
                poor.append(start)
            start += step
        return poor

    def recovered_after(self, fault, end):
        """From `fault` to the last 100 ms in which not more than 99 % succeeded, in ms; 0: none."""
        poor = self.poor_windows(fault, end, length=100 * MS, step=10 * MS)
        return (poor[-1] + 100 * MS - fault) // MS if poor else 0

    def _count(self, timeline, start, end):
        bucket = self.report["bucket"]
        first = max(0, (start - self.report["began"]) // bucket)
        last = max(0, (end - self.report["began"]) // bucket)
        return sum(self.report[timeline][first:last])

    def details(self):
        """Lines that say what was lost, and what the pool did."""
        lines = ["lost: code %(code)d x %(count)d: %(message)s" % cause
                 for cause in sorted(self.report["causes"], key=lambda c: -c["count"])[:10]]
        began = self.report["began"]
        lines += ["lost at %d ms, after %d ms: code %d" % ((end - began) // MS, (end - start) // MS,
                                                           code)
                  for start, end, code in self.report["losses"][:10]]
        lines += ["no success from %d to %d ms" % ((start - began) // MS, (end - began) // MS)
                  for start, end in self.report["gaps"] if end - start > 300 * MS][:10]
        if self.pool:
            lines += ["pool: %s: %s" % (name, value) for name, value in self.pool.items()
                      if name != "decisions"]
            lines += ["pool decided: " + text for text in self.pool["decisions"][-15:]]
        return lines
