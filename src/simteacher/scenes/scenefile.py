"""Reading scene files: YAML to `SceneSpec`, with the line of every mistake."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from simteacher.errors import UserError, nearest
from simteacher.files import disk_errors
from simteacher.scenes.ranges import Pair
from simteacher.scenes.spec import SceneSpec
from simteacher.wording import in_words
from simteacher.yaml_once import load_yaml, reason

ESTIMATED = "# Camera estimated"  # how a file that `like` wrote begins


def load_scene(path: str | Path) -> SceneSpec:
    """Read a scene file.

    Raises:
        UserError: It is missing, not YAML, or says something that cannot be; the message gives the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise UserError(f"cannot be read: {problem.strerror}", path, "give the path of a YAML scene file") from None
    except UnicodeDecodeError:
        raise UserError("is not text", path, "give the path of a YAML scene file") from None
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = load_yaml(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(f"not valid YAML{reason(problem)}", where, "correct that line") from None
    if data is None:
        return SceneSpec()
    if not isinstance(data, dict):
        raise UserError(
            "a scene file is a table of settings", path, f"its keys are {', '.join(SceneSpec.model_fields)}"
        )
    try:
        # "street:" and nothing there
        said = {k: v for k, v in data.items() if v is not None or k not in SceneSpec.model_fields}
        spec = SceneSpec.model_validate(said)
    except ValidationError as problem:
        raise _explain(problem, path, tree) from None
    for index, mesh in enumerate(spec.meshes):
        if not (path.parent / mesh.file).is_file():
            raise UserError(
                f"there is no mesh {mesh.file}",
                f"{path}:{line_of(tree, ('meshes', index, 'file'))}",
                "give a path relative to the scene file",
            )
    if spec.meshes:
        meshes = tuple(m.model_copy(update={"file": (path.parent / m.file).resolve()}) for m in spec.meshes)
        spec = spec.model_copy(update={"meshes": meshes})
    return spec


def told_scene(path: str | Path) -> str:
    """A scene file's name and a hash of what it says.

    Raises:
        UserError: It cannot be read.
    """
    with disk_errors(path):
        return f"{Path(path).name} ({hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]})"


def movable(path: Path) -> str:
    """Text of a valid scene file that says the same in any folder: its meshes are named by their whole paths."""
    text = path.read_text(encoding="utf-8")
    said = load_yaml(text)
    if not (said or {}).get("meshes"):
        return text
    meshes = [{**mesh, "file": str((path.parent / mesh["file"]).resolve())} for mesh in said["meshes"]]
    wanted = {**said, "meshes": meshes}
    for written in (_in_place(path, text), text):  # comments stay where they can
        with suppress(yaml.YAMLError):
            if load_yaml(written) == wanted:
                return written
    return yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True)  # anchors, folded text


def _in_place(path: Path, text: str) -> str:
    """The text with whole paths where its meshes name their files."""
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    tables = {k.value: v for k, v in tree.value} if isinstance(tree, yaml.MappingNode) else {}
    meshes = tables["meshes"].value if "meshes" in tables else []
    files = {v.start_mark.index: v for mesh in meshes for k, v in mesh.value if k.value == "file"}
    for _, node in sorted(files.items(), reverse=True):  # from the end, so that the places before stay true
        whole = json.dumps(str((path.parent / node.value).resolve()), ensure_ascii=False)
        text = text[: node.start_mark.index] + whole + text[node.end_mark.index :]
    return text


def line_of(node: yaml.Node | None, place: tuple[Any, ...]) -> int:
    """Line (from 1) where the deepest part of ``place`` that exists is written."""
    line = 1
    for step in place:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _choices(place: tuple[Any, ...]) -> list[str]:
    """Known names at a place of the file: the keys of its table or the choices of its weights."""
    model: Any = SceneSpec
    for step in place:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            break
        model = _inner(field.annotation)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return [str(a) for a in get_args(model)]


def _is_range(place: tuple[Any, ...]) -> bool:
    """Whether a place of the file takes ``[low, high]``."""
    model: Any = SceneSpec
    for step in place:
        field = model.model_fields.get(step) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return False
        model = field.annotation
    return bool(model == Pair)


def _inner(annotation: Any) -> Any:
    """Item type of tuples, key type of tables, else the type itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    args = [a for a in get_args(annotation) if a is not Ellipsis]
    origin = getattr(annotation, "__origin__", None)
    return args[0] if origin in (tuple, dict) and args else annotation


def _explain(problem: ValidationError, path: Path, tree: yaml.Node | None) -> UserError:
    """The first mistake in words."""
    first = problem.errors()[0]
    place = tuple(step for step in first["loc"] if step != "[key]")
    if first["type"] == "overlap":
        line = line_of(tree, ("stage", first["ctx"]["before"]))
        where = f"{path}:{line_of(tree, ('stage', first['ctx']['index']))}"
        return UserError(f"{first['msg']} (line {line})", where, "move one of them ahead or across")
    if first["type"] == "camera":
        where, ahead = f"{path}:{line_of(tree, ('stage', first['ctx']['index']))}", first["ctx"]["ahead"]
        return UserError(first["msg"], where, f"put its middle at least {ahead} m ahead, or farther across")
    where = f"{path}:{line_of(tree, place)}"
    name = str(place[-1]) if place else ""
    if first["type"] == "extra_forbidden":
        known = _choices(place[:-1])
        return UserError(f"unknown key '{name}'{nearest(name, known)}", where, f"one of: {', '.join(known)}")
    if "[key]" in first["loc"]:
        known = _choices(place[:-1])
        return UserError(f"unknown choice '{name}'{nearest(name, known)}", where, f"one of: {', '.join(known)}")
    if first["type"] == "literal_error":
        known = [k.strip("' ") for k in str(first["ctx"]["expected"]).replace(" or ", ", ").split(",")]
        value = str(first["input"])
        return UserError(
            f"{'.'.join(map(str, place))}: unknown value '{value}'{nearest(value, known)}",
            where,
            f"one of: {', '.join(known)}",
        )
    if first["type"] == "missing" and isinstance(first["loc"][-1], int):  # of a list that is too short
        place = place[:-1]
    said = in_words(first)
    if first["type"].startswith(("tuple_", "missing", "too_long")) and _is_range(place):
        said = "it has to be one number, or two in brackets, [low, high]"
    if first["type"].startswith("dict_"):
        known = _choices(place)
        said = f"it has to be one of {', '.join(known)}, or a table of weights such as {{{known[0]}: 1}}"
    if place[:1] == ("size",) and not first["type"].startswith(("greater", "less")):
        place, said = ("size",), "it has to be width and height in pixels, [480, 360]"
    key = ".".join(map(str, place))
    return UserError(f"{key}: {said}", where, f"correct {key}; docs/simulator.md has all keys")
