"""The command line around real long work: stopped, killed or cut off, the same command ends with the same files."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunCli

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")]
RENDER = ["render", "set", "--frames", "6", "--size", "64x48", "--seed", "4", "--workers", "1"]


def contents(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(
        [sys.executable, "-m", "simteacher", *RENDER, "--quiet"],
        cwd=place,
        env=environ(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return contents(place / "set")


def environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_a_stopped_render_is_finished_by_the_same_command(
    number: signal.Signals, code: int, tmp_path: Path, run_cli: RunCli, undisturbed: dict[str, str]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "simteacher", *RENDER], cwd=tmp_path, env=environ(), stderr=subprocess.PIPE, text=True
    ) as process:
        limit = time.monotonic() + 120
        while not list(tmp_path.glob("set/images/0*")) and time.monotonic() < limit and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in err
    assert code != 130 or "run the same command to continue" in err
    assert 0 < len(list(tmp_path.glob("set/images/0*"))) < 6  # really in the middle
    assert run_cli(*RENDER, timeout=300).returncode == 0
    assert contents(tmp_path / "set") == undisturbed


def test_killed_again_and_again_with_two_workers(tmp_path: Path, run_cli: RunCli, undisturbed: dict[str, str]) -> None:
    """Once before the first frame, once after it, once later: the set is that of one worker whom nobody disturbed."""
    command = [sys.executable, "-m", "simteacher", *RENDER[:-1], "2", "--quiet"]
    for pattern, count in (("set/dataset.yaml", 1), ("set/images/0*", 1), ("set/images/0*", 3)):
        with subprocess.Popen(command, cwd=tmp_path, env=environ()) as process:
            limit = time.monotonic() + 120
            while len(list(tmp_path.glob(pattern))) < count and time.monotonic() < limit and process.poll() is None:
                time.sleep(0.005)
            process.kill()
        assert process.returncode == -9
        assert len(list(tmp_path.glob(pattern))) >= count
    assert run_cli(*RENDER, timeout=300).returncode == 0
    assert contents(tmp_path / "set") == undisturbed


def test_a_full_disk_is_one_message_and_nothing_is_lost(
    tmp_path: Path, run_cli: RunCli, undisturbed: dict[str, str]
) -> None:
    # a limit on the size of a file stands for the end of the disk: depth maps no longer fit, labels do
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))\n"
        f"sys.argv[1:] = {RENDER!r}\nfrom simteacher.cli import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2, done.stderr
    message = done.stderr[done.stderr.index("error: ") :]
    assert "allowed size" in message and "set/" in message and "Traceback" not in done.stderr
    assert not list((tmp_path / "set").rglob(".part-*"))
    assert run_cli(*RENDER, timeout=300).returncode == 0
    assert contents(tmp_path / "set") == undisturbed
