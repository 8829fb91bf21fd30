"""YAML that people write: PyYAML's safe loader, and a key that stands twice in one mapping is an error.

PyYAML keeps the last of two equal keys, so that the first would be ignored without a word.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from simteacher.errors import UserError


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[tuple[str, str], yaml.ScalarNode] = {}
        for key, _ in node.value:  # before "<<" is followed, whose keys may well be overridden
            if isinstance(key, yaml.ScalarNode) and first.setdefault((key.tag, key.value), key) is not key:
                before = first[key.tag, key.value].start_mark.line + 1
                told = f"'{key.value}' is there twice, first in line {before}"
                raise yaml.constructor.ConstructorError(problem=told, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a date that no calendar has
            raise yaml.constructor.ConstructorError(problem=str(error), problem_mark=node.start_mark) from None


def load_yaml(text: str) -> Any:
    """What ``text`` says, built of plain Python values alone.

    Raises:
        yaml.YAMLError: It is not YAML, or a mapping has a key twice.
    """
    return yaml.load(text, Loader=_Loader)


def read_yaml(path: Path) -> Any:
    """What the file says.

    Raises:
        UserError: It cannot be read, is not YAML, or has a key twice; the message gives the line.
    """
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path, "give a YAML file that you may read") from None
    except UnicodeDecodeError:
        raise UserError("not valid YAML: it is not text in UTF-8", path, "give a YAML file") from None
    except yaml.YAMLError as error:
        raise UserError(f"not valid YAML{reason(error)}", path, "correct that line") from None


def reason(error: yaml.YAMLError) -> str:
    """Where and why, to stand behind "not valid YAML"."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return (f" at line {mark.line + 1}" if mark else "") + f": {problem}"
