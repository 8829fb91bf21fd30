"""The command line: argv in, exit code out. Used by ``simteacher`` and ``python -m simteacher``.

The commands themselves are in `cli_data` and `cli_model`; here is what they share: global flags, errors, signals.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from cyclopts import App
from cyclopts.exceptions import CycloptsError

from simteacher import __version__, cli_data, cli_model
from simteacher.cli_help import EPILOGUE, OVERVIEW, style
from simteacher.errors import UserError, out_of_memory
from simteacher.files import user_error
from simteacher.progress import set_quiet

DONE, PROBLEMS, USER, BUG, INTERRUPTED = 0, 1, 2, 70, 130
"""Exit codes; `PROBLEMS` is `check`'s own. 70 is EX_SOFTWARE of sysexits.h."""

EXTRAS = {"av": "video", "onnx": "onnx", "onnxruntime": "onnx", "onnxscript": "onnx"}
"""Optional modules and the extra that installs each."""

app = App(
    name="simteacher",
    help="Train on simulation, learn on photographs.",
    help_epilogue=EPILOGUE,
    help_format="plaintext",  # markdown, the default, imports for as long as all the rest
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
cli_data.register(app)
cli_model.register(app)


def run() -> None:
    """Entry point of the ``simteacher`` command."""
    signal.signal(signal.SIGTERM, _terminate)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):  # a terminal of another encoding shows what it can
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main(sys.argv[1:])
    finally:  # nothing is left to keep; Python's own clearing up would show an interrupt as a traceback
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(code)


def main(argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        argv: The words behind ``simteacher``.

    Returns:
        The exit code: 0 done, 1 `check` found problems, 2 the user's input is wrong, 70 a bug of ours, 130 interrupted.
    """
    tokens, flags = _split(argv)
    set_quiet("--quiet" in flags)
    if not tokens:
        print(style(OVERVIEW, sys.stdout))
        return DONE
    if tokens[0] == "help":
        tokens = [*tokens[1:2], "--help"]
    try:
        _refuse_copies(tokens[0])
        code = app(tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()  # a reader that went away is noticed here, not at exit
        return code if isinstance(code, int) else DONE
    except KeyboardInterrupt:
        _tell("interrupted; what is finished is kept, run the same command to continue")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except SystemExit as leave:  # rich's way to say the same
        if isinstance(leave.__context__, BrokenPipeError):
            return DONE
        raise
    except Exception as error:
        if "--debug" in flags:
            traceback.print_exc()
        message = explain(error, tokens)
        if message is not None:
            _tell(f"error: {message}")
            return USER
        _tell(f"bug: {_where(error)}{type(error).__name__}: {_one_line(error)}")
        if "--debug" not in flags:
            _tell("  a fault of simteacher, not yours: please report it with what the same command prints with --debug")
        return BUG


def _open_streams() -> None:
    """Let closed streams (``>&-``) lead nowhere: Python has None there, and the next file would take their number."""
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(free, True)  # other processes that this one starts have them, too
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as the process


def _refuse_copies(command: str) -> None:
    """Under a launcher of several processes, all commands but `adapt` would do the same work in each of them."""
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1" and command != "adapt":
        fix = "start it without the launcher; render and label share work with --part K/N, see docs/many-gpus.md"
        raise UserError(f"{command} does not share its work between processes, adapt does", "torchrun", fix)


def explain(error: Exception, tokens: Sequence[str] = ()) -> str | None:
    """What to tell the user about an error that is theirs to mend: problem, place and fix; None for a bug of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, CycloptsError):
        text = _one_line(error)
        if text.startswith("Unused Tokens: ["):
            words = re.findall(r"'([^']*)'", text)
            more = f" and {len(words) - 2} more" if len(words) > 2 else ""
            text = f"Too many arguments: {', '.join(words[:2])}{more}."
        command = next((t for t in tokens if not t.startswith("-") and t in app), "")
        if file := next((t for t in tokens if t.startswith("-") and t in text and Path(t).exists()), None):
            return f"{text}\n  fix: a file whose name begins with a dash is written ./{file}"
        return f"{text}\n  fix: see simteacher {command} --help".replace("  --help", " --help")
    if (used_up := out_of_memory(error)) is not None:
        return str(used_up)
    if isinstance(error, OSError):
        return str(user_error(error))
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = EXTRAS[error.name]
        return str(UserError(f"{error.name} is not installed", None, f"pip install 'simteacher[{extra}]'"))
    mark = getattr(error, "problem_mark", None)
    if mark is not None:  # of PyYAML, which is not imported for this
        fix = "correct the indentation and colons there"
        return str(UserError(f"not valid YAML at line {mark.line + 1}", mark.name, fix))
    return None


def _split(argv: Sequence[str]) -> tuple[list[str], set[str]]:
    """Take the flags of every command out of argv, and spell ``--set a=1 b=2`` as ``--set a=1 --set b=2``."""
    tokens: list[str] = []
    flags: set[str] = set()
    setting = False
    for at, word in enumerate(argv):
        if word == "--":
            return [*tokens, *argv[at:]], flags
        if word in ("--quiet", "--debug"):
            flags.add(word)
            continue
        assigns = re.match(r"[A-Za-z_][\w.]*=", word) is not None
        if setting and assigns and tokens[-1] != "--set":
            tokens.append("--set")
        setting = word == "--set" or (setting and assigns)
        tokens.append(word)
    return tokens, flags


def _where(error: Exception) -> str:
    """Our innermost line in the traceback, as ``models/build.py:33: ``."""
    here = str(Path(__file__).parent) + os.sep
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(here) and f.filename != __file__]
    return f"{own[-1].filename.removeprefix(here)}:{own[-1].lineno}: " if own else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"


def _tell(text: str) -> None:
    print(style(text, sys.stderr), file=sys.stderr, flush=True)


_MAIN_PROCESS = os.getpid()


def _terminate(number: int, frame: FrameType | None) -> None:
    """A scheduler's SIGTERM ends a run as Ctrl-C does; workers of ours that inherited this handler just end."""
    if os.getpid() != _MAIN_PROCESS:
        os._exit(128 + number)
    interrupt = signal.getsignal(signal.SIGINT)
    if callable(interrupt):
        interrupt(signal.SIGINT, frame)
    else:  # started with Ctrl-C ignored, as shells do in the background
        raise KeyboardInterrupt
