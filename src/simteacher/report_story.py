"""The words of the report: a headline, the story of the run in a paragraph, and its numbers as tiles.

Everything is told from a `Run`; a sentence whose facts are missing is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simteacher.page import percent, points
from simteacher.report_data import Run
from simteacher.report_facts import (
    all_refused,
    gain_of,
    images_of,
    is_stand_in,
    join,
    labelled,
    minutes,
    model_of,
    pictures,
    scores,
    stage_title,
    unseen,
)
from simteacher.report_result import result, seen


class Tile(NamedTuple):
    """A number of the page's head: value, unit and what it means."""

    value: str
    unit: str
    meaning: str


def _time(value: float) -> str:
    if value < 1.5:
        return "a second" if 60 * value < 1.5 else f"{60 * value:.0f} seconds"
    return f"{value:.0f} minutes" if value < 90 else f"{value / 60:.1f} hours"


def status(run: Run) -> tuple[str, str]:
    """Style and words of the chip in the page's head."""
    if not run.finished:
        return "wait", "not finished"
    return ("bad", "finished, adaptation refused") if all_refused(run) else ("good", "finished")


def headline(run: Run) -> str:
    """One line that says what came out."""
    what = pictures(run)
    if not run.finished:
        return f"A run on {what}, not finished yet"
    before, after = scores(run)
    measured, value = after or before, gain_of(run).value
    if all_refused(run):
        stage = model_of(run)
        score = f" ({percent(measured['miou'])} %)" if measured else ""
        return (
            f"Adaptation was refused: the model is the {stage_title(stage.name if stage else 'teacher').lower()}{score}"
        )
    if value is not None:
        if points(value).startswith("+"):
            return f"{points(value)} points on {what}" + (" whose labels it never saw" if unseen(run) else "")
        return f"No gain on {what} this time: {points(value)} points"
    if measured:
        return f"{percent(measured['miou'])} % mean IoU on {what}"
    return f"A model for {what}, made without their labels" if unseen(run) else f"A model for {what}"


def story(run: Run) -> list[str]:
    """The sentences of the paragraph."""
    return [s for s in (_teacher(run), _rounds(run), _guard(run), result(run), _unfinished(run)) if s]


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
    rounds = [s for s in run.stages if s.name.startswith("round-")]
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
    unlabelled = f"{kind} nobody had labelled" if unseen(run) else f"{kind} whose labels it did not open"
    whose = f"{kind}, {known:,} of them labelled" if known else unlabelled
    then = f"Then it was shown {f'{count:,} ' if count else ''}"
    if known and known == count:
        return f"{then}{kind}, all of them labelled. {times} a student learned from these labels.{mean}"
    read = max(s.pseudo.get("photographs", 0) for s in rounds)
    them = f"{read:,} of them" if part_of_target(run) else "the others" if known else "them"
    return f"{then}{whose}. {times} the model labelled {them} itself, {kept}, and a student learned from those.{mean}"


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
        f"in the model.{_not_run(run)}"
    )


def _not_run(run: Run) -> str:
    """The rounds that a refusal left undone."""
    asked = (run.config.get("rounds") or {}).get("count")
    ran = sum(bool(s.guard) for s in run.stages)
    rest = [str(n) for n in range(ran + 1, asked + 1)] if run.finished and isinstance(asked, int) else []
    if not rest:
        return ""
    rounds, were = ("Rounds", "were") if len(rest) > 1 else ("Round", "was")
    return f" {rounds} {join(rest)} of the {asked} asked for {were} not run: a refusal ends them."


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


def part_of_target(run: Run) -> bool:
    """Whether rounds labelled some of the target's photographs and not all that have no labels."""
    count, known = images_of(run, "target"), images_of(run, "labelled") if labelled(run) else 0
    read = [s.pseudo["photographs"] for s in run.stages if "photographs" in s.pseudo]
    return bool(count and read and max(read) < count - (known or 0))


def coverages(run: Run) -> list[float]:
    """Share that each round kept of the pixels of the photographs that it labelled."""
    found = [s.pseudo.get("coverage") for s in run.stages]
    return [share for share in found if isinstance(share, float)]


def tiles(run: Run) -> list[Tile]:
    """Up to four numbers for the head of the page."""
    out = []
    before, after = scores(run)
    if before:
        how = "teacher, trained on synthetic images" + (" and labels" if labelled(run) else "")
        how = how if run.config.get("source") else "trained with labels"
        out.append(Tile(percent(before["miou"]), "% mIoU", how + ("" if after else _flattered(before))))
    if after and run.after:
        how = f"after adaptation ({stage_title(run.after.name).lower()})"
        out.append(Tile(percent(after["miou"]), "% mIoU", how + _flattered(after)))
    value, classes, left_out = gain_of(run)
    if value is not None:
        verb = "gained" if value >= 0 else "lost"
        how = verb if labelled(run) else f"{verb} without a label"
        out.append(
            Tile(points(value), "points", how + (f", over the {classes} classes scored both times" if left_out else ""))
        )
    if (spent := minutes(run.stages)) is not None:
        number, unit = _time(spent).split(" ")
        out.append(Tile(number, unit, "of training in all stages"))
    if not (before or after) and (kept := coverages(run)):
        whose = "of the pixels of these photographs" if part_of_target(run) else "of target pixels"
        out.append(Tile(percent(kept[-1], 0), "%", f"{whose} labelled by the model itself"))
    return out[:4]


def _flattered(event: dict[str, Any]) -> str:
    return f"; {told}" if (told := seen(event)) else ""
