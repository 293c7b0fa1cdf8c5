"""The matrix as text: for the terminal, and as Markdown."""
import collections

import verdict
from record import ERROR

_MEANINGS = {
    verdict.UNSUPPORTED: "not supported by the peer",
    verdict.BOTH: "fails over an ordinary channel as well",
    verdict.POOL: "fails over an ordinary channel only",
    verdict.RACE: "fails now and then over any channel",
    verdict.FAIL: "passes over an ordinary channel, and fails over the pool",
    verdict.LISTED: "listed in unsupported.py without need",
    ERROR.name: "did not run to its end",
}
_REASONS_MAX = 5


def text(cells, peer, proxies, cases):
    """Lines of one peer's table: a row for each case, a column for each proxy."""
    widths = [max(len(proxy), 6) for proxy in proxies]
    rows = [[peer] + list(proxies)]
    rows += [[case] + [cells[peer, proxy, case].name for proxy in proxies] for case in cases]
    first = max(len(row[0]) for row in rows)
    return [("  ".join([row[0].ljust(first)] + [name.ljust(width) for name, width
                                                in zip(row[1:], widths)])).rstrip()
            for row in rows]


def markdown(cells, peer, proxies, cases):
    """The same for a page."""
    lines = ["| %s |" % " | ".join([peer] + list(proxies)), "|---" * (len(proxies) + 1) + "|"]
    return lines + ["| %s |" % " | ".join([case] + [cells[peer, proxy, case].name
                                                    for proxy in proxies]) for case in cases]


def legend(cells):
    """Lines: whatever is not `pass`, with its reasons. Cells that share them share a line."""
    every = {proxy for _, proxy, _ in cells}
    lines = []
    for name, meaning in _MEANINGS.items():
        where = collections.defaultdict(lambda: collections.defaultdict(list))
        for (peer, proxy, case), cell in cells.items():
            if cell.name == name:
                where[tuple(cell.reasons)][peer, case].append(proxy)
        if where:
            lines.append("%s: %s" % (name, meaning))
        for reasons, places in where.items():
            lines.append("  " + _places(places, every))
            lines += ["    " + reason for reason in reasons[:_REASONS_MAX]]
            if len(reasons) > _REASONS_MAX:
                lines.append("    and %d more" % (len(reasons) - _REASONS_MAX))
    return lines


def _places(places, every):
    """`places`: proxies by (peer, case). Named are those that are not `every` one there is."""
    cases = collections.defaultdict(list)
    for (peer, case), proxies in places.items():
        cases[peer, tuple(proxies)].append(case)
    return "; ".join(
        "%s%s: %s" % (peer, "" if every == set(proxies) else " (%s)" % ", ".join(proxies),
                      ", ".join(names)) for (peer, proxies), names in cases.items())
