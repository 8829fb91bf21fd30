"""The one training loop: batches -> objectives -> named losses -> step; logs, saves, resumes. Every stage uses it.

On CPU a stage that was stopped and resumed ends with the same weights, bit for bit: batches and dropout depend on
(seed, step) alone and everything else is in the saved state.
"""

from __future__ import annotations

import copy
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from simteacher.config import Objectives, Optimiser
from simteacher.data.stream import Stream, loaders, prefetch
from simteacher.errors import UserError
from simteacher.files import atomic_write
from simteacher.interrupt import interruptible
from simteacher.models.discriminator import output_discriminator
from simteacher.objectives.compose import Plan, discriminator_losses, network_losses
from simteacher.objectives.feature_distance import Reference
from simteacher.objectives.selfsupervised import make_heads
from simteacher.objectives.state import StageState
from simteacher.processes import average_gradients, mean_and_any, means, on_first
from simteacher.progress import progress
from simteacher.rundir import RunDir
from simteacher.state_file import load_state, save_state


@dataclass(slots=True)
class Stage:
    """One training stage.

    Attributes:
        name: Folder and log name.
        network: Starts as it is; trained in place.
        streams: By role: source, labelled, pseudo, target.
        plan: How the streams mix.
        weights: Of the losses.
        class_weight_K: Of the labelled loss, or None.
        steps: Optimiser steps.
        lr_factor: Multiplies both learning rates.
        ramp: Whether the averaged weights follow quickly at first. Not where they take the stored labels' place.
        reference: For the feature distance, or None.
        untilt: How much of the class weights' tilt leaves the scores of what labels while it trains.
    """

    name: str
    network: nn.Module
    streams: dict[str, Stream]
    plan: Plan
    weights: Objectives
    class_weight_K: Tensor | None
    steps: int
    lr_factor: float = 1.0
    ramp: bool = True
    reference: Reference | None = None
    untilt: float = 0.0


def make_optimiser(
    network: nn.Module, how: Optimiser, factor: float, more: nn.Module | None = None
) -> torch.optim.AdamW:
    """AdamW in four groups: encoder and heads, each with and without weight decay (none on norms and biases).

    Args:
        network: What is trained.
        how: Rates and decay.
        factor: Multiplies both rates.
        more: Heads outside of the network.
    """
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, p in [*network.named_parameters(), *(more.named_parameters("heads") if more is not None else ())]:
        if p.requires_grad:
            groups.setdefault((name.startswith("encoder."), p.ndim > 1), []).append(p)
    return torch.optim.AdamW(
        [
            {
                "params": ps,
                "lr": (how.lr if encoder else how.head_lr) * factor,
                "peak": (how.lr if encoder else how.head_lr) * factor,
                "weight_decay": how.weight_decay if decay else 0.0,
            }
            for (encoder, decay), ps in sorted(groups.items())
        ],
        fused=True,
    )


def rate(step: int, steps: int, warmup: float) -> float:
    """Learning-rate factor at a step: linear warm-up, then ``(1 - progress) ** 0.9``."""
    start = max(1, round(steps * warmup))
    if step < start:
        return (step + 1) / start
    return float((1 - (step - start) / max(1, steps - start)) ** 0.9)


class _Average:
    """EMA of a network's weights, ``alpha * old + (1 - alpha) * new``, in a copy of it; buffers are copied.

    Which weights learn is asked once, as naming all of them takes half as long as averaging; the others stay equal.
    Buffers are named at every step: a network may replace them.
    """

    def __init__(self, averaged: nn.Module, network: nn.Module) -> None:
        self.averaged, self.network = averaged, network
        pairs = zip(averaged.parameters(), network.parameters(), strict=True)
        learning: list[tuple[Tensor, Tensor]] = [(old, new.detach()) for old, new in pairs if new.requires_grad]
        self.old, self.new = [old for old, _ in learning], [new for _, new in learning]

    @torch.no_grad()
    def update(self, alpha: float) -> None:
        """After a step."""
        if self.old:
            torch._foreach_lerp_(self.old, self.new, 1 - alpha)
        old, new = list(self.averaged.buffers()), list(self.network.buffers())
        if old:
            torch._foreach_copy_(old, new)


