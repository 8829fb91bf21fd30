"""The teacher that comes with the tool: its name, its place, and what `predict` and `label` mean by fewer words.

It was trained on renders alone, so it reads photographs at once, if not well; `adapt` can start from it. How it is
made: `tools/pack_teacher.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simteacher.errors import UserError
from simteacher.progress import say

NAME = "street"
FOLDER = Path(__file__).parent / "street"
WEIGHTS = "model.safetensors"


def place(path: Path) -> Path:
    """Where the model lies that a MODEL argument names: `FOLDER` for `NAME`, unless a model of one's own is called so.

    Raises:
        UserError: The teacher is named, and this installation lacks it.
    """
    if path != Path(NAME) or path.is_file() or (path / WEIGHTS).is_file():
        return path
    if not (FOLDER / WEIGHTS).is_file():
        fix = "install simteacher again, or name a model of your own: a run folder, a model.safetensors or a .onnx file"
        raise UserError("the teacher that comes with the tool is missing here", FOLDER, fix)
    return FOLDER


def arguments(command: str, model: Any, input: Any, out: str | Path | None) -> tuple[Any, Any, Path]:
    """Fill in what was left out of MODEL INPUT OUT: one word is the INPUT, two are MODEL and INPUT.

    Args:
        command: Its name; without OUT it writes to ``runs/COMMAND/NAME-OF-INPUT``.
        model: The first word, or a loaded model.
        input: The second.
        out: The third.

    Returns:
        Model, input and folder to write.

    Raises:
        UserError: The one word is a model, or the first of two is none.
    """
    usage = f"simteacher {command} MODEL INPUT OUT"
    if input is None:
        if not isinstance(model, str | Path) or _is_model(model):
            raise UserError("this is a model, and nothing is named for it to read", model, usage)
        model, input = NAME, model
        say(f"read with {NAME}, the teacher that comes with the tool: it has seen rendered streets only")
    elif out is None and isinstance(model, str | Path) and Path(model).exists() and not _is_model(model):
        fix = f"to read it with the teacher that comes with the tool: simteacher {command} {NAME} {model} {input}"
        raise UserError("is no model; of two words the first is the MODEL", model, fix)
    if out is None:
        out = Path("runs", command, _called(str(input)))
        say(f"writes to {out}")
    return model, input, Path(out)


def _is_model(word: str | Path) -> bool:
    path = Path(word)
    if path.is_dir():
        return any((path / name).exists() for name in (WEIGHTS, "config.yaml"))  # a run that is not finished, too
    return path == Path(NAME) or path.suffix.lower() in (".safetensors", ".onnx")


def _called(input: str) -> str:
    """A folder's name for what is read: ``photo`` of photo.jpg, ``photos`` of photos/*.jpg, ``camvid`` of camvid:…."""
    form, colon, rest = input.partition(":")
    path = Path(rest if colon and len(form) > 1 else input).expanduser()
    while set(path.name) & set("*?["):
        path = path.parent
    return path.stem if path.suffix and not path.is_dir() else path.resolve().name or "photographs"
