"""The run folder: config, provenance, metrics, stages, a lock. Everything in it is written whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from simteacher.config import Recipe, flat
from simteacher.errors import UserError
from simteacher.files import PART, atomic_write, disk_errors
from simteacher.places import differing, spelt_as, what_changed
from simteacher.progress import say
from simteacher.typed import typed

# May change between a run and its continuation; what `with_labels` gives is compared where it has its place.
FREE_KEYS = ("cache_gib", "log_every", "save_seconds", "with_labels")
PACKAGES = (
    "simteacher",
    "torch",
    "torchvision",
    "timm",
    "segmentation-models-pytorch",
    "lightning-fabric",
    "numpy",
    "pillow",
)


def _ours(name: str) -> bool:
    """Whether a file may stand in a folder whose run was stopped before it began."""
    return name in ("run.lock", "provenance.json") or name.startswith(PART)


def require_run_place(path: Path) -> None:
    """Make sure that a folder is new, or that of a run.

    Raises:
        UserError: It holds something else.
    """
    if path.is_dir() and not (path / "config.yaml").is_file() and any(not _ours(p.name) for p in path.iterdir()):
        raise UserError("holds files but no run", path, "choose another --out, or empty it")


class RunDir:
    """One run's folder, locked while it is open.

    Args:
        path: Made if it is not there.
        recipe: The resolved recipe; must mean what that of an earlier call on the same folder meant.
        fingerprints: Hash of each data set and model that the recipe names, by role; must equal the earlier ones.
        writer: False on all processes but the first, which then write nothing.
        images: Number of images of each data set, by role, for the record.

    Attributes:
        begun: The recipe with its files written as when the run began, whatever they are called now: for the records.

    Raises:
        UserError: Another process holds it, the recipe or the data changed, or it holds something else.
    """

    def __init__(
        self,
        path: str | Path,
        recipe: Recipe,
        fingerprints: dict[str, str],
        writer: bool = True,
        images: dict[str, int] | None = None,
    ) -> None:
        self.path, self.writer, self.begun = Path(path), writer, recipe
        self._lock: Any = None
        if not writer:
            return
        config = self.path / "config.yaml"
        require_run_place(self.path)
        if self.finished and not os.access(self.path, os.W_OK):  # nothing is left to write
            self._compare(config, recipe, self._resolved(recipe), fingerprints)
            return
        with disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._take_lock()
        try:
            now = self._resolved(recipe)
            if config.is_file() and not self._unused():
                self._compare(config, recipe, now, fingerprints)
                self._mend_log()
            else:
                self._write_provenance(recipe, fingerprints, images or {})
                atomic_write(config, yaml.safe_dump(now, sort_keys=False))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _resolved(recipe: Recipe) -> dict[str, Any]:
        return {**recipe.model_dump(mode="json"), "budget": recipe.resolved_budget.model_dump(mode="json")}

    def _unused(self) -> bool:
        """Whether nothing was made here yet: a run that was refused for its data may begin anew."""
        return {p.name for p in self.path.iterdir()} <= {"config.yaml", "provenance.json", "run.lock"}

    def _take_lock(self) -> None:
        handle = open(self.path / "run.lock", "a")  # noqa: SIM115 - held until close()
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            handle.close()
            raise UserError(
                "another process is working on this run", self.path, "wait for it, stop it, or choose another --out"
            ) from e
        self._lock = handle

    def _compare(self, config: Path, recipe: Recipe, now: dict[str, Any], fingerprints: dict[str, str]) -> None:
        try:
            kept = yaml.safe_load(config.read_text(encoding="utf-8"))
            facts = json.loads((self.path / "provenance.json").read_text(encoding="utf-8"))
            if not (isinstance(kept, dict) and isinstance(facts, dict)):
                raise TypeError("not a mapping")
        except (OSError, ValueError, TypeError, yaml.YAMLError) as e:
            raise UserError(
                f"its records cannot be read ({type(e).__name__})", self.path, "choose another --out"
            ) from e
        before, after, then = flat(kept), flat(now), facts.get("data", {})
        differ = differing(before, after, FREE_KEYS, then, fingerprints)
        if differ:
            shown = "; ".join(f"{k}: {before.get(k)!r} then, {after.get(k)!r} now" for k in differ[:6])
            raise UserError(
                f"this run was started with another recipe ({shown})",
                self.path,
                "use the recipe in its config.yaml, or another --out",
            )
        needed = {k: v for k, v in fingerprints.items() if self._reads(k, recipe)}
        if what := what_changed(then, needed):
            raise UserError(
                f"{what} changed since this run started", self.path, "restore the files, or choose another --out"
            )
        self.begun = spelt_as(recipe, before)
        self._tell_threads(facts.get("threads"))

    def _tell_threads(self, before: int | None) -> None:
        """Say where a run goes on with another number of threads, which round otherwise."""
        from simteacher.precision import threads

        if before not in (None, threads()) and not self.finished:
            same = f"OMP_NUM_THREADS={before} would end with the weights of an unbroken run, to the bit"
            say(f"{self.path}: begun with {before} threads, goes on with {threads()}; {same}")

    def _reads(self, role: str, recipe: Recipe) -> bool:
        """Whether the rest of the run reads what has this role; models mostly were taken when it began."""
        if role == "network.weights":
            taken = (self.stage("teacher") / "model.safetensors").is_file() and recipe.rounds.start == "teacher"
            return not (taken or self.finished)
        if role == "teacher.weights":
            return not ((self.stage("teacher") / "model.safetensors").is_file() or self.finished)
        return True

    @property
    def measured_on(self) -> str:
        """The labelled photographs of its evaluations, and their split, in the words of its records."""
        return f"{self.begun.eval_data} {self.begun.eval_split or ''}".strip()

    def _write_provenance(self, recipe: Recipe, fingerprints: dict[str, str], images: dict[str, int]) -> None:
        from simteacher.precision import has_bf16, kind_of_device, threads  # torch, which a report does without

        versions = {}
        for package in PACKAGES:
            try:
                versions[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                versions[package] = "not installed"
        facts = {
            "command": shlex.join(["simteacher", *sys.argv[1:]]),
            "seed": recipe.seed,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "processors": os.cpu_count(),
            "threads": threads(),
            "device": (device := kind_of_device()),
            "precision": "bfloat16" if has_bf16(device) else "float32",  # of products, not of weights
            "versions": versions,
            "git_commit": git_commit(),
            "data": fingerprints,
            "images": images,
            "source": recipe.source,
            "target": recipe.target,
        }
        atomic_write(self.path / "provenance.json", json.dumps(facts, indent=1))

    def close(self) -> None:
        """Let the lock go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> RunDir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stage(self, name: str) -> Path:
        """Folder of a stage."""
        return self.path / name

    @property
    def finished(self) -> bool:
        """Whether the run's final weights are there."""
        return (self.path / "model.safetensors").is_file()

    def log(self, **event: Any) -> None:
        """Append one line to metrics.jsonl."""
        if self.writer:
            path = self.path / "metrics.jsonl"
            with disk_errors(path), open(path, "a", encoding="utf-8") as f:
                f.write(json.dumps(event) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """All whole lines of metrics.jsonl."""
        return read_events(self.path)

    def _mend_log(self) -> None:
        """Drop a last line that a full disk or a kill cut off, so that the next one starts on a line of its own."""
        path = self.path / "metrics.jsonl"
        if path.is_file() and not path.read_bytes().endswith(b"\n"):
            atomic_write(path, "".join(json.dumps(e) + "\n" for e in self.events()))

    def inherit(self, other: Path, stage: str) -> None:
        """Take over what another run measured of a stage that is taken from it, on the same evaluation data."""
        if not self.writer:
            return
        mine = [e for e in self.events() if e.get("stage") == stage]
        ours, theirs = _prints(self.path), _prints(other)
        same = {
            "validator": all(ours.get(role) == theirs.get(role) for role in ("source", "target")),
            "eval": ours.get("measured") == theirs.get("measured"),
        }
        for event in read_events(other):
            measured = same.get(event["event"], False) and event.get("data", self.measured_on) == self.measured_on
            if event.get("stage") == stage and measured and event not in mine:
                self.log(**event)

    def rewind(self, stage: str, step: int) -> None:
        """Forget what was logged of a stage after ``step``, and lines that a kill cut off: it will be logged again."""
        if not self.writer:
            return
        kept = [e for e in self.events() if e.get("stage") != stage or e["event"] != "step" or e["step"] <= step]
        if (self.path / "metrics.jsonl").is_file():
            atomic_write(self.path / "metrics.jsonl", "".join(json.dumps(e) + "\n" for e in kept))


def _prints(run: Path) -> dict[str, str]:
    """Fingerprints of the data that a run was started with; none of what is no run."""
    try:
        return dict(json.loads((run / "provenance.json").read_text(encoding="utf-8"))["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_events(run: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's metrics.jsonl; none where there is no such file."""
    path = run / "metrics.jsonl"
    out: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            out.append(json.loads(line))
        except ValueError:
            continue  # cut off by a kill
    return out


def git_commit() -> str | None:
    """Commit of the code's checkout, with ``+`` when files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:  # an environment that lies in somebody else's checkout is no part of it
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, check=True
        )
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed else "")


@typed
def clean(run: str | Path) -> list[str]:
    """Remove the intermediate data of a finished run: training states, pseudo-labels, statistics.

    Models and report stay.

    Returns:
        The removed paths, relative to the run.

    Raises:
        UserError: Not a run, or not finished.
    """
    path = Path(run)
    if not all((path / name).is_file() for name in ("config.yaml", "provenance.json")):
        raise UserError("not a run folder", path, "name the folder that --out gave")
    if not (path / "model.safetensors").is_file():
        raise UserError(
            "this run is not finished; its state is needed to continue",
            path,
            "finish it with the command in provenance.json, or delete the folder yourself",
        )
    stages = [path / "teacher", path / "batchnorm", *path.glob("round-*")]
    doomed = [*(s / "state.safetensors" for s in stages), *(s / "pseudo" for s in stages), path / "stats"]
    removed = []
    for p in doomed:
        if p.is_symlink():  # what it leads to may be another's
            p.unlink()
        elif p.is_dir():
            shutil.rmtree(p)
        elif p.is_file():
            p.unlink()
        else:
            continue
        removed.append(str(p.relative_to(path)))
    return removed
