"""Which rows each comparison has: a row is a name and what it changes in the recipe, as dotted keys.

No row may touch the number of steps or the batch, so that all of them have the recipe's budget; `resolve` holds them to
it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
from pydantic import BaseModel

from simteacher.config import Objectives, Recipe, TeacherStage
from simteacher.recipe_file import forget
from simteacher.rundir import FREE_KEYS

KINDS = ("stages", "labels", "methods", "models", "sizes")
SHARES = (0, 1, 5, 10, 25, 50, 100)  # per cent of the target's photographs that are labelled
FACTORS = (0.5, 0.75, 1.0, 1.5)  # of the recipe's image size
SUPERVISED = "supervised"  # rows of this name learn from target labels alone


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        name: Shown in the table and, made safe, the name of its folders.
        changes: Dotted recipe keys and their values; a mapping as a value replaces the whole section.
        translate: Method by which the source's images are made to look like the target's first, or None.
        x: Position on the plot's axis (labelled photographs, image height), or None where rows have no order.
        line: Rows of one line are joined in the plot.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    translate: str | None = None
    x: float | None = None
    line: str = ""


def _off(section: str) -> dict[str, Any]:
    """No loss but cross-entropy in a section's objectives, and nothing left that says how another is taken."""
    fields: Mapping[str, Any] = Objectives.model_fields
    return {f"{section}.objectives.{n}": f.default for n, f in fields.items() if n != "aux"}


# a teacher and no student: the whole budget is the teacher's
ALONE = {"rounds.count": 0, "teacher.lr_factor": 1.0, "teacher.keep": 0.0}
# the teacher never sees the target
BLIND = {**_off("teacher"), "teacher.augment.match_target": 0.0, "batchnorm": 0.0}
SOURCE = {**ALONE, **BLIND}
CEILING = {**SOURCE, "source": None, "labelled": "all"}
ALIGN = {"adversarial": 0.001, "adversarial_aux": 0.0002}  # the source's two levels (method table)
SELF = {"rounds.objectives.rotation": 0.1, "rounds.objectives.contrast": 0.1}
PLAIN = {"rounds.online": False, "rounds.mix": "none", "rounds.rectified": False, "rounds.pseudo.prototypes": 0.0}
OFFLINE = {**BLIND, **_off("rounds"), **PLAIN, "rounds.mix_labelled": "none", "rounds.source_share": 0.5}
PORTION = (0.5, 0.6)  # of each class, where balanced thresholds are compared: the recipe may keep all pixels
FEW = 5  # per cent of the photographs that are labelled in the rows for few labels
TRANSLATION = "fda"  # needs no training, so that a row that translates has the others' budget


def _teacher(**weights: Any) -> dict[str, Any]:
    """A teacher with these losses on the target, and no student."""
    return {**ALONE, **BLIND, **{f"teacher.objectives.{n}": w for n, w in weights.items()}}


def _rounds(combine: str, select: str, **changes: Any) -> dict[str, Any]:
    """A blind teacher and students on its labels."""
    pseudo = {"rounds.pseudo.combine": combine, "rounds.pseudo.select": select, "rounds.pseudo.portion": PORTION}
    floor = {"rounds.pseudo.floor": 0.0} if select == "threshold" else {}  # belongs to the balanced ones
    return {**OFFLINE, **pseudo, **floor, **{f"rounds.{n.replace('__', '.')}": v for n, v in changes.items()}}


_UDA = _teacher(**ALIGN, agreement=0.1)
_SSL = {k: v for k, v in _UDA.items() if k not in ALONE} | SELF
STAGES = (
    Row("none", SOURCE),
    Row("UDA", _UDA),
    Row("ST", {**ALONE, **BLIND}, TRANSLATION),
    Row("ST+UDA", _UDA, TRANSLATION),
    Row("ST+UDA+SSL", _SSL, TRANSLATION),
    Row("ST+UDA+SSL, all labels", {**_SSL, "labelled": "all"}, TRANSLATION),
    Row(SUPERVISED, CEILING),
)

