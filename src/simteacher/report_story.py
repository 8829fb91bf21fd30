"""The words of the report: a headline, the story of the run in a paragraph, and its numbers as tiles.

Everything is told from a `Run`; a sentence whose facts are missing is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simteacher.page import percent, points
from simteacher.report_data import Run, Stage

STAND_IN = "stand-in"
TITLES = {"batchnorm": "Teacher, re-normalised"}  # the teacher with batch-norm statistics of the target


class Tile(NamedTuple):
    """A number of the page's head: value, unit and what it means."""

    value: str
    unit: str
    meaning: str


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


def _time(value: float) -> str:
    if value < 1.5:
        return "a second" if 60 * value < 1.5 else f"{60 * value:.0f} seconds"
    return f"{value:.0f} minutes" if value < 90 else f"{value / 60:.1f} hours"


def headline(run: Run) -> str:
    """One line that says what came out."""
    pictures = "stand-in pictures" if is_stand_in(run) else "photographs"
    if not run.finished:
        return f"A run on {pictures}, not finished yet"
    before, after = scores(run)
    if before and after:
        gain = after["miou"] - before["miou"]
        if gain > 0:
            return (
                f"{points(gain)} points on {pictures} whose labels it never saw"
                if _unseen(run)
                else f"{points(gain)} points on {pictures}"
            )
        return f"No gain on {pictures} this time: {points(gain)} points"
    if before:
        return f"{percent(before['miou'])} % mean IoU on {pictures}"
    return f"A model for {pictures}, made without their labels" if _unseen(run) else f"A model for {pictures}"


def labelled(run: Run) -> bool:
    """Whether target labels took part in training."""
    return run.config.get("labelled") not in (None, 0, "0")


def _unseen(run: Run) -> bool:
    """Whether no network of this run can have seen target labels: what another run learned is not known here."""
    given = (run.config.get("teacher") or {}).get("weights")
    start = (run.config.get("network") or {}).get("weights", "imagenet")
    return not labelled(run) and given in (None, "street") and start in ("imagenet", "none", "street")


