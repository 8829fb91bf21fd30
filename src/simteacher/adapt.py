"""`simteacher adapt`: source -> teacher -> pseudo-labels -> students -> the better model, in a run folder that resumes.

Each stage reads and writes folders: ``teacher/``, ``batchnorm/`` (the teacher with the target's batch-norm
statistics), ``round-1/`` …
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from simteacher import guard, told
from simteacher.config import Recipe
from simteacher.contradictions import require_both, require_effect, require_shares
from simteacher.data.images import read_image
from simteacher.dense import working_size
from simteacher.files import remade
from simteacher.given import check_teacher, model_prints, take_teacher
from simteacher.inputs import Inputs, glance_at, measured_print, open_inputs, open_measured, seen_labels
from simteacher.memory import keep_freed_memory
from simteacher.models.batchnorm import reestimate
from simteacher.models.mean import lean_back
from simteacher.models.prior import tilt
from simteacher.models.start import check_start, knows, start
from simteacher.models.store import Model, ModelCard, copy_model, load, save_model
from simteacher.models.wrap import Factory, layers_of, make, name_of
from simteacher.objectives.compose import asks_averaged
from simteacher.processes import first_then_others, make_fabric, on_first, one_run
from simteacher.progress import say
from simteacher.recipe_file import load_recipe, with_options
from simteacher.relabel import pseudo_labels
from simteacher.report import report
from simteacher.rundir import RunDir
from simteacher.samples import write_samples
from simteacher.stages import Builder, stage_steps
from simteacher.train import Stage, train_stage
from simteacher.typed import typed
from simteacher.validators import validate

SAMPLES = 6
BATCHNORM_IMAGES = 128


@typed
def adapt(
    recipe: str | Path = "laptop",
    source: str | Path | None = None,
    target: str | Path | None = None,
    labelled: int | str | Path | None = None,
    out: str | Path | None = None,
    set: dict[str, Any] | None = None,
    network: Factory | None = None,
) -> Path:
    """Train a teacher on the source, adapt it to unlabelled photographs, keep the better model.

    Call it once at a time in a process: runs draw from torch's random numbers, which threads share.

    Args:
        recipe: YAML file, or the name of one that comes with the tool.
        source: Labelled synthetic set; overrides the recipe's.
        target: Photographs; overrides the recipe's.
        labelled: Number of labelled photographs, "all", or a text file of names. Without it no target label is opened.
        out: Run folder; ``runs/<recipe>`` by default. An unfinished run continues.
        set: Dotted recipe keys and their values.
        network: Makes a network of one's own for a number of classes, in place of the recipe's; see `models.wrap`.

    Returns:
        The run folder.

    Raises:
        UserError: Recipe, data or folder are wrong; the message names what and how to mend it.
    """
    named = {"source": source, "target": target, "labelled": labelled}
    folder = Path(out) if out is not None else Path("runs") / Path(recipe).stem
    fabric = make_fabric()
    with first_then_others(fabric):
        resolved = load_recipe(recipe, with_options(set, named))
        data = open_inputs(resolved)
        if not (folder / "teacher" / "model.safetensors").is_file():
            require_both(resolved)
            require_effect(resolved, set or {}, own=network is not None)
            check_teacher(resolved)
            if network is None:
                check_start(resolved.network)
            glance_at(resolved, data)
        require_shares(resolved, fabric.world_size)
        prints = data.fingerprints() | measured_print(open_measured(resolved)) | model_prints(resolved)
        prints["network"] = layers_of(network, len(data.space)) if network else "the recipe's"
        opened = RunDir(folder, resolved, prints, fabric.global_rank == 0, data.images())
    keep_freed_memory()
    with opened as run, one_run(fabric, folder):
        if run.finished:
            say(f"{folder}: this run is finished; nothing to do")
            if run.writer and not (folder / "report.html").is_file():  # stopped between the last two files
                report(folder)
            return folder
        if run.writer:
            say(told.plan(folder, resolved, data))
        _Run(resolved, data, run, fabric, network).go()
    return folder


class _Run:
    """The course of one run; every step first looks whether it is done already."""

    def __init__(
        self, recipe: Recipe, data: Inputs, run: RunDir, fabric: Fabric, network: Factory | None = None
    ) -> None:
        self.recipe, self.data, self.run, self.fabric, self.network = recipe, data, run, fabric, network
        part = (fabric.global_rank, fabric.world_size)
        self.builder = Builder(recipe, data, run.path / "stats", part)
        self.photographs = guard.sample(data.target, SAMPLES, recipe.seed)
        self.probe = guard.sample(data.target, recipe.guard.images, recipe.seed + 1)

    def go(self) -> None:
        """All stages, then the final weights."""
        best = self.teacher()
        if self.recipe.batchnorm and self.data.source is not None:
            best = self.adapt_batchnorm(best)
        first = reading = None
        for number in range(1, self.recipe.rounds.count + 1 if self.data.source is not None else 1):
            reading = reading or on_first(
                self.fabric, partial(guard.read, best, self.probe, f"guard reads with {best.path.parent.name}")
            )
            first = first or reading
            student = self.round(number, best)
            verdict, after = self.judge(number, reading, student, first)
            if verdict == "revert":
                break
            best, reading = student, after
        self.finish(best)

    def card(self, stage: str, steps: int, base: ModelCard | None = None) -> ModelCard:
        """What will stand beside a stage's weights."""
        trained = {
            "stage": stage,
            "steps": steps,
            "seed": self.recipe.seed,
            "source": self.run.begun.source,
            "target": self.run.begun.target,
            "labelled": len(self.data.labelled) if self.data.labelled else 0,
            "fingerprints": self.data.fingerprints(),
        }
        if base is not None:
            return replace(base, trained_on=trained, miou=None, views=self.recipe.views)
        return ModelCard(
            name_of(self.network) if self.network else self.run.begun.network.model_dump(),
            self.data.space,
            self.recipe.resolved_budget.size,
            {},
            trained,
            views=self.recipe.views,
        )

    def fresh(self) -> nn.Module:
        """The recipe's network with its starting weights; the new layers' values depend on the seed alone."""
        torch.manual_seed(self.recipe.seed)
        classes = len(self.data.space)
        if self.network:
            return make(self.network, classes)
        return start(self.recipe.network, self.data.space)

    def store(self, stage: str, network: nn.Module, card: ModelCard) -> Model:
        """Write a stage's model with samples and evaluation, and load it for use."""
        whole = replace(card, normalisation={"mean": _floats(network, "mean_C11"), "std": _floats(network, "std_C11")})
        on_first(self.fabric, lambda: save_model(self.run.stage(stage), network, whole))
        return self.stored(stage)

    def stored(self, stage: str) -> Model:
        """Load a finished stage; make up for samples or an evaluation that an interruption left out."""
        with remade(self.run.stage(stage)):
            model = load(self.run.stage(stage), self.network)

        def complete() -> None:
            write_samples(model, self.photographs, self.run, stage)
            self.measure(stage, model)
            self.validate(stage, model)

        on_first(self.fabric, complete)
        return model

    def has(self, stage: str) -> bool:
        """Whether a stage is finished, as the first process sees it."""
        return on_first(self.fabric, lambda: (self.run.stage(stage) / "model.safetensors").is_file())

    def validate(self, stage: str, model: Model) -> None:
        """Log the label-free scores of a stage: they choose nothing here, and tell which stage they would choose."""
        if not any(e["event"] == "validator" and e["stage"] == stage for e in self.run.events()):
            scores = validate(model, self.data.target, self.data.source, seed=self.recipe.seed)
            self.run.log(event="validator", stage=stage, scores=scores)

    def measure(self, stage: str, model: Model) -> None:
        """Evaluate on labelled photographs where the recipe names some: for the report, never to choose."""
        dataset = open_measured(self.recipe)
        if dataset is None or any(e["event"] == "eval" and e["stage"] == stage for e in self.run.events()):
            return
        from simteacher.evaluate import evaluate_model

        scores = evaluate_model(model, dataset, self.data.space, keep=self.run.stage(stage))
        seen = seen_labels(self.data, dataset)
        self.run.log(event="eval", stage=stage, data=self.run.measured_on, seen_labels=seen, **scores)

    def teacher(self) -> Model:
        """Train the teacher, or take the one that the recipe names."""
        if self.has("teacher"):
            return self.stored("teacher")
        given = self.recipe.teacher.weights
        if given is not None:
            model = take_teacher(self.recipe, self.data.space, self.network)
            assert model.network is not None
            if not {"classes_before", "views_before"} & model.card.extra.keys():  # measured as it is used here
                self.run.inherit(Path(given), "teacher")
            return self.store("teacher", model.network, model.card)
        with first_then_others(self.fabric):  # the first counts the classes of the labels for all
            stage = self.builder.teacher(self.fresh())
        keep = self.recipe.teacher.keep if self.known else 0.0
        trained = self.train(stage, keep, self.labels_from_a_known_start(stage))
        return self.store("teacher", trained, self.card("teacher", stage.steps))

    @property
    def known(self) -> bool:
        """Whether networks start from a model that names the classes."""
        return self.network is None and knows(self.recipe.network, self.data.space)

    def labels_from_a_known_start(self, stage: Stage) -> bool:
        """Whether a fresh network labels from its first step, without a tilt that it must then have been given."""
        return self.known and asks_averaged(stage.weights, stage.plan.online)

    def train(self, stage: Stage, keep: float, tilted: bool = False) -> nn.Module:
        """Run the loop on a stage; class scores leave it without the tilt of the loss weights.

        Args:
            stage: What to train.
            keep: Share of the weights it starts with in the mean that it ends as.
            tilted: Its network comes from such a stage and gets the tilt back first.
        """
        r, weight_K = self.recipe, stage.class_weight_K
        begun = {k: v.clone() for k, v in stage.network.state_dict().items()} if keep else {}
        if tilted:
            tilt(stage.network, weight_K, r.untilt)
        trained = train_stage(stage, r.optimiser, self.run, self.fabric, r.seed, r.log_every, r.save_seconds)
        tilt(trained, weight_K, -r.untilt)
        lean_back(trained, begun, keep)
        return trained

    def target_batches(self) -> Iterator[Tensor]:
        """Plain target images at working size, for batch-norm statistics."""
        from PIL import Image

        for frame in guard.sample(self.data.target, BATCHNORM_IMAGES, self.recipe.seed + 2).frames:
            image = read_image(frame.image)
            h, w = working_size(image.shape[0], image.shape[1], self.recipe.resolved_budget.size)
            small = np.array(Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR))
            yield torch.from_numpy(small).permute(2, 0, 1)[None].float().div_(255).to(self.fabric.device)

    def adapt_batchnorm(self, model: Model) -> Model:
        """The teacher with the target's batch-norm statistics, as a stage of its own."""
        if self.has("batchnorm"):
            return self.stored("batchnorm")
        assert model.network is not None
        reestimate(model.network, self.target_batches(), self.recipe.batchnorm)
        return self.store("batchnorm", model.network, self.card("batchnorm", 0, model.card))

    def round(self, number: int, teacher: Model) -> Model:
        """Label the target with ``teacher``, train a student on it."""
        name = f"round-{number}"
        if self.has(name):
            return self.stored(name)
        pseudo = pseudo_labels(self.run, self.recipe, self.data, number, teacher, self.fabric, self.builder.part)
        network = self.fresh() if self.recipe.rounds.start == "scratch" else load(teacher.path, self.network).network
        assert network is not None
        with first_then_others(self.fabric):
            stage = self.builder.student(number, network.to("cpu"), pseudo)
        goes_on = self.recipe.rounds.start == "teacher"
        tilted = goes_on or self.labels_from_a_known_start(stage)
        trained = self.train(stage, self.recipe.rounds.keep if goes_on else 0.0, tilted)
        if self.recipe.batchnorm:
            reestimate(trained, self.target_batches(), self.recipe.batchnorm)
        card = self.card(name, stage.steps)
        if goes_on:  # from what may be another run's, with other layers frozen
            card = replace(card, network=teacher.card.network)
        return self.store(name, trained, card)

    def judge(
        self, number: int, before: guard.Reading, student: Model, first: guard.Reading
    ) -> tuple[str, guard.Reading]:
        """Compare student and teacher without labels; log the verdict once."""
        after = on_first(self.fabric, partial(guard.read, student, self.probe, f"guard reads with round-{number}"))
        verdict, reasons, signals = guard.judge(before, after, self.data.space.classes, self.recipe.guard, first)
        name = f"round-{number}"
        if not any(e["event"] == "guard" and e["stage"] == name for e in self.run.events()):
            self.run.log(event="guard", stage=name, verdict=verdict, reasons=reasons, signals=signals)
        if self.run.writer:
            say(told.verdict(name, reasons, signals, self.recipe.guard.vanish > 0))
        return verdict, after

    def finish(self, best: Model) -> None:
        """Copy the chosen stage's weights to the run's root, with what is known at the end, and write the report."""
        if self.fabric.global_rank != 0:
            return
        stage = best.path.parent.name
        evaluations = [e for e in self.run.events() if e["event"] == "eval" and e["stage"] == stage]
        miou = {k: evaluations[-1][k] for k in ("data", "miou")} if evaluations else None
        teacher_steps, round_steps = stage_steps(self.recipe)
        card = replace(
            best.card,
            miou=miou,
            extra={
                **best.card.extra,
                "stage": stage,
                "budget": self.recipe.resolved_budget.model_dump(),
                "steps": {"teacher": teacher_steps, "round": round_steps},
            },
        )
        copy_model(best.path, self.run.path, card)
        report(self.run.path)


def _floats(network: nn.Module, name: str) -> list[float]:
    return [round(float(v), 6) for v in getattr(network, name).flatten()]