METHODS = (
    Row("source only", SOURCE),
    Row("batch-norm", {**SOURCE, "batchnorm": 1.0}),
    Row("colour statistics", {**SOURCE, "teacher.augment.match_target": 0.5}),
    Row("adversarial", _teacher(**ALIGN)),
    Row("ADVENT", _teacher(**ALIGN, entropy_maps=True)),
    Row("min entropy", _teacher(min_entropy=0.001)),
    Row("head agreement", _teacher(agreement=0.1)),
    Row("feature distance", _teacher(feature_distance=0.005)),
    Row("rotation", _teacher(rotation=0.1)),
    Row("contrast", _teacher(contrast=0.1)),
    Row("rounds: max, threshold", _rounds("max", "threshold")),
    Row("rounds: mean, threshold", _rounds("mean", "threshold")),
    Row("rounds: max, balanced", _rounds("max", "balanced")),
    Row("rounds: mean, balanced", _rounds("mean", "balanced")),
    Row("… + prototypes", _rounds("mean", "balanced", pseudo__prototypes=1.0)),
    Row("… + rectified", _rounds("mean", "balanced", rectified=True)),
    Row("… + CutMix", _rounds("mean", "balanced", mix="cutmix")),
    Row("… + ClassMix", _rounds("mean", "balanced", mix="classmix")),
    Row("… + ClassMix + masked", _rounds("mean", "balanced", mix="classmix", objectives__masked=1.0)),
    Row("… + ClassMix + two views", _rounds("mean", "balanced", mix="classmix", objectives__two_views=1.0)),
    Row("… + ClassMix + self-supervision", {**_rounds("mean", "balanced", mix="classmix"), **SELF}),
    Row("online EMA + ClassMix", _rounds("mean", "balanced", mix="classmix", online=True)),
    Row("the recipe as it is", {}),
    Row(SUPERVISED, CEILING),
)


def _network(encoder: str, decoder: str, **options: Any) -> dict[str, Any]:
    return {"network": {"encoder": encoder, "decoder": decoder, **options}}


MODELS = (
    Row("the recipe's", {}),
    Row("FCN, ResNet-50", _network("resnet50", "fcn")),
    Row("PSPNet, ResNet-50", _network("resnet50", "pspnet")),
    Row("DRN-C-26", _network("drn_c_26", "fcn")),
    Row("DRN-D-22", _network("drn_d_22", "fcn")),
    Row("DeepLab v2, ResNet-50", _network("resnet50", "deeplabv2")),
    Row("DeepLab v2, ResNet-101", _network("resnet101", "deeplabv2")),
    Row("DeepLab v3+, ResNet-50", _network("resnet50", "deeplabv3plus")),
    Row("SegFormer, MiT-B2", _network("mit_b2", "segformer")),
    Row("UPerNet, ConvNeXt-T", _network("convnext_tiny", "upernet")),
    Row("DINOv2-S frozen, light head", _network("vit_small_patch14_dinov2", "light", freeze=12)),
    Row("DINOv3-S frozen, light head", _network("vit_small_patch16_dinov3", "light", freeze=12)),
)
# A recipe that starts from a model may train its teacher for few steps, at a low rate, and keep half of the start: that
# suits no network that starts from ImageNet weights.
AFRESH = {"teacher.share": 0.5, "teacher.lr_factor": 1.0, "teacher.keep": 0.0}


def _models(base: Recipe) -> tuple[Row, ...]:
    """Networks from equal starts: ImageNet's. The recipe's own has a row from these too where it starts otherwise."""
    weights = base.network.weights
    if weights == "imagenet":
        return MODELS
    same, *others = MODELS
    afresh = {} if weights == "none" else AFRESH
    own = Row(f"{same.name}, from ImageNet", {"network.weights": "imagenet", **afresh})
    return (same, own, *(replace(row, changes={**row.changes, **afresh}) for row in others))


def _labels(images: int) -> tuple[Row, ...]:
    """Adapted with some labels against the same labels alone; of few photographs several shares are one number."""
    out = []
    counts = {share: max(1, round(images * share / 100)) if share else 0 for share in SHARES}
    first = {count: share for share, count in reversed(counts.items())}
    for share, count in counts.items():
        if first[count] != share:
            continue
        labelled = {"labelled": count or None}
        out.append(Row(f"adapted, {share} %", labelled, x=count, line="adapted"))
        if count:
            out.append(Row(f"{SUPERVISED}, {share} %", {**CEILING, **labelled}, x=count, line=SUPERVISED))
    return tuple(out)


