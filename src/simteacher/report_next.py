"""What to do with a run, as commands that can be copied: the end of the first screen of its report."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from simteacher.report_data import Run
from simteacher.report_facts import all_refused, images_of, is_stand_in, scores


class Step(NamedTuple):
    """One thing to do: why, and the command line."""

    what: str
    command: str


def next_steps(run: Run) -> list[Step]:
    """The commands that come next; words in capitals in them are for the reader to fill in."""
    if not run.finished:
        command = str(run.provenance.get("command") or "")
        return [Step("Continue this run with the command that began it:", command)] if command else []
    path = str(run.path)
    use = [
        Step("Read photographs with the model:", f"simteacher predict {shlex.quote(path)} PHOTOGRAPHS"),
        Step("Take it elsewhere as one file:", f"simteacher export {shlex.quote(path)} model.onnx"),
    ]
    return [*_own(run), *_again(run, path), *use, *_measure(run, path)]


def _own(run: Run) -> list[Step]:
    """After a stand-in: photographs of one's own."""
    if not is_stand_in(run):
        return []
    source = shlex.quote(str(run.config.get("source")))
    command = f"simteacher adapt quick --source {source} --target PHOTOGRAPHS --out runs/mine"
    return [Step("Adapt to photographs of your own:", command)]


def _again(run: Run, path: str) -> list[Step]:
    """After a refusal: gentler rounds."""
    if not all_refused(run):
        return []
    rate = (run.config.get("rounds") or {}).get("lr_factor", 0.5)
    gentler = f"rounds.lr_factor={rate / 2:g}" if isinstance(rate, int | float) else "rounds.lr_factor=0.25"
    words = ["simteacher", "adapt", f"{path}/config.yaml", "--out", f"{path}-gentler", "--set", gentler]
    what = "Try rounds that learn in smaller steps; troubleshooting, “All rounds are set aside”, says what else helps:"
    return [Step(what, shlex.join(words))]


def _measure(run: Run, path: str) -> list[Step]:
    """Where nothing is measured: how to, on photographs chosen by chance; and which labels would teach most."""
    target = run.config.get("target")
    if any(scores(run)) or not target:
        return []
    split, count = run.config.get("target_split"), min(20, max(1, (images_of(run, "target") or 40) // 2))
    budget = [*(["--split", str(split)] if split else []), "--budget", str(count)]
    words = ["simteacher", "select", path, str(target), *budget]
    measure = f"simteacher evaluate {shlex.quote(path)} LABELLED"
    return [
        Step("Nothing is measured. Once some photographs, chosen by chance, are labelled:", measure),
        Step("To teach it, choose others whose labels are worth most:", shlex.join(words)),
    ]
