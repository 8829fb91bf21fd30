"""``python -m simteacher`` is the command ``simteacher``."""

from __future__ import annotations

from simteacher.cli import run

if __name__ == "__main__":
    run()
