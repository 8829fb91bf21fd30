"""One HTML file that tells a run: `simteacher report RUN` reads that folder, nothing else, and writes report.html.

The file opens offline in any browser: pictures, charts, style and the little script of the slider are inside. An
unfinished run gives the part of the page that exists so far.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from simteacher import report_facts as about
from simteacher import report_plots as plots
from simteacher import report_story as words
from simteacher.files import atomic_write
from simteacher.page import page
from simteacher.report_data import Run, Stage, read_run
from simteacher.report_next import next_steps
from simteacher.report_pictures import samples, worst
from simteacher.report_result import left_out
from simteacher.typed import typed

_GREY = (136, 136, 136)
VALIDATORS = {
    "flip": "pixels that keep their class when the photograph is mirrored",
    "scale": "… when it is shrunk",
    "colour": "… when its colours change",
    "agreement": "the three above as mean IoU: a class that vanished counts 0",
    "entropy": "sureness; rises in a collapse too, so it warns and never decides",
    "information": "sure of each pixel, and all classes in use",
    "snd": "soft neighbourhood density: each pixel resembles a clear group of others",
    "bnm": "batch nuclear norm: predictions are sure and diverse",
    "source": "mean IoU on the synthetic images",
    "dev": "deep embedded validation: error on the synthetic images most like the target, negated",
}


@typed
def report(run: str | Path) -> Path:
    """Write ``report.html`` into a run folder, finished or not.

    Args:
        run: The folder that ``adapt`` or ``demo`` wrote.

    Returns:
        The file written.

    Raises:
        UserError: The folder is no run, or the file cannot be written.
    """
    path = Path(run)
    out = path / "report.html"
    atomic_write(out, render(read_run(path)))
    return out


def render(run: Run) -> str:
    """The page as text."""
    before, after = about.scores(run)
    return page(
        "report.html.j2",
        run=run,
        name=run.path.resolve().name,
        headline=words.headline(run),
        story=words.story(run),
        tiles=words.tiles(run),
        status=words.status(run),
        next_steps=next_steps(run),
        stand_in=about.is_stand_in(run),
        before=run.before,
        after=run.after,
        right=right_stage(run),
        score=(before, after),
        gain=about.gain_of(run).value,
        left_out=left_out(run),
        eval_data=run.eval_data,
        rows=class_rows(run, before, after),
        samples=samples(run),
        worst=worst(run.after or run.before, run.path),
        colours={name: _css(colour) for name, colour in colours(run).items()},
        curves=[(stage.name, loss_chart(stage), legend(stage)) for stage in run.stages if stage.steps],
        progress=Markup(miou_chart(run)),
        uneven=uneven(run),
        rounds=[(s, guard_rows(s)) for s in run.stages if s.pseudo or s.guard],
        part=words.part_of_target(run),
        shares=[(s.name, Markup(share_chart(run, s))) for s in run.stages if s.pseudo.get("class_share")],
        validators=validator_table(run.stages),
        facts=facts(run),
        command=run.provenance.get("command", ""),
        titles=titles(run),
        heads=heads(run),
        version=versions(run).get("simteacher", ""),
    )


def titles(run: Run) -> dict[str, str]:
    """Stage -> what the page calls it; without a source nobody is a teacher."""
    found = {stage.name: about.stage_title(stage.name) for stage in run.stages}
    return found if run.config.get("source") or "teacher" not in found else {**found, "teacher": "Model"}


def heads(run: Run) -> dict[str, str]:
    """`titles` for the heads of charts and tables, which say what was refused."""
    return {s.name: titles(run)[s.name] + (" (refused)" if s.reverted else "") for s in run.stages}


def right_stage(run: Run) -> str:
    """The stage that the slider shows on the right at first: the model, else the last that drew samples."""
    if run.after and run.after.samples:
        return run.after.name
    return next((s.name for s in reversed(run.stages) if s.samples), "")


def colours(run: Run) -> dict[str, tuple[int, int, int]]:
    """Class name -> colour, from the model card; grey for classes that only the log names."""
    space = run.card.get("space", {})
    known = {n: (c[0], c[1], c[2]) for n, c in zip(space.get("classes", ()), space.get("colors", ()), strict=False)}
    logged = [
        *(e.get("iou", {}) for s in run.stages for e in s.evals),
        *(s.pseudo.get("class_share", {}) for s in run.stages),
    ]
    return known or dict.fromkeys((name for names in logged for name in names), _GREY)


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def class_rows(run: Run, before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a class of the before/after table: name, both IoUs, their difference and the drawn dumbbell."""
    first, last = before.get("iou", {}), after.get("iou", {})
    rows = []
    for name in dict.fromkeys([*first, *last]):
        a, b = first.get(name), last.get(name)
        change = b - a if a is not None and b is not None else None
        rows.append({"name": name, "before": a, "after": b, "change": change, "plot": Markup(plots.dumbbell(a, b))})
    return rows