def _few_labels(images: int) -> tuple[Row, ...]:
    """What makes more of a few labels than learning from them."""
    # half of the source's places stay: Domain CutMix pastes into them
    labelled, name = {"labelled": max(1, round(images * FEW / 100)), "rounds.labelled_share": 0.5}, f"{FEW} % labels"
    plain = {**_rounds("mean", "balanced", mix="classmix"), **labelled}
    return (
        Row(name, plain),
        Row(f"{name} + Domain CutMix", {**plain, "rounds.mix_labelled": "source"}),
        Row(f"{name} + two views", {**plain, "rounds.objectives.two_views": 1.0}),
    )


def _sizes(base: Recipe) -> tuple[Row, ...]:
    """The same steps and batch on smaller and larger views; crops stay multiples of 32."""
    budget, out = base.resolved_budget, []
    for factor in FACTORS:
        size = [round(v * factor) for v in budget.size]
        crop = [max(32, round(v * factor / 32) * 32) for v in budget.crop]
        changes = {"budget": {**budget.model_dump(), "size": size, "crop": crop}}
        out.append(Row(f"{size[0]}×{size[1]}", changes, x=size[1], line="adapted"))
    return tuple(out)


def rows_of(kind: str, base: Recipe, images: int) -> tuple[Row, ...]:
    """All rows of a comparison.

    Args:
        kind: One of `KINDS`.
        base: The recipe that the rows change.
        images: Number of photographs in the target.
    """
    if kind == "labels":
        return _labels(images)
    if kind == "sizes":
        return _sizes(base)
    if kind == "methods":
        return METHODS + _few_labels(images)
    return _models(base) if kind == "models" else STAGES


def resolve(base: Recipe, row: Row, seed: int, source: str | None) -> Recipe:
    """The recipe of one row and seed.

    Args:
        base: The recipe that the row changes.
        row: The row.
        seed: Of the run.
        source: The source, translated where the row asks for it.
    """
    tree = {**base.model_dump(mode="json"), "source": source}
    for key, value in {**row.changes, "seed": seed}.items():
        forget(tree["with_labels"], key)
        at = tree
        *parents, last = key.split(".")
        for part in parents:
            at = at[part]
        at[last] = value
    recipe = Recipe.model_validate(tree)
    now, then = recipe.resolved_budget, base.resolved_budget
    assert (now.steps, now.batch) == (then.steps, then.batch), f"the row '{row.name}' has another budget"
    return recipe


def teacher_key(recipe: Recipe, steps: int) -> str:
    """Name of the teacher that ``steps`` of training give: equal for rows whose teachers would be equal.

    Only what differs from the defaults counts, so that a setting that a later version adds changes no name.
    """
    later = {"teacher", "rounds", "guard", "batchnorm", "eval_data", "eval_split", "budget", *FREE_KEYS}
    tree = recipe.model_dump(mode="json", exclude=later, exclude_defaults=True)
    teacher = recipe.teacher.model_dump(mode="json", exclude={"share"}, exclude_defaults=True)
    budget = {**recipe.resolved_budget.model_dump(mode="json"), "steps": steps}
    text = json.dumps({**tree, "teacher": teacher, "budget": budget}, sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:8]}-seed{recipe.seed}"


def teacher_recipe(recipe: Recipe, steps: int) -> Recipe:
    """A recipe that trains only the teacher of ``recipe``."""
    budget = recipe.resolved_budget.model_copy(update={"steps": steps})
    return recipe.model_copy(
        update={"rounds": recipe.rounds.model_copy(update={"count": 0}), "batchnorm": 0.0, "budget": budget}
    )


def with_teacher(recipe: Recipe, weights: str) -> Recipe:
    """The recipe with a teacher that is there already."""
    teacher: TeacherStage = recipe.teacher.model_copy(update={"weights": weights})
    return recipe.model_copy(update={"teacher": teacher})


def to_yaml(recipe: BaseModel) -> str:
    """A recipe as a file that `adapt` reads."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
