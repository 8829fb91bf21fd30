"""The plot of an experiment as one SVG file: a dot for each seed, a bar or a line for the means, the spread shaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from simteacher.experiments.rows import Row
from simteacher.experiments.table import Summary
from simteacher.report_plots import nice_ticks

WIDTH, LEFT, RIGHT, TOP, STEP = 760, 230, 70, 46, 30
COLOURS = ("#2b6cb0", "#b7791f", "#2f855a", "#9b2c2c")
STYLE = (
    "<style>.ground{fill:#fff}text{font:13px system-ui,sans-serif;fill:#222}.dim{fill:#666}.grid{stroke:#ddd}"
    ".title{font-weight:600}@media(prefers-color-scheme:dark){.ground{fill:#16181d}text{fill:#ddd}.dim{fill:#999}"
    ".grid{stroke:#444}}</style>"
    '<rect class="ground" width="100%" height="100%"/>'  # viewers paint white behind it, in a dark scheme too
)


def _frame(width: int, height: int, title: str, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    label = f' role="img" aria-label="{escape(title)}">{STYLE}<text class="title" x="12" y="24">{escape(title)}</text>'
    return head + label + "".join(body) + "</svg>\n"


def bars(summaries: Sequence[Summary], title: str) -> str:
    """One line a row: dots for seeds, a stroke from the lowest to the highest, a bar at the mean; mIoU in per cent."""
    shown = [s for s in summaries if s["values"]]
    if not shown:
        return _frame(WIDTH, 60, title + ": nothing measured", [])
    values = [100 * v for s in shown for v in s["values"]]
    ticks = nice_ticks(min(values), max(values), 5)
    low, high = ticks[0], ticks[-1]
    height = TOP + STEP * len(shown) + 30

    def x(value: float) -> float:
        return LEFT + (100 * value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT)

    body = []
    for tick in ticks:
        at = x(tick / 100)
        body.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 26}"/>')
        body.append(f'<text class="dim" x="{at:.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for i, s in enumerate(shown):
        y = TOP + STEP * i + STEP / 2
        mean = s["miou"] or 0.0
        a, b = x(min(s["values"])), x(max(s["values"]))
        body.append(f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end">{escape(s["row"])}</text>')
        body.append(f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[0]}" stroke-opacity=".4"/>')
        body += [
            f'<circle cx="{x(v):.1f}" cy="{y}" r="4" fill="{COLOURS[0]}" fill-opacity=".45"/>' for v in s["values"]
        ]
        body.append(f'<rect x="{x(mean) - 1.5:.1f}" y="{y - 9}" width="3" height="18" fill="{COLOURS[0]}"/>')
        body.append(f'<text x="{WIDTH - RIGHT + 14}" y="{y + 4:.1f}">{100 * mean:.1f}</text>')
    return _frame(WIDTH, height, title, body)


def curves(summaries: Sequence[Summary], rows: Sequence[Row], title: str, axis: str) -> str:
    """Draw mIoU over the rows' ``x``, one curve a ``line``, shaded between the lowest and the highest seed.

    The positions of the axis are evenly spaced and named, as labelled photographs grow by factors.
    """
    places = sorted({r.x for r in rows if r.x is not None})
    of = {r.name: r for r in rows}
    shown = [s for s in summaries if s["values"] and of[s["row"]].x is not None]
    if not shown:
        return _frame(WIDTH, 60, title + ": nothing measured", [])
    values = [100 * v for s in shown for v in s["values"]]
    ticks = nice_ticks(min(values), max(values), 5)
    low, high, left, bottom = ticks[0], ticks[-1], 60, 330

    def x(place: float) -> float:
        return left + 30 + places.index(place) / max(1, len(places) - 1) * (WIDTH - left - 160)

    def y(value: float) -> float:
        return bottom - (100 * value - low) / ((high - low) or 1.0) * (bottom - TOP)

    body = []
    for tick in ticks:
        at = y(tick / 100)
        body.append(f'<line class="grid" x1="{left}" x2="{WIDTH - 20}" y1="{at:.1f}" y2="{at:.1f}"/>')
        body.append(f'<text class="dim" x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    body += [f'<text class="dim" x="{x(p):.1f}" y="{bottom + 20}" text-anchor="middle">{p:g}</text>' for p in places]
    body.append(f'<text class="dim" x="{WIDTH - 20}" y="{bottom + 40}" text-anchor="end">{escape(axis)}</text>')
    for n, line in enumerate(dict.fromkeys(r.line for r in rows)):
        mine = sorted((s for s in shown if of[s["row"]].line == line), key=lambda s: of[s["row"]].x or 0.0)
        if not mine:
            continue
        colour = COLOURS[n % len(COLOURS)]
        xs = [x(of[s["row"]].x or 0.0) for s in mine]
        top = [f"{a:.1f},{y(max(s['values'])):.1f}" for a, s in zip(xs, mine, strict=True)]
        under = [f"{a:.1f},{y(min(s['values'])):.1f}" for a, s in zip(xs, mine, strict=True)]
        mean = [f"{a:.1f},{y(s['miou'] or 0.0):.1f}" for a, s in zip(xs, mine, strict=True)]
        body.append(f'<polygon points="{" ".join(top + under[::-1])}" fill="{colour}" fill-opacity=".15"/>')
        body.append(f'<polyline points="{" ".join(mean)}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        for a, s in zip(xs, mine, strict=True):
            body += [f'<circle cx="{a:.1f}" cy="{y(v):.1f}" r="3.5" fill="{colour}"/>' for v in s["values"]]
        last = y(mine[-1]["miou"] or 0.0)
        body.append(f'<text x="{xs[-1] + 10:.1f}" y="{last + 4:.1f}" style="fill:{colour}">{escape(line)}</text>')
    return _frame(WIDTH, bottom + 52, title, body)
