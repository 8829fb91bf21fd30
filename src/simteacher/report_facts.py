"""Facts of a run that several parts of its report tell: what it learned from, its scores, what the guard refused."""

from __future__ import annotations

from typing import Any

from simteacher.metrics import Gain, gain
from simteacher.report_data import Run, Stage

STAND_IN = "stand-in"
TITLES = {"batchnorm": "Teacher, re-normalised"}  # the teacher with batch-norm statistics of the target


def is_stand_in(run: Run) -> bool:
    """Whether the target was the embedded stand-in: its data set says so, or its path does."""
    target = run.config.get("target")
    about = data_of(run, "target")
    words = f"{target} {about}".lower().replace("_", "-")
    return STAND_IN in words


def data_of(run: Run, role: str) -> dict[str, Any]:
    """What provenance says about the source or the target; empty where it says nothing."""
    data = run.provenance.get("data")
    found = data.get(role) if isinstance(data, dict) else run.provenance.get(role)
    return found if isinstance(found, dict) else {}


def images_of(run: Run, role: str) -> int | None:
    """Number of images of the source or target, where provenance holds it."""
    images = run.provenance.get("images")
    count = images.get(role) if isinstance(images, dict) else data_of(run, role).get("images")
    return count if isinstance(count, int) else None


def stage_title(name: str) -> str:
    """``round-1`` -> ``Round 1``."""
    return TITLES.get(name) or name.replace("-", " ").capitalize()


def join(words: list[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def minutes(stages: list[Stage]) -> float | None:
    """Training time of stages in minutes: steps taken times the seconds a step that the last one logged."""
    last = [s.steps[-1] for s in stages if s.steps]
    known = [e["step"] * e["seconds"] for e in last if isinstance(e.get("seconds"), int | float)]
    return sum(known) / 60 if known else None


def labelled(run: Run) -> bool:
    """Whether target labels took part in training."""
    return run.config.get("labelled") not in (None, 0, "0") or any(seen_labels(event) for event in scores(run))


def unseen(run: Run) -> bool:
    """Whether no network of this run can have seen target labels: what another run learned is not known here."""
    given = (run.config.get("teacher") or {}).get("weights")
    start = (run.config.get("network") or {}).get("weights", "imagenet")
    return not labelled(run) and given in (None, "street") and start in ("imagenet", "none", "street")


def scores(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluations before and after on the same data; an empty dict stands for a missing one."""
    before = run.before.score(run.eval_data) if run.before else {}
    after = run.after.score(run.eval_data) if run.after else {}
    return before, after


def gain_of(run: Run) -> Gain:
    """By how much the mean IoU changed over the classes scored both before and after."""
    before, after = scores(run)
    return gain(before.get("iou") or {}, after.get("iou") or {}) if before and after else Gain(None, 0, [])


def seen_labels(event: dict[str, Any]) -> int:
    """How many of the photographs of an evaluation were trained on with their labels."""
    count = event.get("seen_labels")
    return count if isinstance(count, int) else 0


def all_refused(run: Run) -> bool:
    """Whether the guard refused every round of a finished run, so that the model is what the rounds started from."""
    judged = [s for s in run.stages if s.guard]
    return run.finished and bool(judged) and all(s.reverted for s in judged)


def model_of(run: Run) -> Stage | None:
    """The stage that became the model, or so far would."""
    return run.after or run.before


def pictures(run: Run) -> str:
    """What the target's images are called."""
    return "stand-in pictures" if is_stand_in(run) else "photographs"
