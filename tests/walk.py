"""Doing what a page says, block by block, with a few tiny pictures and training steps in the place of many."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simteacher import cli
from simteacher.progress import set_quiet
from tests import tiny
from tests.conftest import ROOT
from tests.docs import SHELL, blocks, shell_lines

TINY = {
    r"--frames \d+": "--frames 3",
    r"--size \d+x\d+": "--size 96x64",
    r" (quick|laptop)(?= |$)": " tiny.yaml",
    r" teacher(?= )": " alone-on-source.yaml",
    r" supervised(?= )": " alone.yaml",
    r" budget=laptop": "",  # would undo the budget of the tiny recipe
    r"teacher\.weights=street": "teacher.weights=street rounds.start=scratch",  # the tiny recipe has a tiny network
    r"--method cut(?!.*--steps)": "--method cut --steps 2",
    r"--steps \d+": "--steps 2 --crop 32 --height 64 --blocks 1",
    r"--channels \d+": "--channels 8",
    r"--budget paper": "--budget paper --steps 2 --crop 32 --height 64 --channels 8 --blocks 1",
    r"experiment methods (.*)": r"experiment methods \1 --seeds 1 --rows 'source only'",
}
"""What is put in the place of what, in this order, before a line of a page is run."""


class Walk:
    """Does what pages say in an empty folder, which is the current one until the test ends.

    Attributes:
        ran: The commands of ours that ran.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[str] = []
        monkeypatch.chdir(folder)
        alone: dict[str, Any] = {"batchnorm": 0.0, "rounds": {"count": 0}}
        # a batch of four like the recipes', for a page that pastes labelled photographs into source images
        four = tiny.BUDGET.model_copy(update={"batch": 4}).model_dump(mode="json")
        tiny.recipe(folder / "tiny.yaml", "-", "-", budget=four)
        tiny.recipe(folder / "alone.yaml", None, "-", **alone)
        tiny.recipe(folder / "alone-on-source.yaml", "-", "-", **alone)
        monkeypatch.setattr("simteacher.progress._quiet", False)  # restored afterwards
        set_quiet(True)

    def page(self, name: str, skip: str = "$^", before: dict[str, Callable[[], object]] | None = None) -> None:
        """Write the YAML blocks that name their file, run the others.

        Args:
            name: The page, from the root.
            skip: A pattern of shell lines and Python blocks that are not run.
            before: What to do before lines that hold a word.
        """
        for block in blocks(ROOT / name):
            if block.language == "yaml" and (file := re.match(r"# (\S+\.yaml)\n", block.content)):
                Path(file[1]).write_text(block.content, encoding="utf-8")
            elif block.language == "python" and not re.search(skip, block.content):
                exec(compile(block.content, str(block), "exec"), {"__name__": "__main__"})
            elif block.language in SHELL:
                for line in shell_lines(block.content, comments=True):
                    if re.search(skip, line):
                        continue
                    for word, prepare in (before or {}).items():
                        if word in line:
                            prepare()
                    self.line(line)

    def line(self, line: str) -> None:
        """One line of a shell block; the comment behind it says if it fails on purpose."""
        command, _, comment = line.partition("#")
        for wide, narrow in TINY.items():
            command = re.sub(wide, narrow, command)
        words = shlex.split(command.split(" > ")[0])
        if words[0] == "simteacher":
            code = cli.main([*words[1:], "--quiet"])
            assert code == (1 if "exit code 1" in comment else 0), command
            self.ran.append(words[1])
        else:
            subprocess.run(["bash", "-ec", command], check=True)
