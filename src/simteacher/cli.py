"""The command line: argv in, exit code out. Used by ``simteacher`` and ``python -m simteacher``."""

from __future__ import annotations

import sys


def run() -> None:
    """Entry point of the ``simteacher`` command."""
    sys.exit(0)