def loss_chart(stage: Stage) -> Markup:
    """Loss and its named parts over the steps of one stage."""
    last = stage.steps[-1]["step"]
    steps = [e for e in stage.steps if e["step"] >= 0.02 * last]  # the very first losses would flatten all others
    total = [(e["step"], e["loss"]) for e in steps if "loss" in e]
    series = [plots.Series("each step", total, "raw"), plots.Series("loss", plots.smooth(total), "main")]
    for colour, name in enumerate(_parts(stage), 1):
        logged = [(e["step"], e["losses"][name]) for e in steps if name in e.get("losses", {})]
        series.append(plots.Series(name, plots.smooth(logged), colour=colour % 6))
    return Markup(plots.line_chart(series, f"Training loss of {about.stage_title(stage.name)}"))


def _parts(stage: Stage) -> list[str]:
    """Names of the losses of a stage, unless there is only one, which then equals the sum."""
    names = list(dict.fromkeys(name for e in stage.steps for name in e.get("losses", {})))
    return names if len(names) > 1 else []


def legend(stage: Stage) -> list[str]:
    """Names of the curves of `loss_chart` in the order of their colours."""
    parts = _parts(stage)
    return ["all together" if parts else "loss", *parts]


def miou_chart(run: Run) -> str:
    """Mean IoU after each stage, if there are at least two to compare."""
    values = [(s, s.score(run.eval_data)) for s in run.stages]
    dots = [(float(n), 100 * e["miou"]) for n, (_, e) in enumerate(values) if e]
    if len(dots) < 2:
        return ""
    names = list(heads(run).values())
    return plots.line_chart([plots.Series("mean IoU", dots, "main")], "Mean IoU after each stage", "", x_names=names)


def uneven(run: Run) -> str:
    """Classes that are in the mean of some stages only, as words."""
    ious = [e.get("iou") or {} for e in (s.score(run.eval_data) for s in run.stages) if e]
    known = [{name for name, value in iou.items() if value is not None} for iou in ious]
    names = [name for iou in ious[:1] for name in iou if 0 < sum(name in one for one in known) < len(known)]
    return about.join(names) if names else ""


def share_chart(run: Run, stage: Stage) -> str:
    """Class shares of a round's pseudo-labels as one bar."""
    paint = colours(run)
    shares = [(k, float(v), _css(paint.get(k, _GREY))) for k, v in stage.pseudo["class_share"].items() if v]
    return plots.stacked(shares, f"Class shares of the labels of {about.stage_title(stage.name)}")


def guard_rows(stage: Stage) -> list[tuple[str, str]]:
    """What the guard measured, as name and text in per cent; pairs are before and after the round."""

    def number(value: Any) -> str:
        return f"{100 * value:.3g} %" if isinstance(value, float) else str(value)

    rows: list[tuple[str, str]] = []
    for name, value in stage.guard.get("signals", {}).items():
        for key, one in value.items() if isinstance(value, dict) else [("", value)]:
            pair = isinstance(one, list) and len(one) == 2
            rows.append(
                (f"{name} {key}".replace("_", " ").strip(), " → ".join(map(number, one)) if pair else number(one))
            )
    return rows


def validator_table(stages: list[Stage]) -> dict[str, Any]:
    """Label-free scores: stage names, and for each score its name, meaning, values by stage and the best of them.

    What the guard refused is never the best; where nothing else is to be compared, nothing is.
    """
    judged = [s for s in stages if s.validators]
    stand = [s for s in judged if not s.reverted]
    names = list(dict.fromkeys(name for s in judged for name in s.validators))
    rows = []
    for name in names:
        values = [(s.validators.get(name), not s.reverted) for s in judged]
        known = [v for s in stand if (v := s.validators.get(name)) is not None]
        rows.append((name, VALIDATORS.get(name, ""), values, max(known) if len(known) > 1 else None))
    return {"stages": [s.name for s in judged], "rows": rows, "compared": len(stand) > 1}


def versions(run: Run) -> dict[str, str]:
    """Package versions that provenance holds."""
    found = dict(run.provenance.get("versions") or {})
    return {**({"simteacher": run.provenance["simteacher"]} if "simteacher" in run.provenance else {}), **found}


def facts(run: Run) -> list[tuple[str, str]]:
    """Provenance as rows of name and value; nested values get dotted names."""
    out: list[tuple[str, str]] = []

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif value is not None and prefix != "command":
            out.append((prefix, value if isinstance(value, str) else json.dumps(value)))

    walk("", run.provenance)
    return out
