#!/usr/bin/env -S python3 -B
"""Writes docs/benchmarks.md and its plots from what compare.py measured.

report.py JSON DIRECTORY: the directory gets benchmarks.md, benchmarks-bars.svg and
benchmarks-latency.svg. benchmarks/report.sh runs it. Takes matplotlib.
"""
import json
import os
import sys

_HEAD = """# Benchmarks

Made by `./benchmarks/report.sh`; do not edit. What the scenarios are, how they are measured and why a
bar is not met: [benchmarks/README.md](../benchmarks/README.md).

%(date)s; %(cores)d cores (%(processor)s), Linux %(kernel)s, gRPC %(grpc)s, %(compiler)s; %(repeat)d
rounds. Server and client are processes of their own on the same cores. A ratio is the median of the
rounds' ratios, with the lowest and the highest; a figure is the median of the rounds, with theirs.

`plain` is `grpc::CreateChannel`; `per_call` a channel and a connection for each RPC; `naive` 4 channels
over sockets in turn, dialed again after an RPC failed; `raw_fd` a channel over one connected socket,
`raw_fds` 8 of these in turn, both with nothing that dials, watches, counts or retries: they are the
limit; `pooled` is PooledChannel with its defaults and the Prometheus observer.

**%(met)d of %(all)d bars are met.**

![Every ratio that has a bar, and its bar](benchmarks-bars.svg)

![Latencies by scenario](benchmarks-latency.svg)
"""
# Of a table, as far as they were measured: heading, metric, format.
_COLUMNS = (
    ("RPC/s", "qps", "%.0f"), ("mean, us", "mean_us", "%.0f"), ("p50", "p50_us", "%.0f"),
    ("p99", "p99_us", "%.0f"), ("p99.9", "p999_us", "%.0f"), ("max", "max_us", "%.0f"),
    ("CPU us/RPC", "cpu_us_per_rpc", "%.1f"), ("peak MiB", "peak_mib", "%.1f"),
    ("connections", "connections", "%d"), ("lost", "lost", "%d"))
_KNOWN = {metric for _, metric, _ in _COLUMNS} | {"threads"}
_QUANTILES = ("p50_us", "p99_us", "p999_us")


def _cell(value, form):
    text = form % value["median"]
    low, high = form % value["min"], form % value["max"]
    return text if low == high else "%s (%s to %s)" % (text, low, high)


def table(entry):
    contenders = entry["contenders"]
    summaries = {name: of["summary"] for name, of in contenders.items()}
    columns = [(head, metric, form) for head, metric, form in _COLUMNS
               if any(metric in summary for summary in summaries.values())]
    own = []
    for summary in summaries.values():
        own += [name for name in summary if name not in _KNOWN and name not in own]
    if len(own) > 6:  # a table that lies on its side
        lines = ["| | %s |" % " | ".join(summaries), "|---" * (1 + len(summaries)) + "|"]
        lines += ["| %s | %s |" % (name.replace("_", " "), " | ".join(
            _cell(summary[name], "%.4g") if name in summary else "" for summary in
            summaries.values())) for name in own]
        return lines
    columns += [(name.replace("_", " "), name, "%.4g") for name in own]
    lines = ["| | %s |" % " | ".join(head for head, _, _ in columns),
             "|---" * (1 + len(columns)) + "|"]
    for contender, summary in summaries.items():
        cells = [_cell(summary[metric], form) if metric in summary else ""
                 for _, metric, form in columns]
        lines.append("| %s | %s |" % (contender, " | ".join(cells)))
    return lines


def _measured(bar):
    if bar["measured"] is None:
        return "not measured"
    return _cell({"median": bar["measured"], "min": bar["min"], "max": bar["max"]}, "%.3g")


def markdown(report):
    bars = report["bars"]
    lines = [_HEAD % {**report["machine"], "repeat": report["repeat"],
                      "met": sum(bar["met"] for bar in bars), "all": len(bars)}]
    for entry in report["scenarios"]:
        lines += ["## " + entry["name"], "", entry["what"][0].upper() + entry["what"][1:] + ".", ""]
        lines += table(entry) + [""]
        of = [bar for bar in bars if bar["name"].startswith(entry["name"] + ": ")]
        if of:
            lines += ["| pooled | bar | measured | |", "|---|---|---|---|"]
            lines += ["| %s | %s | %s | %s |" % (
                bar["name"].split(": ", 1)[1].replace("_", " "), bar["bar"], _measured(bar),
                "met" if bar["met"] else "**not met**") for bar in of]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _save(figure, path):
    # The same JSON gives the same file.
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})


def plot_bars(plt, report, path):
    """How far each ratio is on the right side of its bar: 1 is the bar itself."""
    rows = []
    for bar in report["bars"]:
        limit = float(bar["bar"].split()[1])
        if not bar["measured"] or not limit or " / " not in bar["name"]:
            continue
        margin = bar["measured"] / limit if bar["bar"].startswith(">") else limit / bar["measured"]
        rows.append(("%s  (%s: %.3g)" % (bar["name"].replace("_", " "), bar["bar"],
                                         bar["measured"]), margin, bar["met"]))
    figure, axes = plt.subplots(figsize=(7, 0.28 * len(rows) + 0.8))
    axes.barh([name for name, _, _ in rows], [margin for _, margin, _ in rows],
              color=["#4878a8" if met else "#c05040" for _, _, met in rows])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("margin: right of 1 the bar is met")
    axes.invert_yaxis()
    _save(figure, path)


def plot_latency(plt, report, path):
    entries = [entry for entry in report["scenarios"]
               if any(_QUANTILES[0] in of["summary"] for of in entry["contenders"].values())]
    figure, grid = plt.subplots(len(entries), 1, figsize=(7, 1.3 * len(entries)), squeeze=False)
    for entry, axes in zip(entries, grid[:, 0]):
        for contender, of in entry["contenders"].items():
            summary = of["summary"]
            values = [summary[name]["median"] for name in _QUANTILES if name in summary]
            axes.plot(values, [contender] * len(values), color="#888888", linewidth=1, zorder=1)
            for value, color, quantile in zip(values, ("#4878a8", "#e0a030", "#c05040"),
                                              ("p50", "p99", "p99.9")):
                axes.scatter([value], [contender], color=color, s=18, zorder=2,
                             label=quantile if contender == "pooled" else None)
        axes.set_xscale("log")
        axes.set_title(entry["name"], loc="left", fontsize=9)
        axes.invert_yaxis()
        axes.tick_params(labelsize=8)
    grid[0, 0].legend(loc="upper right", fontsize=8, ncol=3)
    grid[-1, 0].set_xlabel("microseconds")
    figure.subplots_adjust(hspace=1.1)
    _save(figure, path)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: report.py JSON DIRECTORY")
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "predial", "svg.fonttype": "none"})
    from matplotlib import pyplot

    with open(sys.argv[1], encoding="utf-8") as f:
        report = json.load(f)
    out = sys.argv[2]
    with open(os.path.join(out, "benchmarks.md"), "w", encoding="utf-8") as f:
        f.write(markdown(report))
    plot_bars(pyplot, report, os.path.join(out, "benchmarks-bars.svg"))
    plot_latency(pyplot, report, os.path.join(out, "benchmarks-latency.svg"))


if __name__ == "__main__":
    main()
