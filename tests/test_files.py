"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from simteacher.errors import UserError
from simteacher.files import atomic_path, atomic_write, disk_errors, read_names, remade, require_empty, sole_writer
from tests.conftest import ROOT


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    # no bytecode: a process with a file size limit would leave cut-off caches for all others
    env = {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True)


def test_write_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    atomic_write(path, "é")
    assert path.read_bytes() == b"\xc3\xa9"
    atomic_write(path, b"two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as part:
        part.write_text("half of the new o")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_name_is_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "frame.png") as part:
        part.touch()
        assert part.name.startswith(".")
        assert part.suffix == ".png"
        assert part.parent == tmp_path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which is always out of space")
def test_full_disk_names_file_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    with pytest.raises(UserError) as caught, atomic_path(path), open("/dev/full", "w") as full:
        full.write("x")
        full.flush()
    assert caught.value.where == str(path)
    assert "disk is full" in caught.value.problem
    assert caught.value.fix is not None and "run the same command" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_write_that_the_system_cuts_off_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from simteacher.files import atomic_write\n"
        "atomic_write('x', b'n' * 100_000)"
    )
    done = run_python(code, tmp_path)
    assert "UserError: x: the file grew over the allowed size" in done.stderr
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_after_kill_9_the_next_writer_cleans_up(tmp_path: Path) -> None:
    code = (
        "import os\nfrom simteacher.files import atomic_path\n"
        "with atomic_path('x.txt') as part:\n    part.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert run_python(code, tmp_path).returncode == -9
    assert not (tmp_path / "x.txt").exists()
    atomic_write(tmp_path / "x.txt", "whole")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


def test_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match="file stands where a folder is needed") as caught:
        atomic_write(tmp_path / "a" / "b", "")
    assert caught.value.where == str(tmp_path / "a")


def test_disk_errors_take_the_name_from_the_error() -> None:
    with pytest.raises(UserError) as caught, disk_errors():
        raise OSError(errno.EACCES, "Permission denied", "/some/file")
    assert caught.value.where == "/some/file"
    assert "permission denied" in caught.value.problem


def test_names_are_read_as_people_write_them(tmp_path: Path) -> None:
    known = {"a", "x/b", "c.1"}
    path = tmp_path / "names.txt"
    path.write_bytes("﻿a.jpg\r\n\r\n x/b.png \r\nfolder/a.png\r\nc.1\r\n".encode())
    assert read_names(path, known) == ["a", "x/b", "c.1"]
    path.write_text("d")
    with pytest.raises(UserError, match="no image 'd'"):
        read_names(path, known)
    path.write_bytes("a\n".encode("utf-16"))
    with pytest.raises(UserError, match="UTF-8"):
        read_names(path, known)


def test_names_of_sub_folders_as_their_paths(tmp_path: Path) -> None:
    """Images of one stem in several folders are called by these; lists are made inside them or from outside."""
    known = {"train__a", "train__b", "val__a", "val__x__c", "#1"}
    path = tmp_path / "names.txt"
    for line, name in (
        ("b.jpg", "train__b"), ("x/c.jpg", "val__x__c"), ("c", "val__x__c"), ("val/a.jpg", "val__a"), ("#1", "#1"),
        ("/data/set/images/train/b.jpg", "train__b"), ("./images/val/x/c.jpg", "val__x__c"), ("# mine\nb", "train__b"),
    ):  # fmt: skip
        path.write_text(line)
        assert read_names(path, known) == [name], line
    for line, said in (("a.jpg", "may be train__a or val__a"), ("y/c.jpg", "no image"), ("data/a.jpg", "no image")):
        path.write_text(line)
        with pytest.raises(UserError, match=said):
            read_names(path, known)


def test_names_that_are_no_utf8_come_back(tmp_path: Path) -> None:
    name = b"b\xff".decode("utf-8", "surrogateescape")
    atomic_write(tmp_path / "names.txt", f"{name}\n")
    assert (tmp_path / "names.txt").read_bytes() == b"b\xff\n"
    assert read_names(tmp_path / "names.txt", [name, "a"]) == [name]
    (tmp_path / "names.txt").write_text("a\n", encoding="utf-16")
    with pytest.raises(UserError, match="write UTF-8 text"):
        read_names(tmp_path / "names.txt", [name, "a"])


def test_only_empty_folders_are_written(tmp_path: Path) -> None:
    require_empty(tmp_path / "none")
    (tmp_path / ".lock").touch()
    (tmp_path / "ours").touch()
    require_empty(tmp_path, {"ours"})
    with pytest.raises(UserError, match=r"holds other files \(ours\)"):
        require_empty(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
def test_a_folder_has_one_writer_or_several_of_one_kind(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def other(shared: bool) -> str:
        code = (
            "from simteacher.errors import UserError\nfrom simteacher.files import sole_writer\n"
            f"try:\n    with sole_writer({str(folder)!r}, {shared}): print('in')\n"
            "except UserError as error: print(error.problem)"
        )
        env = {"PYTHONPATH": str(ROOT / "src")}
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout.strip()

    refused = "another process is writing it"
    with sole_writer(folder):
        assert [other(False), other(True)] == [refused, refused]
    with sole_writer(folder, shared=True):
        assert [other(False), other(True)] == [refused, "in"]
    assert other(False) == "in" and list(folder.iterdir()) == []


def test_what_a_run_makes_again_is_to_be_deleted_but_not_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"delete {tmp_path}; the same command"), remade(tmp_path):
        raise UserError("damaged", tmp_path / "a.png", "copy it again")
    with pytest.raises(UserError, match="choose another"), remade(tmp_path / "run"):
        raise UserError("elsewhere", tmp_path / "a.png", "choose another")
    with pytest.raises(UserError, match="free some space"), remade(tmp_path), disk_errors(tmp_path / "a.png"):
        raise OSError(errno.ENOSPC, "No space left on device")
