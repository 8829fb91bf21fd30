"""Fixtures for all tests: the command line as a user sees it, and genuine data where a machine has it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
