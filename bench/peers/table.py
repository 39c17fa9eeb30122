# SPDX-License-Identifier: Apache-2.0
"""The table and the picture of the repeats' results."""

import statistics
from html import escape

UNITS = {"tokens_per_second": "tok/s", "records_per_second": "records/s"}


def spread(values: list[float]) -> float:
    """Half the range over the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def summarise(results: dict[str, list[dict]], plan: dict) -> list[dict]:
    """A row for each peer that ran: the median over repeats, the spread, and graft's rate over its rate."""
    rows = []
    for name, runs in results.items():
        if not runs:
            continue
        peer = plan[name]
        rates = [run[peer["unit"]] for run in runs]
        rows.append({"name": name, "group": peer["group"], "text": peer["text"], "unit": peer["unit"],
                     "rate": statistics.median(rates), "spread": spread(rates), "repeats": len(runs),
                     "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs), "versions": runs[0]["versions"]})
    for row in rows:
        ours = next((other for other in rows if other["name"] == plan[row["name"]]["against"]), None)
        row["graft_over_it"] = ours["rate"] / row["rate"] if ours else None
        row["its_rss_over_graft"] = row["peak_rss_bytes"] / ours["peak_rss_bytes"] if ours else None
    return rows


def markdown(rows: list[dict]) -> str:
    lines = ["| work | peer | rate | ± | peak RSS | graft's rate / its | its RSS / graft's |", "|---|---|---|---|---|---|---|"]
    ratio = lambda value: "–" if value is None else f"{value:.2f}×"
    for row in rows:
        lines.append(f"| {row['group']} | {row['text']} | {row['rate']:.3g} {UNITS[row['unit']]} | {100 * row['spread']:.0f} % "
                     f"| {row['peak_rss_bytes'] / 1e9:.2f} GB | {ratio(row['graft_over_it'])} | {ratio(row['its_rss_over_graft'])} |")
    return "\n".join(lines)


def svg(rows: list[dict], title: str) -> str:
    """A bar for each peer, as long as its rate against the best of its group; graft's bars are dark."""
    height, left, width = 22, 400, 420
    groups = list(dict.fromkeys(row["group"] for row in rows))
    out, y = [], 40
    for group in groups:
        members = [row for row in rows if row["group"] == group]
        best = max(row["rate"] for row in members)
        out.append(f'<text x="10" y="{y + 14}" font-weight="bold">{escape(group)}</text>')
        y += height
        for row in members:
            length = width * row["rate"] / best
            colour = "#1f5fa8" if row["text"].startswith("graft") else "#b9c4d0"
            label = f"{row['rate']:.3g} {UNITS[row['unit']]} ± {100 * row['spread']:.0f} %, {row['peak_rss_bytes'] / 1e9:.2f} GB"
            out.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(row["text"])}</text>'
                       f'<rect x="{left}" y="{y + 2}" width="{length:.1f}" height="{height - 6}" fill="{colour}"/>'
                       f'<text x="{left + length + 6:.1f}" y="{y + 14}">{escape(label)}</text>')
            y += height
        y += 10
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 270}" height="{y}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/><text x="10" y="22" font-size="14">{escape(title)}</text>')
    return "\n".join([head, *out, "</svg>", ""])
