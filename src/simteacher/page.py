"""Fills the package's page templates: one self-contained HTML file each, with style and script inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader


def percent(value: float | None, digits: int = 1) -> str:
    """0.2853 -> ``28.5``; an en dash for None."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def points(value: float) -> str:
    """A difference in points with its sign: ``+6.6`` or ``−1.2``."""
    text = f"{100 * value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def page(template: str, **context: Any) -> str:
    """Fill a template of ``pages/``; text is escaped, `markupsafe.Markup` is not."""
    loader = FileSystemLoader(Path(__file__).parent / "pages")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "points": points}
    return environment.get_template(template).render(**context)
