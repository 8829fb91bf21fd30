"""Small charts as inline SVG, coloured by the page's CSS variables so that they follow its light and dark scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34
VALUE_ROOM = 16  # above the highest dot, for the number that stands over it
REMARK_ROOM = 6  # below, for a second line under a name


@dataclass(frozen=True, slots=True)
class Series:
    """One curve.

    Attributes:
        name: For the legend.
        points: (x, y) in data units.
        kind: "main" is drawn strong, "raw" faint.
        colour: 0 to 5, of the page's series colours.
    """

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = ""
    colour: int = 0


def smooth(points: Sequence[tuple[float, float]], share: float = 0.08) -> list[tuple[float, float]]:
    """A straight line through the points around each, ``share`` of all: their mean, but for the tilt at both ends."""
    reach = round(len(points) * share / 2)
    out = []
    for i, (x, _) in enumerate(points):
        near = points[max(0, i - reach) : i + reach + 1]
        middle = sum(u for u, _ in near) / len(near)
        spread = sum((u - middle) ** 2 for u, _ in near)
        slope = sum((u - middle) * y for u, y in near) / spread if spread else 0.0
        out.append((x, sum(y for _, y in near) / len(near) + slope * (x - middle)))
    return out


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high]."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low, low + 1.0]
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.floor(low / step)
    last = math.ceil(high / step)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"


def line_chart(series: Sequence[Series], title: str, x_label: str = "step", *, x_names: Sequence[str] = ()) -> str:
    """Curves over a common axis; non-finite points are left out.

    Args:
        series: The curves, the last on top.
        title: Spoken by screen readers.
        x_label: Below the horizontal axis.
        x_names: Names of the positions 0, 1, … in place of numbers. What stands in brackets behind one goes below it.
    """
    curves = [replace(s, points=[p for p in s.points if math.isfinite(p[1])]) for s in series]
    curves = [s for s in curves if s.points]
    if not curves:
        return ""
    xs = [x for s in curves for x, _ in s.points]
    ys = [y for s in curves for _, y in s.points]
    y_ticks = nice_ticks(min(0.0, *ys), max(ys))
    x_ticks = [float(n) for n in range(len(x_names))] or [
        t for t in nice_ticks(min(0.0, *xs), max(xs)) if t <= max(xs) and t.is_integer()
    ]
    x_low, x_high = min(x_ticks), max(*xs, *x_ticks)
    if x_names:  # room for the names at both ends
        x_low, x_high = x_low - 0.3, x_high + 0.3
    y_low, y_high = y_ticks[0], y_ticks[-1]
    top = TOP + (VALUE_ROOM if x_names else 0)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1.0)
        up = (y - y_low) / ((y_high - y_low) or 1.0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - top - BOTTOM)

    height = HEIGHT + (REMARK_ROOM if any(" (" in name for name in x_names) else 0)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">']
    for tick in y_ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in x_ticks:
        x, _ = place(tick, y_low)
        name, _, remark = x_names[int(tick)].partition(" (") if x_names else (_number(tick), "", "")
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{escape(name)}</text>')
        if remark:
            parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">({escape(remark)}</text>')
    parts.append(f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">{escape(x_label)}</text>')
    for curve in curves:
        spots = [place(x, y) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        kind = f"line s{curve.colour} {curve.kind}"
        parts.append(f'<polyline class="{kind}" points="{path}"><title>{escape(curve.name)}</title></polyline>')
        if x_names or len(spots) == 1:  # a line through one point is invisible
            dot = f"dot s{curve.colour} {curve.kind}".strip()
            parts += [f'<circle class="{dot}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in spots]
        if x_names:  # few points: each with its value
            parts += [f'<text class="value" x="{x:.1f}" y="{y - 10:.1f}" text-anchor="middle">{value:.1f}</text>'
                      for (x, y), (_, value) in zip(spots, curve.points, strict=True)]  # fmt: skip
    return "".join(parts) + "</svg>"


def dumbbell(before: float | None, after: float | None) -> str:
    """One row of a before/after chart: two dots on a track from 0 to 1, joined by a line; None draws no dot."""
    parts = ['<svg class="dumbbell" aria-hidden="true"><line class="track" x1="0" x2="100%" y1="9" y2="9"/>']
    if before is not None and after is not None:
        kind = "gain" if after >= before else "loss"
        parts.append(f'<line class="{kind}" x1="{100 * before:.2f}%" x2="{100 * after:.2f}%" y1="9" y2="9"/>')
    for name, value in (("before", before), ("after", after)):
        if value is not None:
            parts.append(f'<circle class="{name}" cx="{100 * value:.2f}%" cy="9" r="5"/>')
    return "".join(parts) + "</svg>"


def stacked(shares: Sequence[tuple[str, float, str]], title: str) -> str:
    """One horizontal bar cut into parts ``(name, share, css colour)``; shares are scaled to fill it."""
    total = sum(share for _, share, _ in shares) or 1.0
    box = 'viewBox="0 0 1000 30" preserveAspectRatio="none"'
    parts = [f'<svg class="stacked" {box} role="img" aria-label="{escape(title)}">']
    x = 0.0
    for name, share, colour in shares:
        width = 1000 * share / total
        text = f"{escape(name)} {100 * share / total:.1f} %"
        parts.append(
            f'<rect x="{x:.2f}" width="{width:.2f}" height="30" fill="{escape(colour)}"><title>{text}</title></rect>'
        )
        x += width
    return "".join(parts) + "</svg>"
