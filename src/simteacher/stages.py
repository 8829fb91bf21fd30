"""Recipe and data -> the stages of a run: the teacher's and each student's streams, class weights and losses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from simteacher.config import Objectives, Recipe, Rounds, TeacherStage
from simteacher.data.images import read_image
from simteacher.data.sample import DataSet
from simteacher.data.statistics import F64, class_counts, class_weights
from simteacher.data.stream import Cache, Stream
from simteacher.errors import UserError
from simteacher.inputs import Inputs
from simteacher.models.build import SegmentationNetwork
from simteacher.objectives.compose import Plan, asks_averaged, needs_target
from simteacher.objectives.feature_distance import Reference
from simteacher.progress import say
from simteacher.train import Stage

LEAST_LABELLED = 400  # photographs in a round; short runs do not save at these


def stage_steps(recipe: Recipe) -> tuple[int, int]:
    """Steps of the teacher and of each round; together the budget's."""
    total, rounds = recipe.resolved_budget.steps, recipe.rounds.count
    if rounds == 0 or recipe.source is None:
        return total, 0
    teacher = max(1, round(total * recipe.teacher.share))
    return teacher, max(1, (total - teacher) // rounds)


def count_to_label(recipe: Recipe, photographs: int) -> int:
    """Of so many photographs, those that the teacher of a round labels: half as many as the round shows views of.

    One that no batch shows is read for nothing, and reading thousands takes longer than the training. None where all
    have labels of their own.
    """
    if recipe.labelled == "all" or not (steps := stage_steps(recipe)[1]):
        return 0
    shown = steps * recipe.rounds.places(recipe.resolved_budget.batch, recipe.labelled is not None)[2]
    return min(photographs, max(LEAST_LABELLED, shown // 2))


def to_label(recipe: Recipe, data: Inputs, number: int) -> DataSet:
    """The photographs that the teacher of round ``number`` labels; where not all, evenly spaced, each round others.

    Neighbours by name are often of one moment, so that a draw at random would show some moments twice and others never.
    Those with labels of their own come only where all come: students learn from these labels. Where all have such, none
    is labelled.
    """
    known = {f.name for f in data.labelled.frames} if data.labelled is not None else set()
    frames = tuple(f for f in data.target.frames if f.name not in known)
    if frames and count_to_label(recipe, len(data.target)) == len(data.target):
        return data.target
    count = count_to_label(recipe, len(frames))
    first = np.random.default_rng([recipe.seed, 8, number]).random()
    return data.target.subset(tuple(frames[int((i + first) * len(frames) / count)] for i in range(count)))


def channel_statistics(dataset: DataSet, seed: int, count: int = 200) -> tuple[F64, F64]:
    """Channel means and deviations (0..255) of some images, each (N, 3)."""
    chosen = np.random.default_rng([seed, 6]).permutation(len(dataset))[:count]
    rows = []
    for i in sorted(chosen):
        small = np.asarray(
            Image.fromarray(read_image(dataset.frames[i].image)).resize((80, 60), Image.Resampling.BOX), np.float64
        ).reshape(-1, 3)
        rows.append((small.mean(0), small.std(0)))
    return np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows])


class Builder:
    """Makes stages; holds what they share: the recipe, the data, the image cache, the statistics folder."""

    def __init__(self, recipe: Recipe, data: Inputs, stats: Path, part: tuple[int, int] = (0, 1)) -> None:
        self.recipe, self.data, self.stats, self.part = recipe, data, stats, part
        self.space = data.space.as_learned()
        self.cache = Cache(recipe.cache_gib)
        self.budget = recipe.resolved_budget
        self._like: tuple[F64, F64] | None = None

    def _counts(self, dataset: DataSet) -> F64:
        return class_counts(dataset, self.space, self.stats)

    def _require_classes(self, role: str, dataset: DataSet) -> None:
        """Raise where the labels show no class, and tell of images whose labels show none."""
        counts_NK = self._counts(dataset)
        empty = [frame.name for frame, row in zip(dataset.frames, counts_NK, strict=True) if not row.any()]
        if len(empty) == len(dataset):
            problem = f"its labels show no class of the label space '{self.data.space.name}'"
            raise UserError(problem, dataset.root, "name the space that the labels are in: --set classes=…")
        if empty and self.part[0] == 0:
            names = ", ".join(empty[:3]) + (", …" if empty[3:] else "")
            count = f"{len(empty)} of {len(dataset)} {role} images"
            say(f"{dataset.root}: nothing is learned from {count}, as their labels show no class: {names}")

    def _stream(
        self,
        role: str,
        dataset: DataSet,
        count: int,
        how: TeacherStage | Rounds,
        labelled: bool = True,
    ) -> Stream:
        augment, rare = how.augment, how.rare_sampling if labelled else 0.0
        unlabelled = role in ("pseudo", "target")
        like = None
        if role == "source" and augment.match_target > 0:
            self._like = self._like or channel_statistics(self.data.target, self.recipe.seed)
            like = self._like
        return Stream(
            role,
            dataset,
            self.space if labelled else None,
            self.budget,
            augment,
            self.recipe.seed,
            count,
            counts_NK=self._counts(dataset) if rare > 0 else None,
            rare=rare,
            like=like,
            cache=self.cache,
            part=self.part,
            twice=bool(how.objectives.two_views) and unlabelled,
            inside=unlabelled and asks_averaged(how.objectives, isinstance(how, Rounds) and how.online),
        )

    def _weights(self, sets: list[DataSet], exponent: float) -> Tensor | None:
        if exponent == 0:
            return None
        shares = [c.sum(0) / max(c.sum(), 1) for c in (self._counts(s) for s in sets)]
        return torch.tensor(class_weights(np.stack(shares), exponent), dtype=torch.float32)

    def _look_inside(self, network: nn.Module, weights: Objectives) -> None:
        """Raise where a loss needs features that the network does not show."""
        inside = [name for name in ("rotation", "contrast", "feature_distance", "two_views") if getattr(weights, name)]
        if not inside:
            return
        where, fix = f"objectives.{inside[0]}", "set it to 0, or use a network of the recipe"
        if not isinstance(network, SegmentationNetwork):
            raise UserError(
                "this loss needs the features inside of the network, and one of your own hides them", where, fix
            )
        if inside[0] != "two_views" and not any(p.requires_grad for p in network.encoder.parameters()):
            fix = "set it to 0, or network.freeze to a smaller number"
            raise UserError("this loss teaches the encoder, and network.freeze lets none of it learn", where, fix)

    def teacher(self, network: nn.Module) -> Stage:
        """Supervised on the source and, where there are some, the labelled photographs; more as the recipe says."""
        how, data, batch = self.recipe.teacher, self.data, self.budget.batch
        self._look_inside(network, how.objectives)
        labelled_sets = [s for s in (data.source, data.labelled) if s is not None]
        shares = [batch] if len(labelled_sets) == 1 else [batch - batch // 2, batch // 2]
        streams: dict[str, Stream] = {}
        for dataset, count in zip(labelled_sets, shares, strict=True):
            role = "source" if dataset is data.source else "labelled"
            if how.class_weight or how.rare_sampling:
                self._require_classes(role, dataset)
            streams[role] = self._stream(role, dataset, count, how)
        if needs_target(how.objectives):
            streams["target"] = self._stream("target", data.target, batch, how, labelled=False)
        steps, _ = stage_steps(self.recipe)
        weights = self._weights(labelled_sets, how.class_weight)
        reference = self._reference(how.objectives)
        stage = Stage("teacher", network, streams, Plan(), how.objectives, weights, steps, how.lr_factor)
        stage.reference, stage.untilt = reference, self.recipe.untilt
        return stage

    def _reference(self, weights: Objectives) -> Reference | None:
        return Reference(self.recipe.network, self.data.space) if weights.feature_distance else None

    def student(self, number: int, network: nn.Module, pseudo: DataSet) -> Stage:
        """Round ``number``: pseudo-labelled photographs, the source and, where there are some, labelled ones.

        Labelled photographs take places of the source's, and stand no more among the pseudo-labelled: what is known of
        them is better. Where all are labelled, they take those places too.
        """
        how, data, batch = self.recipe.rounds, self.data, self.budget.batch
        self._look_inside(network, how.objectives)
        name = f"round-{number}"
        streams: dict[str, Stream] = {}
        labels = {f.name for f in data.labelled.frames} if data.labelled is not None else set()
        unknown = pseudo.subset(tuple(f for f in pseudo.frames if f.name not in labels))
        source, labelled, rest = how.places(batch, bool(labels))
        if data.source is not None and source:
            streams["source"] = self._stream("source", data.source, source, how)
        if data.labelled is not None:
            streams["labelled"] = self._stream("labelled", data.labelled, labelled if unknown else labelled + rest, how)
        if unknown:
            streams["pseudo"] = self._stream("pseudo", unknown, rest, how)
        elif needs_target(how.objectives):
            streams["target"] = self._stream("target", data.target, rest, how, labelled=False)
        for s in streams.values():  # each round draws other views than the one before
            s.seed = self.recipe.seed * 1000 + number
        _, steps = stage_steps(self.recipe)
        # online labels are held to the class-balanced thresholds of the stored ones: one for all loses rare classes
        told = pseudo.root / "pseudo.json"
        levels = json.loads(told.read_text(encoding="utf-8"))["thresholds"] if unknown and told.is_file() else {}
        sets = [s for s in (data.source, unknown, data.labelled) if s]
        return Stage(
            name,
            network,
            streams,
            Plan(
                how.mix,
                how.online and bool(unknown),
                tuple(float(v) for v in levels.values()) or (0.9,),
                how.mix_labelled,
                how.rectified,
            ),
            how.objectives,
            self._weights(sets, how.class_weight),
            steps,
            how.lr_factor,
            not how.online or how.start == "scratch",
            self._reference(how.objectives),
            self.recipe.untilt,
        )
