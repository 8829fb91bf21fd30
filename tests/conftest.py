"""Fixtures for all tests: the command line as a user sees it, and genuine data where a machine has it."""

from __future__ import annotations

import builtins
import io
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in a shell's background, and children would ignore it likewise
    signal.signal(signal.SIGINT, signal.default_int_handler)
RunCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of genuine data: ``$SIMTEACHER_SHARED_DATA``, or ``../shared/data`` beside the repository."""
    path = Path(os.environ.get("SIMTEACHER_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("needs genuine data: set SIMTEACHER_SHARED_DATA to its folder")
    return path


@pytest.fixture
def run_cli(tmp_path: Path) -> RunCli:
    """Runs ``simteacher ARGS`` in a process of its own, in the test's folder; returns code, stdout and stderr."""

    def run(*args: object, timeout: float = 120, **environ: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120", **environ}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "src"), env.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "simteacher", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, cwd=tmp_path)

    return run


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``full_disk("name", after=2)``: from the third on, writing files whose path holds "name" meets a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which is always out of space")
    original = io.open

    def fill(fragment: str, after: int = 0) -> None:
        opened = 0

        def redirect(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            nonlocal opened
            if fragment in str(file) and set(mode) & set("wax"):
                opened += 1
                file = file if opened <= after else "/dev/full"
            return original(file, mode, *args, **kwargs)

        monkeypatch.setattr(io, "open", redirect)
        monkeypatch.setattr(builtins, "open", redirect)
        if accessor := getattr(pathlib, "_NormalAccessor", None):  # Python 3.10 keeps an own reference to io.open
            monkeypatch.setattr(accessor, "open", staticmethod(redirect))

    return fill


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first: at the end one process would run them, and the other nothing."""
    items.sort(key=lambda item: "test_walks" not in item.nodeid)
