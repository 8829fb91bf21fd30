"""The sentences of the report about the measurement: how much was gained, on what, and how far to believe it."""

from __future__ import annotations

from typing import Any

from simteacher.page import percent, points
from simteacher.report_data import Run
from simteacher.report_facts import gain_of, is_stand_in, join, labelled, model_of, scores, seen_labels, stage_title

FEW = 100  # photographs; of fewer, one or two decide
SMALL = 0.03  # of mean IoU: seeds of one recipe differ by as much


def result(run: Run) -> str:
    """What was measured, in a few sentences."""
    before, after = scores(run)
    last = after or before
    if not last:
        return _nothing(run)
    sentences = [_measured(run), left_out(run), _chance(run, last), _sentence(seen(last)), _unnameable(last)]
    return " ".join(s for s in sentences if s)


def _nothing(run: Run) -> str:
    if not run.config.get("eval_data"):
        return "No labels for measuring were given, so there is no score here: the pictures below are the evidence."
    if not run.finished:
        return "It is not measured yet: that comes at the end of each stage."
    return "The labels given for measuring led to no score."


def _measured(run: Run) -> str:
    before, after = scores(run)
    many = _count(run, after or before)
    where = f"On {run.eval_data}" + (f" ({many})" if many else "")
    where += ", whose labels were opened only to measure" if not labelled(run) else ""
    value, classes, missing = gain_of(run)
    if value is None:
        stage = model_of(run) if after else run.before
        whose = f" of the {stage_title(stage.name).lower()}" if stage and run.config.get("source") else ""
        return f"{where}, mean IoU{whose} is {percent((after or before)['miou'])} %."
    first, last, change = percent(before["miou"]), percent(after["miou"]), points(value)
    rose = change.startswith("+")
    if missing:  # then the difference of the means is not the gain
        text = f"{where}, mean IoU is {first} % before and {last} % after; over the {classes} classes that have a score"
        moved = "stayed as it was" if change == "0.0" else f"{'rose' if rose else 'fell'} by {change[1:]} points"
        text += f" both times it {moved}"
    else:
        text = f"{where}, mean IoU {'rose' if rose else 'went'} from {first} to {last} % ({change} points)"
    was = before["iou"]
    changes = {k: v - was[k] for k, v in after["iou"].items() if v is not None and was.get(k) is not None}
    ups = sorted((k for k, v in changes.items() if v > 0.005), key=lambda k: -changes[k])[:3]
    downs = sorted((k for k, v in changes.items() if v < -0.005), key=lambda k: changes[k])[:3]
    if ups:
        text += f"{', most for' if rose else '; it rose for'} {join([f'{k} ({points(changes[k])})' for k in ups])}"
    if downs:
        text += f"; it fell for {join([f'{k} ({points(changes[k])})' for k in downs])}"
    return text + "."


def left_out(run: Run) -> str:
    """Which classes the gain is not about, or nothing."""
    missing = gain_of(run).left_out
    if not missing:
        return ""
    are = "is" if len(missing) == 1 else "are"
    return (
        f"{join(missing)} {are} left out of the gain, scored in one of the two alone: a class that is neither in the "
        "labels nor predicted has no score."
    )


def _number(event: dict[str, Any]) -> int | None:
    count = event.get("images")
    return count if isinstance(count, int) else None


def _count(run: Run, event: dict[str, Any]) -> str:
    """How many there were, as ``10 photographs``; empty where the log does not say."""
    count, what = _number(event), "picture" if is_stand_in(run) else "photograph"
    return "" if count is None else f"{count:,} {what}{'' if count == 1 else 's'}"


def _chance(run: Run, event: dict[str, Any]) -> str:
    """Whether what differs could be luck: a run is one seed."""
    value, count = gain_of(run).value, _number(event)
    if value is None:
        return ""
    if count is not None and count < FEW:
        return f"From {_count(run, event)} and one seed, such a difference may be chance."
    return "Seeds differ by some points: so small a difference, from one, may be chance." if abs(value) < SMALL else ""


def seen(event: dict[str, Any]) -> str:
    """That photographs measured on were trained on with their labels, or nothing."""
    count, images = seen_labels(event), _number(event)
    if not count:
        return ""
    of = f" of the {images:,}" if images else ""
    were = "was" if count == 1 else "were"
    return f"{count:,}{of} {were} trained on with their labels, so this number flatters"


def _sentence(text: str) -> str:
    return f"{text}." if text else ""


def _unnameable(event: dict[str, Any]) -> str:
    """That the labels cannot show some of the model's classes."""
    names = [str(n) for n in event.get("unnameable") or ()]
    if not names:
        return ""
    they = "it counts" if len(names) == 1 else "they count"
    return (
        f"These labels cannot show {join(names)}: {they} 0 in the mean wherever the model names "
        f"{'it' if len(names) == 1 else 'them'}; simteacher evaluate --classes NAME measures in the set's own classes."
    )
