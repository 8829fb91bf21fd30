"""Results as tables on stdout, for people. ``--json`` prints the same dictionaries as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BAR = 24


def print_json(result: Mapping[str, Any]) -> None:
    """One object on stdout; nothing else goes there. It is ASCII, which every encoding of a terminal can hold."""
    print(json.dumps(result, indent=1))


def percent(value: float | None) -> str:
    """0.4231 -> ``42.3``; None, a class that is nowhere, -> ``-``."""
    return "-" if value is None else f"{100 * value:.1f}"


def _bar(value: float | None) -> str:
    return "█" * round(BAR * (value or 0))


def print_scores(result: Mapping[str, Any]) -> None:
    """The result of `evaluate`: mean IoU, pixel accuracy and IoU by class, in percent."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for name, value in result["iou"].items():
        table.add_row(Text(name), percent(value), _bar(value))  # brackets in a name are no markup
    console = Console(highlight=False)
    console.print(f"mean IoU [bold]{percent(result['miou'])}[/]   pixel accuracy {percent(result['pixel_accuracy'])}")
    console.print(table)
    absent = [name for name, value in result["iou"].items() if value is None]
    tail = f"; left out of the mean, as they are nowhere: {', '.join(absent)}" if absent else ""
    split = f", {result['split']}" if result.get("split") else ""
    if cannot := result.get("unnameable"):
        tail += f"; 0 in the mean, as the labels cannot name them: {', '.join(cannot)}"
    console.print(f"{result['images']} images{split}{tail}", style="dim", markup=False)


def print_comparison(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """IoU by class of several models side by side, the last minus the first at the end.

    The gain of the mean is over the classes that both have.

    Args:
        rows: Name of a model -> its result of `evaluate`.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from simteacher.metrics import gain

    table = Table(box=None, pad_edge=False)
    table.add_column("IoU, %")
    for name in [*rows, "gain"]:
        table.add_column(Text(name), justify="right")
    results = list(rows.values())

    def add(label: str, values: list[float | None], change: float | None, style: str | None = None) -> None:
        table.add_row(
            Text(label), *map(percent, values), "-" if change is None else f"{100 * change:+.1f}", style=style
        )

    def difference(values: list[float | None]) -> float | None:
        first, last = values[0], values[-1]
        return None if first is None or last is None else last - first

    for name in results[0]["iou"]:
        ious = [r["iou"].get(name) for r in results]
        add(name, ious, difference(ious))
    right = [r["pixel_accuracy"] for r in results]
    add("pixel accuracy", right, difference(right), "dim")
    change = gain(results[0]["iou"], results[-1]["iou"])
    add("mean IoU", [r["miou"] for r in results], change.value, "bold")
    console = Console(highlight=False)
    console.print(table)
    if change.left_out:
        tail = f"left out of the gain of the mean, as only one of the two scores them: {', '.join(change.left_out)}"
        console.print(tail, style="dim", markup=False)


def print_check(result: Mapping[str, Any]) -> None:
    """The result of `check`: what was recognised, class shares, and each problem with its fix."""
    from rich.console import Console

    from simteacher.data.check_table import check_table

    Console(highlight=False, soft_wrap=True).print(check_table(result))
