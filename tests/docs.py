"""The code blocks of README.md, CONTRIBUTING.md and docs/, and the lines that a shell would see in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@dataclass(frozen=True)
class Block:
    """A fenced block: its page below the root, the line where it begins, its language ('' where none is named)."""

    page: str
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, text[: m.start()].count("\n") + 1, m[1], m[2]) for m in found]


def shell_lines(content: str, comments: bool = False) -> list[str]:
    """Lines of a shell block: continued ones joined, empty ones left out, and comments, unless they are asked for."""
    lines = content.replace("\\\n", " ").splitlines()
    lines = lines if comments else [re.sub(r"(^|\s+)#.*", "", line) for line in lines]
    return [re.sub(r"\s+", " ", line.strip()) for line in lines if line.strip()]


BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = ("bash", "sh", "console")
