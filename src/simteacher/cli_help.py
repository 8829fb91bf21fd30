"""Words of the command line: the overview that ``simteacher`` alone prints, and its few colours."""

from __future__ import annotations

import os
import re
from typing import TextIO

EPILOGUE = "Everywhere: --quiet silences progress, --debug shows the traceback of an error."

OVERVIEW = """\
**simteacher**: train on simulation, learn on photographs.

Begin with
  **simteacher demo**                all of it in a few minutes, with a report
  **simteacher predict** photo.jpg   read a photograph with the tool's own model
  **simteacher check** DATA          what the tool sees in your folder

From streets to a model; each step leaves a folder, to look at or to replace by
files of your own
  **render** OUT                     draw labelled streets
  **translate** SOURCE TARGET OUT    make them look like photographs (optional)
  **adapt** RECIPE                   train on them, then learn your photographs
  **evaluate** MODEL DATA            measure on labelled photographs
  **report** RUN                     the story of a run as one HTML file
  **predict** MODEL INPUT OUT        read an image, a folder or a video
  **export** MODEL OUT.onnx          take it elsewhere

A few labels of your own
  **select** MODEL DATA --budget N   which photographs to label next
  **label** MODEL DATA OUT           pseudo-labels with confidence
  **handover** DATA OUT --format F   to a labelling tool, and back

Also
  **experiment** KIND RECIPE         compare methods, labels, models or sizes
  **clean** RUN                      free the disk of a finished run

Details: **simteacher** COMMAND **--help**. Each is a Python function, too:
simteacher.adapt(...)"""


EXAMPLES = {
    "adapt": ("adapt quick --source runs/sim --target my/photos --out runs/mine",),
    "check": ("check my/photos", "check gta5:data/gta5 --target my/photos"),
    "clean": ("clean runs/mine",),
    "demo": ("demo", "demo --data my/photos"),
    "evaluate": ("evaluate runs/mine camvid:data/camvid --split val --json",),
    "experiment": ("experiment methods quick --source runs/sim --target my/photos",),
    "export": ("export runs/mine model.onnx --int8 --data my/measured",),
    "handover": (
        "handover runs/labels runs/to-correct --format cvat",
        "handover runs/to-correct runs/corrected --format cvat --back",
    ),
    "label": ("label runs/mine my/photos runs/labels",),
    "predict": (
        "predict photo.jpg",
        "predict runs/mine my/photos runs/read",
        "predict runs/mine drive.mp4 read.mp4",
    ),
    "render": (
        "render runs/sim --frames 2000",
        "render runs/clips --sequence --video",
        "render runs/sim --like my/photos",
    ),
    "report": ("report runs/mine",),
    "select": ("select runs/mine my/photos --budget 20",),
    "translate": ("translate runs/sim my/photos runs/translated --method fda",),
}
"""Command -> how people mostly call it."""


def epilogue(command: str) -> str:
    """What stands below the help of a command."""
    lines = "\n".join(f"  simteacher {example}" for example in EXAMPLES[command])
    return f"For example\n{lines}\n\n{EPILOGUE}"


def style(text: str, stream: TextIO) -> str:
    """Bold ``**words**`` and colour ``error:``, ``bug:`` and ``fix:`` on a terminal; plain text elsewhere."""
    if stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb":
        text = re.sub(r"\*\*(.+?)\*\*", "\033[1m\\1\033[0m", text)
        text = re.sub(r"^(error|bug):", "\033[1;31m\\1:\033[0m", text)
        return re.sub(r"^  fix:", "  \033[1;32mfix:\033[0m", text, flags=re.MULTILINE)
    return text.replace("**", "")
