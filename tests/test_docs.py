"""What the documentation tells people to type is understood by the command line, and what it links to is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from simteacher import cli
from simteacher.recipes import folder
from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(text: str) -> list[str]:
    """Lines of shell blocks that call simteacher, continued lines joined, comments and output redirections cut off."""
    found = []
    for block in re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"\s+#.*| [>|].*", "", line.strip().removeprefix("$ ")).removeprefix(".venv/bin/")
            line = re.sub(r"^.* -m simteacher ", "simteacher ", line)  # behind a launcher
            if line.startswith("simteacher "):
                found.append(line)
    return found


SHOWN = [(page.name, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))]
SHOWN += [
    (path.name, line.removeprefix("# ").split("    (")[0])
    for path in sorted(folder().glob("*.yaml"))
    for line in path.read_text(encoding="utf-8").splitlines()[:1]
]


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda v: v if v.startswith("simteacher") else "")
def test_commands_are_understood(page: str, line: str) -> None:
    tokens, _ = cli._split(shlex.split(line)[1:])
    command, *_ = cli.app.parse_args(tokens, exit_on_error=False, print_error=False)
    assert command.__name__ == tokens[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_something_is_shown() -> None:
    assert len([line for page, line in SHOWN if page == "README.md"]) >= 5
