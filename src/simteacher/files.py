"""Files that are whole or absent: written under a temporary name, then renamed. Used by everything that writes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from simteacher.errors import UserError, nearest

PART = ".part-"
"""Prefix of unfinished files. The final name follows, so a resumed run overwrites what a killed one left."""

_HELD: set[tuple[int, int, int]] = set()
"""Folders that a thread of this process writes alone: device, inode and thread."""

_FREE = "free some space; what is finished is kept, run the same command to continue"
_SAY = {
    errno.ENOSPC: ("the disk is full", _FREE),
    errno.EDQUOT: ("your disk quota is used up", _FREE),
    errno.EFBIG: ("the file grew over the allowed size", "raise the limit (ulimit -f) and run the same command again"),
    errno.EACCES: ("permission denied", "check the owner and mode of the file and of its folder"),
    errno.EPERM: ("operation not permitted", "check the owner and mode of the file and of its folder"),
    errno.EROFS: ("the file system is read-only", "choose another output folder"),
    errno.ENOENT: ("no such file or folder", "check the spelling of the path"),
    errno.EISDIR: ("this is a folder, a file was expected", "name a file in it"),
    errno.ENOTDIR: ("a file stands where a folder is needed", "choose another path, or move that file away"),
    errno.EEXIST: ("a file stands where a folder is needed", "choose another path, or move that file away"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter path"),
    errno.EMFILE: ("too many files are open", "raise the limit (ulimit -n), or use fewer workers"),
}


def user_error(error: OSError, path: str | Path | None = None) -> UserError:
    """Turn an operating-system error into the message a user can act on."""
    problem, fix = _SAY.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__, None))
    return UserError(problem, path or error.filename, fix)


@contextmanager
def disk_errors(path: str | Path | None = None) -> Iterator[None]:
    """Raise operating-system errors inside the block as `UserError` that name ``path`` and the fix.

    Args:
        path: The file being written; the error's own file name where it is None.
    """
    try:
        yield
    except OSError as error:
        raise user_error(error, path) from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` with the same suffix; rename it when the block ends without an error.

    One writer a file is assumed. Folders above are made. Nothing is left behind after an exception, Ctrl-C included;
    after ``kill -9`` a hidden file stays that the next writer of the same name overwrites.

    Raises:
        UserError: The disk is full, or the place cannot be written.
    """
    path = Path(path)
    part = path.with_name(PART + path.name)
    with disk_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(path):
        try:
            yield part
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


@contextmanager
def remade(folder: Path) -> Iterator[None]:
    """Where a file below a folder of an unfinished run is damaged, say that the run makes the folder again.

    Raises:
        UserError: The one raised inside, with this fix.
    """
    try:
        yield
    except UserError as error:
        disk = getattr(error.__cause__, "errno", None) is not None  # full, say: what is there is whole
        if disk or error.where is None or not Path(error.where).is_relative_to(folder):
            raise
        fix = f"delete {folder}; the same command makes it again, as it was"
        raise UserError(error.problem, error.where, fix) from error


@contextmanager
def alone(folder: str | Path) -> Iterator[None]:
    """Of several commands that share a folder, one is inside such a block at a time; the others wait for it.

    Raises:
        UserError: The folder cannot be written.
    """
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock = open(Path(folder) / ".lock", "a")  # noqa: SIM115 - held until the block ends
    with lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def sole_writer(folder: str | Path, shared: bool = False) -> Iterator[None]:
    """Refuse a folder that another command is writing; ``shared`` ones may write beside each other.

    The folder itself is locked, which leaves nothing in it. Where the file system has no such locks, or the system is
    Windows, nothing is refused. Who holds it alone may enter such a block of the same folder again.

    Raises:
        UserError: Another process is inside such a block, or the folder cannot be made.
    """
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with disk_errors(folder):
        handle = os.open(folder, os.O_RDONLY)
    held = (os.fstat(handle).st_dev, os.fstat(handle).st_ino, get_ident())
    if held in _HELD:
        os.close(handle)
        yield
        return
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                fix = "wait for it, stop it, or choose another output folder"
                raise UserError("another process is writing it", folder, fix) from error
        if not shared:
            _HELD.add(held)
        yield
    finally:
        _HELD.discard(held)
        os.close(handle)


def part_of(text: str) -> tuple[int, int]:
    """``"2/4"`` -> (1, 4): which share of a command's work is wanted, counted from 0, and of how many.

    Raises:
        UserError: Not such a pair.
    """
    number, slash, parts = text.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise UserError(f"'{text}' is no share of the work", "--part", "give K/N, K from 1 to N, for example 2/4")
    return int(number) - 1, int(parts)


def atomic_write(path: str | Path, data: str | bytes) -> None:
    """Write ``data`` (text as UTF-8) to ``path`` so that a reader finds the old content or the new, never a part.

    Raises:
        UserError: The disk is full, or the place cannot be written.
    """
    with atomic_path(path) as part:
        # names of files that are no UTF-8 go out as they came in
        part.write_bytes(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


def require_empty(folder: Path, ours: Collection[str] = ()) -> None:
    """Raise UserError where a folder to write holds anything else than ``ours``; hidden files do not count.

    A process that was killed at once leaves hidden files: a lock, a half-written description.
    """
    others = [p.name for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []
    others = sorted(set(others) - set(ours))
    if others:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise UserError(f"holds other files ({shown})", folder, "choose an empty folder, or one that does not exist")


def read_names(path: str | Path, known: Collection[str], others: Callable[[], Collection[str]] = tuple) -> list[str]:
    """The names of images that a text file lists, one a line, with or without their suffix.

    Args:
        path: UTF-8 text, with a mark at its beginning or without.
        known: All names that there are.
        others: Gives, where a name is not known, those of the set's other splits.

    Raises:
        UserError: It cannot be read, names no image, or one that is not there.
    """
    try:
        content = Path(path).read_bytes()
        # bytes that are no UTF-8 may be a file's name; zeros are UTF-16
        lines = content.decode("utf-8-sig", "strict" if b"\0" in content else "surrogateescape").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError("this file of names cannot be read", path, "write UTF-8 text, one image name a line") from None
    names, ends = [], dict[str, list[str]]()
    for name in sorted(known):
        ends.setdefault(name.rpartition("__")[2], []).append(name)
    for line in filter(None, (line.strip() for line in lines)):
        if line.startswith("#") and line not in known:
            continue
        bare = line.rpartition(".")[0]
        flat = [n.removeprefix("./").replace("/", "__") for n in (line, bare)]  # as images of subfolders are called
        found = [n for n in (line, bare, *flat) if n in known][:1] or _of_one_end(flat, ends)
        if not found and not {line, bare, *flat}.isdisjoint(others()):
            fix = "leave it out; labels of photographs to measure on teach nothing"
            raise UserError(f"'{line}' is in another split of the set than the one to train on", path, fix)
        if not found:
            raise UserError(f"no image '{line}'{nearest(line, known)}", path, "correct the name")
        if len(found) > 1:
            raise UserError(f"'{line}' may be {' or '.join(found[:3])}", path, "write the whole name")
        names += found
    if not names:
        raise UserError("this file names no image", path, "write one image name a line")
    return list(dict.fromkeys(names))


def _of_one_end(flat: list[str], ends: dict[str, list[str]]) -> list[str]:
    """The names that are the end of one of ``flat``, a path from elsewhere, or end in it: paths from further inside."""
    found = [
        name
        for one in flat
        for name in ends.get(one.rpartition("__")[2], ())
        if name.endswith(f"__{one}") or one.endswith(f"__{name}")
    ]
    return list(dict.fromkeys(found))
