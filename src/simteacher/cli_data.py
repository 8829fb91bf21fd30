"""Commands about data: render, check, translate, label, select, handover. Each is the Python function of its name.

The heavy import is inside each command, so that ``--help`` is quick.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from simteacher.cli_help import epilogue
from simteacher.errors import UserError

DATA_HELP = "A data set: FORMAT:PATH, or PATH alone, then its layout is recognised."
MODEL_HELP = (
    "A run folder, a stage of one (RUN/teacher), a model.safetensors, a .onnx file, "
    "or street: the teacher that comes with the tool."
)
SPLIT_HELP = "train, val, test or what the set calls its parts."
CLASSES_HELP = "Label space: cityscapes19, cityscapes16, cityscapes13, camvid11 or a YAML file."

Data = Annotated[str, Parameter(help=DATA_HELP)]
Model = Annotated[str, Parameter(help=MODEL_HELP)]
Out = Annotated[str, Parameter(help="The folder to write, a data set itself.")]
Split = Annotated[str | None, Parameter(help=SPLIT_HELP)]
Classes = Annotated[str | None, Parameter(help=CLASSES_HELP)]
Part = Annotated[
    str | None, Parameter(help="K/N: only the K-th of N shares, for jobs that share OUT; without it, finish the set.")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object instead of a table.")]


def flag(help: str) -> Parameter:
    """A switch without a ``--no-`` form."""
    return Parameter(negative="", help=help)


def size_of(text: str) -> tuple[int, int]:
    """``"480x360"`` -> (480, 360), width and height in pixels."""
    match = re.fullmatch(r"(\d+)\s*[xX×,]\s*(\d+)", text.strip())
    if match is None or not int(match[1]) or not int(match[2]):
        raise UserError(f"'{text}' is not a size", "--size", "give width x height in pixels, for example 480x360")
    return int(match[1]), int(match[2])


def render(
    out: Out,
    /,
    *,
    frames: Annotated[int, Parameter(help="How many images.")] = 500,
    size: Annotated[str | None, Parameter(help="Width x height in pixels; that of --like, or 480x360.")] = None,
    seed: Annotated[int, Parameter(help="The same seed gives the same images.")] = 0,
    scene: Annotated[str | None, Parameter(help="A YAML file: streets, light, weather, camera, objects.")] = None,
    like: Annotated[
        str | None, Parameter(help="A set of photographs whose camera and streets to come close to.")
    ] = None,
    sequence: Annotated[bool, flag("Consecutive frames with optical flow, instead of single ones.")] = False,
    workers: Annotated[int | None, Parameter(help="Processes; by default one a processor.")] = None,
    format: Annotated[Literal["folder", "cityscapes", "coco", "kitti"], Parameter(help="Layout to write.")] = "folder",
    part: Part = None,
    video: Annotated[bool, flag("With --sequence: also a video of every clip.")] = False,
) -> None:
    """Draw labelled street scenes; continues a set that was interrupted."""
    import simteacher

    simteacher.render(
        out,
        frames=frames,
        size=None if size is None else size_of(size),
        seed=seed,
        scene=scene,
        like=like,
        sequence=sequence,
        workers=workers,
        format=format,
        part=part,
        video=video,
    )


def check(
    data: Data,
    /,
    *,
    split: Split = None,
    target: Annotated[str | None, Parameter(help="The photographs to compare with: classes, shares, sizes.")] = None,
    classes: Classes = None,
    recipe: Annotated[str, Parameter(help="With --target: what adapt would be called with.")] = "laptop",
    json: Json = False,
) -> int:
    """Look at a data set: pairs, sizes, label values, class shares; with --target what adapt would take.

    Trains and writes nothing. Exits 1 if it finds problems.
    """
    import simteacher
    from simteacher.show import print_check, print_json

    result = simteacher.check(data, split=split, target=target, classes=classes, recipe=recipe)
    (print_json if json else print_check)(result)
    return 1 if result["problems"] else 0


def translate(
    source: Data,
    target: Annotated[str, Parameter(help="The photographs to come close to; their labels are not opened.")],
    out: Out,
    /,
    *,
    method: Annotated[
        Literal["color", "histogram", "fda", "cyclegan", "cut"],
        Parameter(help="color: Reinhard's in Lab. cyclegan and cut train first."),
    ] = "color",
    seed: Annotated[int, Parameter(help="Draws photographs, weights and crops.")] = 0,
    beta: Annotated[float | None, Parameter(help="fda: share of the spectrum to take over; 0.01.")] = None,
    budget: Annotated[
        Literal["small", "paper"] | None, Parameter(help="cyclegan, cut: small, for a CPU, or paper, as published.")
    ] = None,
    steps: Annotated[int | None, Parameter(help="cyclegan, cut: optimiser steps, instead of the budget's.")] = None,
    crop: Annotated[int | None, Parameter(help="cyclegan, cut: pixels of the square that a step sees.")] = None,
    height: Annotated[int | None, Parameter(help="cyclegan, cut: images are scaled to this height.")] = None,
    channels: Annotated[int | None, Parameter(help="cyclegan, cut: width of the networks' first layer.")] = None,
    blocks: Annotated[int | None, Parameter(help="cyclegan, cut: residual blocks of the generator.")] = None,
    check: Annotated[
        str | None, Parameter(help="A model that reads the images before and after: do the labels still fit?")
    ] = None,
    target_split: Annotated[
        str | None, Parameter(help="Split of the photographs; training, or all of them, by default.")
    ] = None,
) -> None:
    """Make the images of a labelled set look like photographs; the labels stay the same."""
    import simteacher

    simteacher.translate(
        source,
        target,
        out,
        method=method,
        seed=seed,
        beta=beta,
        budget=budget,
        steps=steps,
        crop=crop,
        height=height,
        channels=channels,
        blocks=blocks,
        check=check,
        target_split=target_split,
    )


def label(
    model: Model,
    data: Annotated[str | None, Parameter(help=f"{DATA_HELP} Given alone, street labels it.")] = None,
    out: Annotated[str | None, Parameter(help="The folder to write, a data set itself; else runs/label/NAME.")] = None,
    /,
    *,
    split: Split = None,
    portion: Annotated[float | None, Parameter(help="Share of each class's pixels to keep, the surest first.")] = None,
    threshold: Annotated[float | None, Parameter(help="Instead, keep what is surer than this, 0 to 1.")] = None,
    part: Part = None,
) -> None:
    """Write a model's pseudo-labels of a set of photographs, with the confidence of each pixel."""
    import simteacher

    simteacher.label(model, data, out, split=split, portion=portion, threshold=threshold, part=part)


