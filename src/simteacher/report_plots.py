"""Small charts as inline SVG, coloured by the page's own CSS variables so that they follow its light and dark scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: points in data units, a name for the legend, and whether it is the main one (drawn strong)."""

    name: str
    points: Sequence[tuple[float, float]]
    main: bool = False


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


def line_chart(series: Sequence[Series], title: str, x_label: str = "step", zero: bool = True) -> str:
    """Curves over a common axis; non-finite points are left out.

    Args:
        series: The curves; colours follow their order, the main one is drawn strong.
        title: Spoken by screen readers.
        x_label: Below the horizontal axis.
        zero: Whether the vertical axis starts at 0.
    """
    curves = [Series(s.name, [p for p in s.points if math.isfinite(p[1])], s.main) for s in series]
    curves = [s for s in curves if s.points]
    if not curves:
        return ""
    xs = [x for s in curves for x, _ in s.points]
    ys = [y for s in curves for _, y in s.points]
    y_ticks = nice_ticks(min(0.0, *ys) if zero else min(ys), max(ys))
    x_ticks = [t for t in nice_ticks(min(xs), max(xs)) if t <= max(xs)]
    x_low, x_high = min(xs[0], min(xs), *x_ticks), max(max(xs), min(xs) + 1e-9)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / ((x_high - x_low) or 1.0)
        up = (y - y_low) / ((y_high - y_low) or 1.0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in y_ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in x_ticks:
        x, _ = place(tick, y_low)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{_number(tick)}</text>')
    parts.append(
        f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">{escape(x_label)}</text>'
    )
    for index, curve in enumerate(curves):
        spots = [place(x, y) for x, y in curve.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        kind = f"line s{index % 6}" + (" main" if curve.main else "")
        parts.append(f'<polyline class="{kind}" points="{path}"><title>{escape(curve.name)}</title></polyline>')
        if len(spots) <= 12:
            parts += [f'<circle class="dot s{index % 6}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in spots]
    return "".join(parts) + "</svg>"


def dumbbell(before: float | None, after: float | None, high: float = 1.0) -> str:
    """One row of a before/after chart: two dots on a track from 0 to ``high``, joined by a line; None draws no dot."""
    width, middle, edge = 300, 9, 6

    def at(value: float) -> float:
        return edge + min(value / high, 1.0) * (width - 2 * edge)

    parts = [f'<svg class="dumbbell" viewBox="0 0 {width} 18" preserveAspectRatio="none" aria-hidden="true">']
    parts.append(f'<line class="track" x1="{edge}" x2="{width - edge}" y1="{middle}" y2="{middle}"/>')
    if before is not None and after is not None:
        kind = "gain" if after >= before else "loss"
        parts.append(
            f'<line class="{kind}" x1="{at(before):.1f}" x2="{at(after):.1f}" y1="{middle}" y2="{middle}"/>'
        )
    if before is not None:
        parts.append(f'<circle class="before" cx="{at(before):.1f}" cy="{middle}" r="4.5"/>')
    if after is not None:
        parts.append(f'<circle class="after" cx="{at(after):.1f}" cy="{middle}" r="4.5"/>')
    return "".join(parts) + "</svg>"


def stacked(shares: Sequence[tuple[str, float, str]], title: str) -> str:
    """One horizontal bar cut into parts ``(name, share, css colour)``; shares are scaled to fill it."""
    total = sum(share for _, share, _ in shares) or 1.0
    parts = [f'<svg class="stacked" viewBox="0 0 1000 30" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">']
    x = 0.0
    for name, share, colour in shares:
        width = 1000 * share / total
        text = f"{escape(name)} {100 * share / total:.1f} %"
        parts.append(
            f'<rect x="{x:.2f}" width="{width:.2f}" height="30" fill="{escape(colour)}"><title>{text}</title></rect>'
        )
        x += width
    return "".join(parts) + "</svg>"
