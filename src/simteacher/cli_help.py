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


def style(text: str, stream: TextIO) -> str:
    """Bold ``**words**`` and colour ``error:``, ``bug:`` and ``fix:`` on a terminal; plain text elsewhere."""
    if stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb":
        text = re.sub(r"\*\*(.+?)\*\*", "\033[1m\\1\033[0m", text)
        text = re.sub(r"^(error|bug):", "\033[1;31m\\1:\033[0m", text)
        return re.sub(r"^  fix:", "  \033[1;32mfix:\033[0m", text, flags=re.MULTILINE)
    return text.replace("**", "")
