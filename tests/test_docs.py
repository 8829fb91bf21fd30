"""Every code block of the documentation is understood by what would run it, and what pages link to is there.

Commands go through the parser of the command line and recipes, scenes, label spaces through their loaders, but nothing
is run here: that is done by `test_guides` and `test_walks`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import simteacher
from simteacher import cli
from simteacher.cli_data import size_of
from simteacher.config import Recipe
from simteacher.data.dataset_yaml import read_dataset_yaml
from simteacher.files import part_of
from simteacher.labels import SPACES, load_space
from simteacher.recipe_file import load_recipe, parse_set
from simteacher.recipes import find, folder
from simteacher.scenes.scenefile import load_scene
from simteacher.scenes.spec import SceneSpec
from tests.conftest import ROOT
from tests.docs import BLOCKS, PAGES, SHELL, Block, shell_lines

NOT_OURS = {
    r"source \.venv/bin/activate": "the shell's",
    r"head=\$\(scontrol show hostnames .*": "SLURM's; there is none here",
    r"find my/photographs/val -type f -printf '%P\\n' \| shuf -n 20 > measure.txt": "coreutils, run by test_guides",
    r"pip install (click|mitsuba)": "other people's packages",
    r"mv blocktown/\w+ blocktown/\w+": "coreutils, run by test_guides",
}
"""Shell lines that nobody but a shell can understand, and why that is left to it."""
WRITTEN = {m[1] for b in BLOCKS if b.language == "yaml" and (m := re.match(r"# (\S+\.yaml)\n", b.content))}
"""YAML files that a page tells to write: a command may name them."""


def words(line: str) -> list[str]:
    """The words of a line; what the shell would put in is 1."""
    return shlex.split(re.sub(r"\$\w+|\$\(\(.*?\)\)", "1", line))


def launcher_line(line: str) -> None:
    """The launcher's own parser reads what is before our command."""
    from torch.distributed.run import get_args_parser

    given = get_args_parser().parse_args(words(line.removeprefix("srun "))[1:])
    assert given.module and given.training_script == "simteacher"
    understand(shlex.join(["simteacher", *given.training_script_args]))


def simteacher_line(line: str) -> None:
    """A command is parsed, and what it says about recipes, sizes, shares and label spaces is looked at."""
    tokens, _ = cli._split(words(re.sub(r" [>|] .*", "", line))[1:])
    command, bound, *_ = cli.app.parse_args(tokens, exit_on_error=False, print_error=False)
    assert command.__name__ == tokens[0]
    given = dict(bound.arguments)
    if "set" in given or command.__name__ in ("adapt", "experiment"):
        keys = parse_set(given.get("set") or [])
        recipe = load_recipe(given.get("recipe", "laptop"), keys)
        if recipe.classes != "auto":
            space(recipe.classes)
    checks: dict[str, Callable[[str], object]] = {"recipe": find, "size": size_of, "part": part_of, "classes": space}
    for name, check in checks.items():
        if given.get(name) is not None:
            check(given[name])
    for name, endings in {"labelled": (".txt",), "names": (".txt",), "scene": (".yaml",)}.items():
        value = given.get(name)
        assert value is None or value == "all" or value.isdigit() or value.endswith(endings), line
    if command.__name__ == "export":
        assert given["out"].endswith(".onnx")


def space(name: str) -> None:
    if name not in WRITTEN:
        load_space(name)


def make_line(line: str) -> None:
    _, target, *variables = line.split()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
    for variable in variables:
        assert f"$({variable.split('=')[0]})" in makefile


def script_line(line: str) -> None:
    """A script of the repository: its own parser reads the line, then it is stopped."""
    _, script, *words = shlex.split(line)

    class Understood(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, *_: Any) -> None:
        parse(self, words)
        raise Understood

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Understood):
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        runpy.run_path(str(ROOT / script), run_name="__main__")


def pip_line(line: str) -> None:
    """The extras are those of the package."""
    (name, extras) = re.findall(r"([\w.]+)(?:\[(.*?)\])?'?$", line)[0]
    assert name in (".", "simteacher")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [extra for extra in filter(None, extras.split(",")) if f"\n{extra} = [" not in text] == []


def pytest_line(line: str) -> None:
    for word in shlex.split(line):
        assert not word.startswith("tests/") or (ROOT / word).is_file()
    if match := re.search(r"-k (\w+)", line):
        files = re.findall(r"tests/\S+\.py", line)
        assert any(re.search(rf"def test_\w*{match[1]}", (ROOT / f).read_text(encoding="utf-8")) for f in files)


UNDERSTOOD: dict[str, Callable[[str], None]] = {
    r"simteacher .*": simteacher_line,
    r"(srun )?torchrun .*": launcher_line,
    r"make .*": make_line,
    r"pip install .*": pip_line,
    r"(\.venv/bin/)?python (tools|bench)/.*": script_line,
    r"python -m tools\.\w+ .*": lambda line: script_line(re.sub(r"-m tools\.(\w+)", r"tools/\1.py", line)),
    r"\.venv/bin/python -m pytest .*": pytest_line,
}
"""Shell lines by pattern, and who reads each."""


