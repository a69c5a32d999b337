"""The reports of scripts/compare: a Markdown table, and an HTML page with a plot of every turn's ratio."""

import html as escape

ROW_HEIGHT = 44
PLOT_WIDTH = 520
LABEL_WIDTH = 300
RATIO_MAX = 1.25

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1020px; margin: 2em auto; padding: 0 1em; color: #1b2430; }
h1 { font-size: 1.5em; } p.note { color: #5b6675; }
table { border-collapse: collapse; width: 100%; margin: 1.5em 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35em .7em; border-bottom: 1px solid #e3e7ec; }
th:first-child, td:first-child { text-align: left; } .missed { color: #b3261e; font-weight: 600; }
svg text { font: 13px system-ui, sans-serif; fill: #1b2430; paint-order: stroke; stroke: #fff; stroke-width: 3px; } svg .axis { fill: #5b6675; }
"""


def markdown(rows, conditions):
    lines = [
        conditions,
        "",
        "| case | server | figure | its own | memcached | ratio (lowest to highest turn) | goal | requests/s | p99, us |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cells(row):
    case = row["case"]
    goal = f"{case.goal:g}{' %' if case.absolute else ''}" + ("" if row["reached"] else " (missed)")
    rate = f"{row['rate'][0]:,.0f} / {row['rate'][1]:,.0f}" if row["rate"][0] else "-"
    p99 = f"{row['p99'][0]:.0f} / {row['p99'][1]:.0f}" if row["rate"][0] else "-"
    ratio = f"{row['ratio']:.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
    return [case.title, row["name"], case.unit, f"{row['ours']:.3f}", f"{row['theirs']:.3f}", ratio, goal, rate, p99]


def html(rows, conditions, command):
    """One self-contained page."""
    head = ["case", "server", "figure", "its own", "memcached", "ratio", "goal", "requests/s", "p99, us"]
    header = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(table_row(row) for row in rows)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Beside memcached</title><style>{STYLE}</style>
<h1>Beside memcached</h1><p class="note">{escape.escape(conditions)}<br><code>{escape.escape(command)}</code></p>
<p>Ratio of each turn to memcached's in the same turn; less is better. The bar ends at the median, the tick is the goal.</p>
{plot(rows)}<table><tr>{header}</tr>{body}</table></html>
"""


def table_row(row):
    kind = "" if row["reached"] else ' class="missed"'
    return f"<tr{kind}>" + "".join(f"<td>{escape.escape(cell)}</td>" for cell in cells(row)) + "</tr>"


def plot(rows):
    height = ROW_HEIGHT * len(rows) + 40
    axis = "".join(axis_line(tick / 4, height) for tick in range(6))
    bars = "".join(bar(row, index) for index, row in enumerate(rows))
    return f'<svg width="{LABEL_WIDTH + PLOT_WIDTH + 60}" height="{height}" role="img">{axis}{bars}</svg>'


def x(ratio):
    return LABEL_WIDTH + PLOT_WIDTH * min(ratio, RATIO_MAX) / RATIO_MAX


def axis_line(ratio, height):
    colour = "#8a94a3" if ratio == 1 else "#e3e7ec"
    return (f'<line x1="{x(ratio):.1f}" x2="{x(ratio):.1f}" y1="8" y2="{height - 28}" stroke="{colour}"/>'
            f'<text class="axis" x="{x(ratio):.1f}" y="{height - 10}" text-anchor="middle">{ratio:g}</text>')


def bar(row, index):
    top = 14 + ROW_HEIGHT * index
    middle = top + 12
    fill = "#2f6fdb" if row["reached"] else "#d0574e"
    dots = "".join(f'<circle cx="{x(ratio):.1f}" cy="{middle}" r="3.5" fill="#0d2f66" fill-opacity=".65"/>'
                   for ratio in row["ratios"])
    goal = "" if row["case"].absolute else (
        f'<line x1="{x(row["case"].goal):.1f}" x2="{x(row["case"].goal):.1f}" y1="{top - 4}" y2="{top + 28}" '
        'stroke="#16803c" stroke-width="3"/>')
    label = escape.escape(row["case"].title if row["name"] == "corecached" else f"{row['case'].title} ({row['name']})")
    return (f'<text x="0" y="{middle + 5}">{label}</text><rect x="{LABEL_WIDTH}" y="{top}" height="24" rx="3" '
            f'width="{x(row["ratio"]) - LABEL_WIDTH:.1f}" fill="{fill}" fill-opacity=".8"/>{goal}{dots}'
            f'<text x="{x(max(row["ratios"])) + 10:.1f}" y="{middle + 5}">{row["ratio"]:.2f}</text>')
