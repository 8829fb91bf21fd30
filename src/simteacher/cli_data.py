"""Commands about data: render, check, translate, label, select, handover. Each is the Python function of its name.

The heavy import is inside each command, so that ``--help`` is quick.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from simteacher.errors import UserError

DATA_HELP = "A data set: FORMAT:PATH, or PATH alone, then its layout is recognised."
MODEL_HELP = "A run folder, a stage of one (RUN/teacher), a model.safetensors or a .onnx file."
SPLIT_HELP = "train, val, test or what the set calls its parts."
CLASSES_HELP = "Label space: cityscapes19, cityscapes16, cityscapes13, camvid11 or a YAML file."

Data = Annotated[str, Parameter(help=DATA_HELP)]
Model = Annotated[str, Parameter(help=MODEL_HELP)]
Out = Annotated[str, Parameter(help="The folder to write, a data set itself.")]
Split = Annotated[str | None, Parameter(help=SPLIT_HELP)]
Classes = Annotated[str | None, Parameter(help=CLASSES_HELP)]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of a table.")]


def flag(help: str) -> Parameter:
    """A switch without a ``--no-`` form."""
    return Parameter(negative="", help=help)


def size_of(text: str) -> tuple[int, int]:
    """``"480x360"`` -> (480, 360), width and height in pixels."""
    match = re.fullmatch(r"(\d+)\s*[xX×,]\s*(\d+)", text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise UserError(f"'{text}' is not a size", "--size", "give width x height in pixels, for example 480x360")
    return int(match[1]), int(match[2])


def register(app: App) -> None:
    """Add these commands to the command line."""