class _Session:
    """A stage with its optimisers under Fabric, savable as one file."""

    def __init__(self, stage: Stage, how: Optimiser, fabric: Fabric, seed: int) -> None:
        network = stage.network.to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(network).to(fabric.device).requires_grad_(False).eval() if how.ema else None
        self.raw, self.stage, self.how, self.fabric = network, stage, how, fabric
        classes = next(iter(s.space for s in stage.streams.values() if s.space is not None))
        torch.manual_seed(seed)
        self.heads = make_heads(network, stage.weights, len(classes)).to(fabric.device)
        optimiser = make_optimiser(network, how, stage.lr_factor, self.heads)
        wrapped, self.optimiser = fabric.setup(network, optimiser)
        wrapped.train()
        self.average = _Average(self.averaged, network) if self.averaged is not None else None
        self.learning = [p for module in (network, self.heads) for p in module.parameters() if p.requires_grad]
        heads = [h for h, w in (("main", stage.weights.adversarial), ("aux", stage.weights.adversarial_aux)) if w]
        torch.manual_seed(seed)
        discriminators: dict[str, Any] = {h: output_discriminator(len(classes)) for h in heads}
        self.judges: Any = None
        self.judged = both = nn.ModuleDict(discriminators).to(memory_format=torch.channels_last)
        if heads:
            ready, self.judges = fabric.setup(both, torch.optim.Adam(both.parameters(), lr=1e-4, betas=(0.9, 0.99)))
            discriminators = dict(ready.module.items())
        weight = None if stage.class_weight_K is None else stage.class_weight_K.to(fabric.device)
        self.state = StageState(wrapped, self.averaged, discriminators, stage.weights, weight, stage.steps, seed)
        self.state.heads, self.state.untilt = self.heads, stage.untilt
        if stage.reference is not None:
            self.state.reference = stage.reference.to(fabric.device).to(memory_format=torch.channels_last)
        self.state.seed += 1_000_003 * fabric.global_rank  # each process draws its own dropout and masks

    def tree(self) -> dict[str, Any]:
        """All that must survive."""
        return {
            "step": self.state.step,
            "network": self.raw.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "optimiser": self.optimiser.state_dict(),
            "discriminators": {k: v.state_dict() for k, v in self.state.discriminators.items()},
            "judges": self.judges.state_dict() if self.judges else {},
            "heads": self.heads.state_dict(),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Continue from a saved tree."""
        self.state.step = tree["step"]
        self.raw.load_state_dict(tree["network"])
        if self.averaged:
            self.averaged.load_state_dict(tree["averaged"])
        self.optimiser.load_state_dict(tree["optimiser"])
        for k, v in self.state.discriminators.items():
            v.load_state_dict(tree["discriminators"][k])
        if self.judges:
            self.judges.load_state_dict(tree["judges"])
        self.heads.load_state_dict(tree.get("heads", {}))


def train_stage(
    stage: Stage, how: Optimiser, run: RunDir, fabric: Fabric, seed: int, log_every: int, save_seconds: float
) -> nn.Module:
    """Train a stage, from its saved state where there is one; returns the averaged network (or the last, without EMA).

    Raises:
        UserError: A loss is not finite; names the step and the images, and keeps them in ``bad-batch.json``.
    """
    state_path = run.stage(stage.name) / "state.safetensors"
    session = _Session(stage, how, fabric, seed)
    if state_path.is_file():
        session.restore(load_state(state_path))
    state = session.state
    if state.step != on_first(fabric, lambda: state.step):
        what = "this process finds another state of the stage than the first"
        raise UserError(
            what, state_path, "put the run folder where all machines see it, and run the same command again"
        )
    if state.step or fabric.global_rank == 0:
        run.rewind(stage.name, state.step)
    result = session.averaged or session.raw
    if state.step >= stage.steps:
        return result
    saved = began = time.monotonic()
    began_step = state.step
    with progress(stage.steps, stage.name, quiet=fabric.global_rank > 0) as bar, interruptible() as stopping:
        bar.skip(state.step)
        for batches in prefetch(stage.streams, state.step, stage.steps, loaders()):
            losses = _step(session, {k: b.to(fabric.device) for k, b in batches.items()})
            total, stop = mean_and_any(fabric, torch.stack(list(losses.values())).sum(), bool(stopping))
            if not torch.isfinite(total):
                _stop(stage, run, fabric, state.step, losses, {k: b.names for k, b in batches.items()})
            state.step += 1
            if state.step % log_every == 0 or state.step in (1, 2, 5) or state.step == stage.steps:
                seconds = (time.monotonic() - began) / (state.step - began_step)
                run.log(
                    event="step",
                    stage=stage.name,
                    step=state.step,
                    steps=stage.steps,
                    loss=round(float(total), 6),
                    losses={k: round(v, 6) for k, v in means(fabric, losses).items()},
                    lr=session.optimiser.param_groups[-1]["lr"],
                    seconds=round(seconds, 4),
                )
            bar.advance(1, f"loss {float(total):.3f}")
            stop = bool(stopping) if fabric.world_size == 1 else stop  # of several, none may stop alone
            whole = state.step % how.accumulate == 0 or state.step == stage.steps  # no gradient is waiting
            if fabric.global_rank == 0 and whole and (stop or time.monotonic() - saved > save_seconds):
                save_state(state_path, session.tree())
                saved = time.monotonic()
            if stop and whole:
                raise KeyboardInterrupt
    if fabric.global_rank == 0:
        save_state(state_path, session.tree())
    if stopping:  # asked for after the last step had looked
        raise KeyboardInterrupt
    return result


def try_steps(stage: Stage, how: Optimiser, fabric: Fabric, steps: int) -> list[float]:
    """Seconds that each of a few steps of a stage takes, its batches included; changes the stage's network."""
    session, seconds, began = _Session(stage, how, fabric, 0), [], time.perf_counter()
    for batches in prefetch(stage.streams, 0, steps, loaders()):
        losses = _step(session, {k: b.to(fabric.device) for k, b in batches.items()})
        float(torch.stack(list(losses.values())).sum())  # waits for a GPU
        session.state.step += 1
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    return seconds


def _step(session: _Session, batches: dict[str, Any]) -> dict[str, Tensor]:
    """One batch for the network and, where there are some, the discriminators; returns detached losses.

    Both step after each group of ``accumulate`` batches, with the mean of their gradients.
    """
    state, stage, how = session.state, session.stage, session.how
    torch.manual_seed(state.seed * 1_000_003 + state.step)  # dropout depends on (seed, step)
    factor = rate(state.step, stage.steps, how.warmup)
    for group in session.optimiser.param_groups:
        group["lr"] = group["peak"] * factor
    losses, source, target = network_losses(state, stage.plan, batches)
    total = torch.stack(list(losses.values())).sum()
    last = stage.steps % how.accumulate  # batches of the last group, where it is smaller
    group = last if last and state.step >= stage.steps - last else how.accumulate
    whole = (state.step + 1) % how.accumulate == 0 or state.step + 1 == stage.steps
    session.fabric.backward(total / group)
    if whole:
        average_gradients(session.fabric, session.heads)
        norm = torch.nn.utils.clip_grad_norm_(session.learning, how.clip)
        if torch.isfinite(total) and torch.isfinite(norm):
            session.optimiser.step()
        elif torch.isfinite(total):  # a finite loss may have such a gradient; the weights must not take it
            losses["gradient"] = norm
        session.optimiser.zero_grad()
    judged = discriminator_losses(state, source, target)
    if judged:
        session.fabric.backward(torch.stack(list(judged.values())).sum() / group)
        if whole:
            average_gradients(session.fabric, session.judged)
            session.judges.step()
            session.judges.zero_grad()
    if session.average is not None:
        # alpha = min(1 - 1 / (step + 1), decay) as in mean-teacher code, where the start is worth nothing
        alpha = min(1 - 1 / (state.step + 1), how.ema) if stage.ramp else how.ema
        session.average.update(alpha)
    return {k: v.detach() for k, v in {**losses, **judged}.items()}


def _stop(
    stage: Stage, run: RunDir, fabric: Fabric, step: int, losses: dict[str, Tensor], names: dict[str, list[str]]
) -> None:
    bad = [k for k, v in losses.items() if not torch.isfinite(v)]
    own = any(k != "gradient" for k in bad)  # gradients are exchanged: one's loss spoils those of all
    _, somebodys = mean_and_any(fabric, torch.zeros((), device=fabric.device), own)
    if not own and (somebodys or not bad):
        raise SystemExit(2)  # it is another process's, which says so
    path: Path = run.stage(stage.name) / f"bad-batch{'' if run.writer else os.getpid()}.json"
    atomic_write(path, json.dumps({"step": step, "losses": {k: float(v) for k, v in losses.items()}, "images": names}))
    shown = "; ".join(f"{k}: {', '.join(n)}" for k, n in names.items())
    raise UserError(
        f"the loss {', '.join(bad)} is not finite at step {step} of {stage.name} (images {shown})",
        path,
        "look at these images and their labels; if they are sound, lower optimiser.lr and start another run",
    )
