"""Commands about models and runs: demo, adapt, evaluate, predict, export, report, experiment, clean.

Each is the Python function of its name; the heavy import is inside each command, so that ``--help`` is quick.
"""

from __future__ import annotations

from shlex import quote
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from simteacher.cli_data import Classes, Data, Json, Model, Split, flag
from simteacher.cli_help import epilogue
from simteacher.progress import say

Run = Annotated[str, Parameter(help="A run folder, as --out of adapt or demo made it.")]
Source = Annotated[str | None, Parameter(help="The labelled synthetic set; needed where no labels are given.")]
Target = Annotated[str | None, Parameter(help="The photographs to learn, needed; their labels are not opened.")]
Keys = Annotated[list[str] | None, Parameter(help="Recipe keys: --set seed=3 rounds.count=1", negative="")]
Views = Annotated[
    Literal[1, 2, 3] | None,
    Parameter(help="How often each picture is read: 3, as mostly, finds more; 1 takes a seventh of the time."),
]
Recipe = Annotated[
    str, Parameter(help="A YAML file, or one that comes with the tool: quick, laptop, supervised, teacher, smoke.")
]


def demo(
    *,
    out: Annotated[str, Parameter(help="The run folder to write.")] = "runs/demo",
    data: Annotated[str | None, Parameter(help="Your photographs; without them a rendered stand-in.")] = None,
) -> None:
    """Show all of it in a few minutes: render, train a teacher, adapt it, measure, report."""
    import simteacher

    simteacher.demo(out, data=data)


def adapt(
    recipe: Recipe = "laptop",
    /,
    *,
    source: Source = None,
    target: Target = None,
    labelled: Annotated[str | None, Parameter(help="Labelled photographs: a number, all, or a file of names.")] = None,
    out: Annotated[str | None, Parameter(help="The run folder; runs/RECIPE by default.")] = None,
    set: Keys = None,
) -> None:
    """Train a teacher on the source and adapt it to the target; continues a run that was interrupted."""
    import simteacher
    from simteacher.contradictions import require_data
    from simteacher.recipe_file import load_recipe, parse_set, with_options

    keys = parse_set(set or [])
    given = {"source": source, "target": target, "labelled": labelled}
    require_data(load_recipe(recipe, with_options(keys, given)))  # before torch is imported
    run = simteacher.adapt(recipe, source=source, target=target, labelled=labelled, out=out, set=keys)
    say(f"{run}: done; its story: {run / 'report.html'}; to use it: simteacher predict {quote(str(run))} PHOTOGRAPHS")


def evaluate(
    model: Model,
    data: Data,
    /,
    *,
    split: Split = None,
    classes: Classes = None,
    views: Views = None,
    json: Json = False,
) -> None:
    """Measure a model on labelled photographs: IoU of each class, their mean, pixel accuracy."""
    import simteacher
    from simteacher.show import print_json, print_scores

    result = simteacher.evaluate(model, data, split=split, classes=classes, views=views)
    (print_json if json else print_scores)(result)


def predict(
    model: Model,
    input: Annotated[
        str | None,
        Parameter(help="An image, a folder, a glob in quotes, or a video. Given alone, street reads it."),
    ] = None,
    out: Annotated[
        str | None,
        Parameter(help="The folder to write, a data set itself; of one video also a video; else runs/predict/NAME."),
    ] = None,
    /,
    *,
    scale: Annotated[
        float, Parameter(help="1 sees things as large as in training, 2 twice as close: slower, finer.")
    ] = 1.0,
    views: Views = None,
) -> None:
    """Read photographs or a video with a model: class map, colour overlay, confidence. `predict photo.jpg` will do."""
    import simteacher

    folder = simteacher.predict(model, input, out, scale=scale, views=views)
    painted = sorted((folder / "overlays").glob("*"))
    look = painted[0] if len(painted) == 1 else folder / "overlays"
    say(f"{folder}: written" + (f"; look at {look}; its colours: {folder / 'legend.png'}" if painted else ""))


def export(
    model: Model,
    out: Annotated[str, Parameter(help="OUT.onnx")],
    /,
    *,
    data: Annotated[
        str | None,
        Parameter(help="Pictures to verify on, with labels also to measure int8 on; by default the run's samples."),
    ] = None,
    split: Split = None,
    int8: Annotated[bool, flag("Write OUT-int8.onnx too, quantised, and say what that costs.")] = False,
) -> None:
    """Write a model as ONNX, verified against PyTorch."""
    import simteacher

    simteacher.export(model, out, data=data, split=split, int8=int8)


def report(run: Run, /) -> None:
    """Tell the story of a run in one self-contained HTML file."""
    import simteacher

    say(f"{simteacher.report(run)}: open it in a browser")


def experiment(
    kind: Annotated[Literal["stages", "labels", "methods", "models", "sizes"], Parameter(help="Which comparison.")],
    recipe: Recipe,
    /,
    *,
    out: Annotated[str | None, Parameter(help="The folder of its runs; runs/KIND-RECIPE by default.")] = None,
    source: Source = None,
    target: Target = None,
    eval: Annotated[str | None, Parameter(help="Labelled photographs to measure on; never used to choose.")] = None,
    eval_split: Split = None,
    seeds: Annotated[int, Parameter(help="How many, counted from the recipe's.")] = 3,
    rows: Annotated[str | None, Parameter(help="Some rows only, by name, separated by semicolons.")] = None,
    set: Keys = None,
) -> None:
    """Run one of the comparisons of the method, with every row at the same budget; finished rows stay."""
    import simteacher
    from simteacher.recipe_file import parse_set

    keys = parse_set(set or [])
    folder = simteacher.experiment(
        kind,
        recipe,
        out,
        source=source,
        target=target,
        eval=eval,
        eval_split=eval_split,
        seeds=seeds,
        rows=rows,
        set=keys,
    )
    say(f"{folder}: done")


def clean(run: Run, /) -> None:
    """Remove the intermediate data of a finished run; models, numbers and report stay."""
    import simteacher

    removed = simteacher.clean(run)
    say("\n".join(["removed", *removed]) if removed else "nothing to remove")


GROUP = Group("Models and runs", sort_key=2)
COMMANDS = (demo, adapt, evaluate, predict, export, report, experiment, clean)


def register(app: App) -> None:
    """Add these commands to the command line."""
    for command in COMMANDS:
        app.command(command, group=GROUP, help_epilogue=epilogue(command.__name__))
