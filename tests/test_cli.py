"""The command line's promises: exit codes, messages, flags, what is on stdout and what on stderr."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from simteacher import cli
from simteacher.cli_help import EXAMPLES, OVERVIEW, style
from simteacher.errors import UserError
from tests import lookalikes
from tests.conftest import ROOT, RunCli

# Word for word from the documentation; a command is never renamed silently.
COMMANDS = {
    *("demo", "render", "check", "translate", "adapt", "label", "evaluate"),
    *("predict", "select", "handover", "export", "report", "experiment", "clean"),
}
Capture = pytest.CaptureFixture[str]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the command `clean` raise."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(import_module("simteacher.rundir"), "clean", fail)


def yaml_error() -> yaml.YAMLError:
    try:
        yaml.safe_load("a: 1\nb: [1, 2\nc: 3\n")
    except yaml.YAMLError as error:
        return error
    raise AssertionError


USER_ERRORS: list[tuple[Exception, str]] = [
    (UserError("has no labels", "data/x", "add them"), "error: data/x: has no labels\n  fix: add them"),
    (OSError(errno.ENOSPC, "No space left on device", "out/w.bin"), "error: out/w.bin: the disk is full\n  fix: free"),
    (PermissionError(errno.EACCES, "Permission denied", "out"), "error: out: permission denied\n  fix: "),
    (OSError("odd device"), "error: odd device"),
    (yaml_error(), "not valid YAML at line 3"),
    (MemoryError(), "error: the memory is used up\n  fix: a smaller batch"),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "error: the memory is used up"),
    (ModuleNotFoundError("No module named 'av'", name="av"), "pip install 'simteacher[video]'"),
]


@pytest.mark.parametrize(("error", "message"), USER_ERRORS, ids=lambda v: type(v).__name__)
def test_user_errors_are_one_message_and_exit_2(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    raising(monkeypatch, error)
    assert cli.main(["clean", "run"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback_and_keeps_the_code(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    raising(monkeypatch, UserError("p", "w", "f"))
    assert cli.main(["--debug", "clean", "run"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback") and err.endswith("error: w: p\n  fix: f\n")


def test_a_bug_says_so_in_short_and_exits_70(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    raising(monkeypatch, ValueError("bad\nthing"))
    assert cli.main(["clean", "run"]) == 70
    err = capsys.readouterr().err
    assert err.startswith("bug: cli_model.py:") and "ValueError: bad thing\n" in err
    assert "report it" in err and "--debug" in err and "Traceback" not in err


def test_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert cli.main(["clean", "run"]) == 130
    assert "run the same command to continue" in capsys.readouterr().err


MISTAKES = [
    (["rendr", "x"], 'Did you mean "render"', "simteacher --help"),
    (["show", "--help"], 'Unknown command "show"', "see simteacher --help\n"),
    (["adapt", "--sorce", "x"], "Did you mean --source", "simteacher adapt --help"),
    (["handover", "d", "o", "--format", "cvatt"], 'Did you mean "cvat"', "simteacher handover --help"),
    (["render"], "OUT", "simteacher render --help"),
    (["render", "x", "--frames", "many"], "--frames", "simteacher render --help"),
    (["clean", "a", "b"], "Too many arguments: b", "simteacher clean --help"),
    (["render", "x", "--size", "480"], "'480' is not a size", "480x360"),
    (["adapt", "smoke", "--set", "seed"], "needs the form key=value", "--set seed=3"),
]


@pytest.mark.parametrize(("argv", "problem", "fix"), MISTAKES, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_misspelt_words_name_the_nearest(argv: list[str], problem: str, fix: str, capsys: Capture) -> None:
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and problem in err and fix in err.split("fix:")[1]
    assert "Traceback" not in err


def test_a_name_that_begins_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.jpg").touch()
    assert cli.main(["predict", "street", "-a.jpg"]) == 2
    assert "is written ./-a.jpg" in capsys.readouterr().err


def test_the_word_help_is_heard(capsys: Capture) -> None:
    for words, flags in ((["help"], ["--help"]), (["help", "adapt"], ["adapt", "--help"])):
        assert cli.main(words) == 0
        told = capsys.readouterr().out
        assert cli.main(flags) == 0
        assert told == capsys.readouterr().out and "Usage: simteacher" in told


def test_set_is_heard_in_both_spellings_and_global_flags_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    def adapt(recipe: str, **given: Any) -> Path:
        calls.append({"recipe": recipe, **given})
        return Path("run")

    monkeypatch.setattr(import_module("simteacher.adapt"), "adapt", adapt)
    for argv in (
        "--quiet adapt smoke --set seed=3 rounds.count=1 --labelled 5 --target x",
        "adapt --set seed=3 --set rounds.count=1 --labelled 5 --target x smoke --quiet",
        "adapt --set seed=3 rounds.count=1 --quiet smoke --labelled 5 --target x",
    ):
        assert cli.main(argv.split()) == 0
    assert calls[0] == {
        "recipe": "smoke",
        "source": None,
        "target": "x",
        "labelled": "5",
        "out": None,
        "set": {"seed": 3, "rounds.count": 1},
    }
    assert calls[1] == calls[2] == calls[0]


def test_check_exits_1_on_problems_and_prints_one_object(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    problem = {"file": "a.png", "problem": "unreadable", "fix": "replace it"}
    result: dict[str, Any] = {"format": "folder", "images": 1, "labelled": 0, "classes": {}, "ignored": 0}
    for problems, code in (([problem], 1), ([], 0)):
        answer = result | {"problems": problems}
        monkeypatch.setattr(import_module("simteacher.data.check"), "check", lambda *_, answer=answer, **__: answer)
        assert cli.main(["check", "data", "--json"]) == code
        assert json.loads(capsys.readouterr().out) == answer
        assert cli.main(["check", "data"]) == code
        assert ("replace it" in capsys.readouterr().out) == bool(problems)


def test_every_command_is_there_and_no_other() -> None:
    names = {name for name in cli.app if not name.startswith("-")}
    assert names == COMMANDS


def test_overview_names_real_commands_and_what_to_begin_with(capsys: Capture) -> None:
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert out.index("simteacher demo") < out.index("simteacher check") < out.index("render OUT")
    assert "**" not in out
    words = {
        line.split("**")[1].removeprefix("simteacher ") for line in OVERVIEW.splitlines() if line.startswith("  **")
    }
    assert words <= COMMANDS and len(words) >= 10


def test_every_command_has_examples_that_it_takes(capsys: Capture) -> None:
    assert EXAMPLES.keys() == COMMANDS
    for command, examples in EXAMPLES.items():
        for example in examples:
            assert example.split()[0] == command
            cli.app.parse_args(cli._split(example.split())[0], exit_on_error=False, print_error=False)
        assert cli.main([command, "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()  # of 80 columns
        assert {f"  simteacher {example}" for example in examples} <= {line.rstrip() for line in lines}


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert style("error: x\n  fix: y", sys.stderr) == "\033[1;31merror:\033[0m x\n  \033[1;32mfix:\033[0m y"
    monkeypatch.setenv("NO_COLOR", "1")
    assert style("error: **x**", sys.stderr) == "error: x"


def test_version_in_a_process_of_its_own(run_cli: RunCli) -> None:
    done = run_cli("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, cli.__version__, "")
    assert run_cli("clean", "nowhere").returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_term_after_the_command_ends_it_without_a_traceback() -> None:
    """As a launcher sends one while Python clears up."""
    code = "atexit.register(os.kill, os.getpid(), 15); sys.argv[1:] = ['--version']; cli.run()"
    command = [sys.executable, "-c", f"import atexit, os, sys; from simteacher import cli; {code}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -15 and done.stderr == ""


@pytest.mark.parametrize(("number", "ignored"), [("SIGINT", False), ("SIGTERM", False), ("SIGTERM", True)])
def test_a_signal_ends_with_130_and_no_traceback(number: str, ignored: bool, tmp_path: Path) -> None:
    code = (
        f"import signal\nif {ignored}: signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a shell's background\n"
        "import sys, time, simteacher.rundir\n"
        "def wait(_):\n    print('ready', flush=True); time.sleep(60)\n"
        "simteacher.rundir.clean = wait\nsys.argv[1:] = ['clean', 'run']\n"
        "from simteacher.cli import run; run()"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(getattr(signal, number))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "interrupted; what is finished is kept, run the same command to continue\n"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
def test_a_terminal_of_another_encoding_shows_what_it_can(encoding: str, tmp_path: Path, run_cli: RunCli) -> None:
    made = lookalikes.camvid(tmp_path / "camvid", 2)
    done = run_cli("check", made.spec, PYTHONIOENCODING=encoding)
    assert (done.returncode, "bug" in done.stderr) == (0, False), done.stderr
    assert "road" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_exit_code(closed: str, tmp_path: Path) -> None:
    """Nor is what goes to a closed stderr mixed with the result."""
    made = lookalikes.camvid(tmp_path / "camvid", 2)
    env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> tuple[int, str, str]:
        command = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-m", "simteacher", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    shown = 0 if ">&-" in closed.split() else 1
    code, out, err = run("check", made.spec, "--json", *(["--quiet"] if shown == 0 else []))
    assert (code, err) == (0, "") and (json.loads(out)["images"] if shown else not out)
    (made.root / "train" / "spoilt.png").write_bytes(b"")
    assert run("check", made.spec)[0] == 1
    assert run()[0] == run("--help")[0] == 0
    code, out, err = run("clean", "nowhere")
    assert (code, out) == (2, "") and ("nowhere" in err) == (closed == ">&-")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "simteacher", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, env=env
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
