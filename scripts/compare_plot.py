"""The plot of scripts/compare --shards, as SVG: a panel for each load, the cost of a request over the number of shards.

    us |        .--o  memcached          solid   all CPU time of the server
       |  o---o'                         dashed  of it user time
       |      .--o  corecached           bar     lowest to highest turn
       +--1--2--4--8-- shards, each step a doubling
"""

import html as escape
import math
from dataclasses import dataclass

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 400, 270, 2
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 40
LEGEND_HEIGHT = 34
COLOURS = ["#2f6fdb", "#d0574e", "#16803c", "#8a5cc2", "#b7791f"]
TICKS = 5


@dataclass
class Line:
    server: str
    kind: str  # "all" or "user"
    points: list  # (shards, lowest, median, highest)


@dataclass
class Panel:
    title: str
    lines: list


def svg(panels):
    """The whole picture; without panels only a sentence that says so."""
    rows = max(1, math.ceil(len(panels) / COLUMNS))
    width, height = PANEL_WIDTH * COLUMNS, PANEL_HEIGHT * rows + LEGEND_HEIGHT
    servers = list(dict.fromkeys(line.server for panel in panels for line in panel.lines))
    colour = {server: COLOURS[index % len(COLOURS)] for index, server in enumerate(servers)}
    drawn = "".join(f'<g transform="translate({PANEL_WIDTH * (index % COLUMNS)},'
                    f'{LEGEND_HEIGHT + PANEL_HEIGHT * (index // COLUMNS)})">{panel_of(panel, colour)}</g>'
                    for index, panel in enumerate(panels))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="system-ui, sans-serif" font-size="12" role="img">'
            '<title>Server CPU per request over the number of shards</title>'
            f'<rect width="{width}" height="{height}" fill="#fff"/>'
            f'{legend(colour) if panels else text(12, 22, "two numbers of shards are needed for a plot")}{drawn}</svg>\n')


def legend(colour):
    parts, x = [], 12
    for server, shade in colour.items():
        parts.append(f'<line x1="{x}" x2="{x + 22}" y1="18" y2="18" stroke="{shade}" stroke-width="2.5"/>'
                     + text(x + 28, 22, server))
        x += 50 + 8 * len(server)
    parts.append(text(x + 10, 22, "solid: all CPU time; dashed: user time; bars: lowest to highest turn", "#5b6675"))
    return "".join(parts)


def panel_of(panel, colour):
    numbers = sorted({point[0] for line in panel.lines for point in line.points})
    step, top = scale(max(point[3] for line in panel.lines for point in line.points))
    x = axis(numbers)
    y = lambda cost: TOP + (PANEL_HEIGHT - TOP - BOTTOM) * (1 - cost / top)
    grid = "".join(f'<line x1="{LEFT}" x2="{PANEL_WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e3e7ec"/>'
                   + text(LEFT - 6, y(tick) + 4, f"{tick:g}", "#5b6675", "end")
                   for tick in (round(step * index, 6) for index in range(round(top / step) + 1)))
    labels = "".join(text(x(number), PANEL_HEIGHT - BOTTOM + 18, str(number), "#5b6675", "middle") for number in numbers)
    lines = "".join(line_of(line, colour[line.server], x, y) for line in panel.lines)
    return (text(LEFT, 20, panel.title, weight="600") + grid + labels + lines
            + text(PANEL_WIDTH - RIGHT, PANEL_HEIGHT - 6, "shards; us a request", "#5b6675", "end"))


def axis(numbers):
    """Places of the numbers of shards: by their logarithm."""
    first, last = math.log2(numbers[0]), math.log2(numbers[-1])
    room = PANEL_WIDTH - LEFT - RIGHT - 24
    return lambda number: LEFT + 12 + room * (math.log2(number) - first) / ((last - first) or 1)


def scale(highest):
    """A round step, and the end of the axis: the first step that is not below the highest cost."""
    wanted = max(highest, 1e-6) / TICKS
    power = 10 ** math.floor(math.log10(wanted))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= wanted)
    return step, step * math.ceil(highest / step)


def line_of(line, shade, x, y):
    path = " ".join(f"{x(shards):.1f},{y(middle):.1f}" for shards, _, middle, _ in line.points)
    dashes = ' stroke-dasharray="5 4"' if line.kind == "user" else ""
    marks = "".join(
        f'<line x1="{x(shards):.1f}" x2="{x(shards):.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}" stroke="{shade}" '
        f'stroke-opacity=".45" stroke-width="4"/><circle cx="{x(shards):.1f}" cy="{y(middle):.1f}" r="3" fill="{shade}"/>'
        for shards, low, middle, high in line.points)
    return f'<polyline points="{path}" fill="none" stroke="{shade}" stroke-width="2"{dashes}/>{marks}'


def text(x, y, words, fill="#1b2430", anchor="start", weight="400"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{escape.escape(words)}</text>")