def select(
    model: Model,
    data: Data,
    /,
    *,
    budget: Annotated[int, Parameter(help="How many photographs you can label.")],
    split: Split = None,
    labelled: Annotated[str | None, Parameter(help="A file of the names that have labels already.")] = None,
    out: Annotated[str, Parameter(help="The folder for names.txt and a sheet that shows why.")] = "selection",
) -> None:
    """Say which photographs to label next, and why; `adapt --labelled` reads the names."""
    import simteacher

    simteacher.select(model, data, budget=budget, split=split, labelled=labelled, out=out)


def handover(
    data: Data,
    out: Annotated[str, Parameter(help="What to write: files for the labelling tool, or with --back the data set.")],
    /,
    *,
    format: Annotated[Literal["cvat", "coco"], Parameter(help="What the labelling tool reads.")],
    back: Annotated[bool, flag("Read DATA, corrected in that format, back into a data set.")] = False,
    names: Annotated[str | None, Parameter(help="A file of names, as select writes it: only these.")] = None,
) -> None:
    """Hand labels to a labelling tool for correction, and read the corrected ones back."""
    import simteacher

    simteacher.handover(data, out, format=format, back=back, names=names)


GROUP = Group("Data", sort_key=1)
COMMANDS = (render, check, translate, label, select, handover)


def register(app: App) -> None:
    """Add these commands to the command line."""
    for command in COMMANDS:
        app.command(command, group=GROUP, help_epilogue=epilogue(command.__name__))
