"""The teacher that comes with the tool: its name, its place, and what `predict` and `label` mean by fewer words.

It was trained on renders alone, so it reads photographs at once, if not well; `adapt` can start from it. How it is
made: `tools/pack_teacher.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

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
        if not set(str(input)) & set("*?[:") and not Path(input).expanduser().exists():
            raise UserError("no such file or folder", input, "check the spelling of the path")
        say(f"read with {NAME}, the teacher that comes with the tool: it has seen rendered streets only")
    elif isinstance(model, str | Path) and Path(model).exists() and not _is_model(model):
        several = f"of several pictures put the pattern in quotes, simteacher {command} '{Path(model).parent}/*.jpg'"
        if Path(model).is_dir():
            several = f"with the teacher that comes with the tool: simteacher {command} {NAME} {model} OUT"
        fix = f"with the teacher that comes with the tool: simteacher {command} {NAME} {model} {input}"
        raise UserError(
            "is no model; the first of several words is the MODEL", model, several if out is not None else fix
        )
    if isinstance(input, str | Path) and str(input):
        input = _plain(str(input))
    if out is None:
        out = _free(Path("runs", command, _called(str(input))), str(input))
        say(f"writes to {out}")
    return model, input, Path(out).expanduser()


def _plain(input: str) -> str:
    """``photos`` where ``photos/`` or ``./photos`` is written, also behind ``FORMAT:``; ``..`` may follow a link."""
    form, colon, rest = input.rpartition(":")
    rest = rest.rstrip("/") or rest[:1]
    while rest.startswith("./") and len(rest) > 2:
        rest = rest[2:].lstrip("/")
    return f"{form}{colon}{rest}"


def whereabouts(input: str, noted: object = None) -> str:
    """An input as what it is from any folder: photographs called ``photos`` may be others there.

    Args:
        input: A path, a pattern, or ``FORMAT:PATH``.
        noted: What was written before. It stays where nothing is left and the last part is the same: what moved.
    """
    form, colon, rest = input.partition(":")
    if not colon or len(form) < 2 or not form.isalnum() or os.path.exists(os.path.expanduser(input)):
        form, colon, rest = "", "", input  # a drive's letter, a time, or any other name with a colon
    here = f"{form}{colon}{os.path.realpath(os.path.expanduser(rest))}"
    if not isinstance(noted, str) or os.path.basename(noted) != os.path.basename(here):
        return here
    place = noted.removeprefix(form + colon)
    place = os.path.dirname(place) if set("*?[") & set(os.path.basename(place)) else place
    return noted if noted.startswith(form + colon) and not os.path.exists(place) else here


def _is_model(word: str | Path) -> bool:
    path = Path(word).expanduser()
    if path == Path(NAME):
        return True
    if path.is_dir():
        return any((path / name).exists() for name in (WEIGHTS, "config.yaml"))  # a run that is not finished, too
    return path.suffix.lower() in (".safetensors", ".onnx")


def origin_of(folder: Path) -> dict[str, Any]:
    """What a folder's ``dataset.yaml`` says that it comes from; empty where there is none, or none that can be read.

    Raises:
        OSError: It is there and may not be read.
    """
    try:
        origin = (yaml.safe_load((folder / "dataset.yaml").read_text(encoding="utf-8")) or {}).get("origin")
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError, yaml.YAMLError):
        return {}
    return origin if isinstance(origin, dict) else {}


def _free(folder: Path, input: str) -> Path:
    """The folder, or with a number behind its name where it holds what was read from something else."""
    free, number = folder, 1
    while (free / "dataset.yaml").is_file():
        try:
            origin = origin_of(free)
        except OSError:
            return free  # whoever writes there says what is wrong
        noted = origin.get("input")
        if not origin or noted == whereabouts(input, noted) or origin.get("data") == input:
            break
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _called(input: str) -> str:
    """A folder's name for what is read: ``photo`` of photo.jpg, ``photos`` of photos/*.jpg, ``camvid`` of camvid:…."""
    form, colon, rest = input.partition(":")
    path = Path(rest if colon and len(form) > 1 else input).expanduser()
    while set(path.name) & set("*?["):
        path = path.parent
    return path.stem if path.suffix and not path.is_dir() else path.resolve().name or "photographs"