def scores(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluations before and after on the same data; an empty dict stands for a missing one."""
    before = run.before.score(run.eval_data) if run.before else {}
    after = run.after.score(run.eval_data) if run.after else {}
    return before, after


def story(run: Run) -> list[str]:
    """The sentences of the paragraph."""
    return [s for s in (_teacher(run), _rounds(run), _guard(run), _result(run), _unfinished(run)) if s]


def _teacher(run: Run) -> str:
    stage = run.before
    if stage is None:
        return ""
    given = (run.config.get("teacher") or {}).get("weights")
    if given:
        what = ", a network that reads streets from synthetic images alone," if given == "street" else ""
        return f"The teacher{what} was trained before ({given})."
    if not stage.steps:
        return ""
    spent = minutes([stage])
    took = f" in {_time(spent)}" if spent else ""
    if not run.config.get("source"):
        return f"A network learned to read streets from labelled photographs of the target{took}.{_start(run)}"
    count = images_of(run, "source")
    images = f"{count:,} synthetic images" if count else "synthetic images"
    known = images_of(run, "labelled") if labelled(run) else 0
    alone, more = ("", f", and from {known:,} labelled photographs") if known else (" alone", "")
    return (
        f"A network, the teacher, learned to read streets{took} from {images}{alone}, whose every pixel comes labelled "
        f"from the simulator{more}.{_start(run)}"
    )


def _start(run: Run) -> str:
    """What the network knew before, where that was a model."""
    weights = (run.config.get("network") or {}).get("weights", "imagenet")
    if weights in ("imagenet", "none"):
        return ""
    known = ", the network that comes with the tool and has seen renders alone" if weights == "street" else ""
    return f" It started from “{weights}”{known}."


def _rounds(run: Run) -> str:
    rounds = [s for s in run.stages if s.pseudo]
    if not rounds:
        return ""
    count = images_of(run, "target")
    kind = "stand-in pictures" if is_stand_in(run) else "photographs"
    shares = coverages(run)
    kept = f"kept the surest pixels ({join([f'{percent(share, 0)} %' for share in shares] or ['part'])})"
    if shares and min(shares) > 0.995:
        kept = "used every pixel, weighed by its confidence"
    how = run.config.get("rounds") or {}
    keep = how.get("keep", 0.0) if how.get("start", "teacher") == "teacher" else 0.0
    mean = f" The student keeps {percent(keep, 0)} % of the weights of its teacher, against forgetting." if keep else ""
    times = "In one round" if len(rounds) == 1 else f"In {len(rounds)} rounds"
    known = images_of(run, "labelled") if labelled(run) else 0
    unlabelled = f"{kind} nobody had labelled" if _unseen(run) else f"{kind} whose labels it did not open"
    whose = f"{kind}, {known:,} of them labelled" if known else unlabelled
    them = "the others" if known else "them"
    return (
        f"Then it was shown {f'{count:,} ' if count else ''}{whose}. {times} the model labelled "
        f"{them} itself, {kept}, and a student learned from those.{mean}"
    )


def _guard(run: Run) -> str:
    judged = [s for s in run.stages if s.guard]
    if not judged:
        return ""
    refused = [s for s in judged if s.reverted]
    if not refused:
        return "A guard that watches for collapse without any label let every round pass."
    why = next((str(r) for s in refused for r in s.guard.get("reasons", [])), "")
    names = join([stage_title(s.name).lower() for s in refused])
    because = f" ({why})" if why else ""
    return (
        f"A guard that watches for collapse without any label refused {names}{because}; what was learned there is not "
        "in the model."
    )


def _result(run: Run) -> str:
    before, after = scores(run)
    where = f"On {run.eval_data}" + (", whose labels were opened only to measure" if not labelled(run) else "")
    if not before and not after:
        return "No labels for measuring were given, so there is no score here: the pictures below are the evidence."
    if not before or not after:
        return f"{where}, mean IoU is {percent((before or after)['miou'])} %."
    gain = after["miou"] - before["miou"]
    verb = "rose" if gain > 0 else "went"
    was = before["iou"]
    changes = {k: v - was[k] for k, v in after["iou"].items() if v is not None and was.get(k) is not None}
    ups = sorted((k for k, v in changes.items() if v > 0.005), key=lambda k: -changes[k])[:3]
    downs = sorted((k for k, v in changes.items() if v < -0.005), key=lambda k: changes[k])[:3]
    text = f"{where}, mean IoU {verb} from {percent(before['miou'])} to {percent(after['miou'])} %"
    text += f" ({points(gain)} points)"
    if ups:
        text += f", most for {join([f'{k} ({points(changes[k])})' for k in ups])}"
    if downs:
        text += f"; it fell for {join([f'{k} ({points(changes[k])})' for k in downs])}"
    return text + "."


def _unfinished(run: Run) -> str:
    if run.finished:
        return ""
    last = run.stages[-1] if run.stages else None
    where = (
        f" It stands at step {last.steps[-1]['step']} of {stage_title(last.name).lower()}."
        if last and last.steps
        else ""
    )
    return f"This run is not finished.{where} The command below continues it from there."


def coverages(run: Run) -> list[float]:
    """Share of the target's pixels that each round kept."""
    found = [s.pseudo.get("coverage") for s in run.stages]
    return [share for share in found if isinstance(share, float)]


def tiles(run: Run) -> list[Tile]:
    """Up to four numbers for the head of the page."""
    out = []
    before, after = scores(run)
    if before:
        how = "teacher, trained on synthetic images" + (" and labels" if labelled(run) else "")
        how = how if run.config.get("source") else "trained with labels"
        out.append(Tile(percent(before["miou"]), "% mIoU", how))
    if after and run.after:
        out.append(Tile(percent(after["miou"]), "% mIoU", f"after adaptation ({stage_title(run.after.name).lower()})"))
    if before and after:
        gain = after["miou"] - before["miou"]
        verb = "gained" if gain >= 0 else "lost"
        out.append(Tile(points(gain), "points", verb if labelled(run) else f"{verb} without a label"))
    if (spent := minutes(run.stages)) is not None:
        value, unit = _time(spent).split(" ")
        out.append(Tile(value, unit, "of training in all stages"))
    if not (before or after) and (kept := coverages(run)):
        out.append(Tile(percent(kept[-1], 0), "%", "of target pixels labelled by the model itself"))
    return out[:4]
