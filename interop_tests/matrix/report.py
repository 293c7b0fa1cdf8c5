#!/usr/bin/env -S python3 -B
"""Writes the matrix into docs/interop.md: report.py RECORD PAGE, RECORD being what --json= wrote."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "harness"))

import table
import unsupported
from record import Record

BEGIN = "<!-- matrix: begin -->"
END = "<!-- matrix: end -->"


def lines(record, entries=unsupported.ENTRIES):
    """What stands between the markers."""
    cells = record.cells(entries)
    data = record.data
    proxies = record.proxies()
    result = ["Written by `./interop_tests/run.sh --write-docs` on %s; it took %d s. %s."
              % (data["date"], data["seconds"], record.summary()), "",
              "Over: %s. Soaks of %d RPCs; long_lived for %d ms." % (
                  ", ".join(data["channels"]), data["soak_rpcs"], data["long_lived_ms"]), "",
              "Peers: %s." % "; ".join(data["versions"].values()), ""]
    for peer in record.peers():
        result += [*table.markdown(cells, peer, proxies, data["cases"]), ""]
    legend = table.legend(cells)
    if legend:
        result += ["```", *legend, "```"]
    else:
        result.pop()
    return result


def put(page, between):
    """The page's text with the lines between the markers replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page does not have both %s and %s" % (BEGIN, END))
    return before + BEGIN + "\n" + "\n".join(between) + "\n" + END + after


def write(record, path):
    with open(path, encoding="utf-8") as f:
        page = f.read()
    page = put(page, lines(record))
    with open(path, "w", encoding="utf-8") as f:
        f.write(page)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(Record.read(sys.argv[1]), sys.argv[2])