def understand(line: str) -> None:
    if not any(re.fullmatch(known, line) for known in NOT_OURS):
        check = next((check for known, check in UNDERSTOOD.items() if re.fullmatch(known, line)), None)
        assert check is not None, f"nothing here understands: {line}"
        check(line)


def python_block(block: Block, folder: Path) -> None:
    """It compiles, what it imports is there, and calls of the package's functions fit their signatures."""
    tree = ast.parse(block.content, str(block))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [n.name for n in node.names if not hasattr(module, n.name)] == []
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("simteacher."):
            function = getattr(simteacher, ast.unparse(node.func).removeprefix("simteacher."))
            inspect.signature(function).bind(*node.args, **{str(k.arg): k.value for k in node.keywords})


def yaml_block(block: Block, folder: Path) -> None:
    """Loaded by what reads such a file in the tool; which one it is, its keys tell."""
    tree = yaml.safe_load(block.content)
    if "apiVersion" in tree:
        for line in tree["spec"]["template"]["spec"]["containers"][0]["args"]:
            understand(line)
    elif "space" in tree:
        for other in BLOCKS:
            if other.language == "yaml" and other.content.startswith(f"# {tree['space']}\n"):
                (folder / tree["space"]).write_text(other.content, encoding="utf-8")
        (folder / "dataset.yaml").write_text(block.content, encoding="utf-8")
        assert read_dataset_yaml(folder).space is not None
    else:
        path = folder / "written.yaml"
        path.write_text(block.content, encoding="utf-8")
        load = load_space if "classes" in tree else load_recipe if "budget" in tree else load_scene
        load(path)


def shell_block(block: Block, folder: Path) -> None:
    lines = shell_lines(block.content)
    assert lines
    for line in lines:
        understand(line)


def other_block(block: Block, folder: Path) -> None:
    """A tree or a drawing. Commands belong into a block that says it is one."""
    assert not re.search(r"^(\$ )?(simteacher|make|python|pip) ", block.content, flags=re.MULTILINE)


LANGUAGES = {**dict.fromkeys(SHELL, shell_block), "python": python_block, "yaml": yaml_block}
LANGUAGES |= dict.fromkeys(("", "text"), other_block)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_blocks_are_understood(block: Block, tmp_path: Path) -> None:
    LANGUAGES[block.language](block, tmp_path)


def fences(page: Path) -> int:
    return len(re.findall(r"^\s*(```|~~~)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_block_is_overlooked(page: Path) -> None:
    assert fences(page) == 2 * len([b for b in BLOCKS if b.page == page.relative_to(ROOT).as_posix()])


def snippets() -> list[tuple[str, str]]:
    """(page, text) of what stands between backticks in running text, without what is only spoken of in part."""
    found = []
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        found += [(page.name, " ".join(text.split())) for text in re.findall(r"`([^`]+)`", prose)]
    return found


SHORT = r"simteacher( [\w-]+)?|.*(COMMAND|…|\w\|\w).*"
"""A command's bare name, or one whose words are left open."""
SNIPPETS = snippets()
INLINE = [(page, text) for page, text in SNIPPETS if re.match(r"(simteacher|make|pip install) ", text)]
INLINE += [
    (path.name, line.removeprefix("# ").split("    (")[0])
    for path in sorted(folder().glob("*.yaml"))
    for line in path.read_text(encoding="utf-8").splitlines()[:1]
]


@pytest.mark.parametrize(("page", "line"), INLINE)
def test_commands_in_the_text_are_understood(page: str, line: str) -> None:
    if re.fullmatch(SHORT, line):
        command = line.split()[1]
        assert command in (*cli.app, "COMMAND")
    else:
        understand(line)


@pytest.mark.parametrize("key", sorted({k for _, text in SNIPPETS for k in re.findall(r"--set ([\w.]+=[^ …]+)", text)}))
def test_settings_in_the_text_are_those_of_recipes(key: str) -> None:
    load_recipe("quick", parse_set([key]))


def keys(model: Any) -> set[str]:
    """The dotted keys of a recipe or scene file."""
    found = set()
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= {name} | {f"{name}.{key}" for part in parts for key in keys(part)}
    return found


def test_keys_in_the_text_are_those_of_recipes_and_scenes() -> None:
    known = keys(Recipe) | keys(SceneSpec)
    first = {key.split(".")[0] for key in known if "." in key}
    said = {(page, text) for page, text in SNIPPETS if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text)}
    said = {(page, text) for page, text in said if text.split(".")[0] in first and not text.endswith((".py", ".json"))}
    assert len(said) > 20
    assert [x for x in sorted(said) if x[1] not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_something_is_shown() -> None:
    assert len([b for b in BLOCKS if b.language in SHELL]) > 30
    assert len([line for b in BLOCKS if b.page == "README.md" for line in shell_lines(b.content)]) >= 7
    assert set(SPACES) >= {"camvid11"}
