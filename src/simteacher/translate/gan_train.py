"""The loop that trains a translation: crops of both sets -> one step; logs, saves, resumes, draws sample sheets.

On CPU a training that was stopped and resumed ends with the same weights, bit for bit: crops, patches and the pool's
draws depend on (seed, step) alone and everything else is in the saved state.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simteacher.config import Augment, Budget
from simteacher.data.sample import DataSet
from simteacher.data.stream import Batch, Cache, Stream, loaders, prefetch
from simteacher.errors import UserError
from simteacher.files import atomic_write
from simteacher.interrupt import interruptible
from simteacher.progress import progress
from simteacher.state_file import load_state, save_state
from simteacher.translate.gan_parts import RATE, Gan, network_input, pixels
from simteacher.translate.settings import GanSettings
from simteacher.translate.sheet import write_sheet

SHEETS = 10  # a training
SHEET_ROWS = 3
LOG_EVERY = 10
SAVE_SECONDS = 60.0
CACHE_GIB = 1.0  # of decoded images
_PLAIN = Augment(scale=(1.0, 1.0), colour=0, grey=0, blur=0, noise=0)  # as published: crops and flips


def streams_of(settings: GanSettings, source: DataSet, target: DataSet, seed: int) -> dict[str, Stream]:
    """Crops of one source and one target image a step, all at the same height."""
    side = settings.crop
    budget = Budget(steps=settings.steps, batch=1, size=(settings.height, settings.height), crop=(side, side))
    cache = Cache(CACHE_GIB)
    return {
        role: Stream(role, data.unlabelled(), None, budget, _PLAIN, seed, 1, cache=cache)
        for role, data in (("source", source), ("target", target))
    }


def rate(step: int, steps: int) -> float:
    """Learning-rate factor: 1 for the first half, then linearly to 0."""
    return min(1.0, (steps - step) / (steps - steps // 2))


def train(
    gan: Gan,
    settings: GanSettings,
    streams: dict[str, Stream],
    folder: Path,
    seed: int,
    label: str,
) -> None:
    """Train from the saved state, where there is one, to the last step.

    Args:
        gan: Trained in place.
        settings: How long.
        streams: As `streams_of` makes them.
        folder: Gets ``state.safetensors``, ``metrics.jsonl`` and ``samples/``.
        seed: Of patches and pool.
        label: Shown with the progress.

    Raises:
        UserError: A loss is not finite, or the saved state is damaged.
        KeyboardInterrupt: Ctrl-C; the state is saved.
    """
    state_path, step = folder / "state.safetensors", 0
    if state_path.is_file():
        step = _restore(gan, load_state(state_path))
    log = _Log(folder / "metrics.jsonl", step)
    steps, saved, began, first = settings.steps, time.monotonic(), time.monotonic(), step
    with progress(steps, label) as bar, interruptible() as stopping:
        bar.skip(step)
        for batches in prefetch(streams, step, steps, loaders()):
            a_BCHW, b_BCHW = (batches[role].plain_BCHW.to(gan.device) * 2 - 1 for role in ("source", "target"))
            torch.manual_seed(seed * 1_000_003 + step)
            for optimiser in gan.optimisers.values():
                for group in optimiser.param_groups:
                    group["lr"] = RATE * rate(step, steps)
            losses = gan.step(a_BCHW, b_BCHW, np.random.default_rng([seed, step]))
            if not torch.isfinite(torch.stack(list(losses.values())).sum()):
                raise _broken(losses, step, batches, folder)
            step += 1
            if step % LOG_EVERY == 0 or step in (1, steps):
                log.write(step, losses, (time.monotonic() - began) / (step - first))
            if step % max(1, steps // SHEETS) == 0 or step == steps:
                _sheet(gan, streams, folder / "samples" / f"step-{step:06d}.jpg")
            bar.advance(note=" ".join(f"{k} {float(v):.2f}" for k, v in losses.items()))
            if stopping or step == steps or time.monotonic() - saved > SAVE_SECONDS:
                save_state(state_path, _tree(gan, step))
                saved = time.monotonic()
            if stopping:
                raise KeyboardInterrupt


def _tree(gan: Gan, step: int) -> dict[str, Any]:
    """All that must survive."""
    return {
        "step": step,
        "networks": {name: network.state_dict() for name, network in gan.networks.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in gan.optimisers.items()},
        "more": gan.state(),
    }


def _restore(gan: Gan, tree: dict[str, Any]) -> int:
    """Continue from a saved tree; returns its step."""
    for name, network in gan.networks.items():
        network.load_state_dict(tree["networks"][name])
    for name, optimiser in gan.optimisers.items():
        optimiser.load_state_dict(tree["optimisers"][name])
    gan.restore(tree["more"])
    return int(tree["step"])


def _step_of(line: str) -> int | None:
    """The step of a logged line; None of one that a kill or a full disk cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None


class _Log:
    """``metrics.jsonl``: one line a logged step; what was logged after the step to continue from is forgotten."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if (logged := _step_of(line)) is not None and logged <= step]
        atomic_write(path, "".join(line + "\n" for line in kept))

    def write(self, step: int, losses: dict[str, Tensor], seconds: float) -> None:
        """Append one line."""
        numbers = {k: round(float(v), 6) for k, v in losses.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": "step", "step": step, "losses": numbers, "seconds": round(seconds, 4)}))
            file.write("\n")


def _sheet(gan: Gan, streams: dict[str, Stream], path: Path) -> None:
    """A few whole images of both sets, spread over each, as the networks now see them."""
    rows = []
    for row in range(SHEET_ROWS):
        loaded = (stream.load(row * len(stream.dataset) // SHEET_ROWS)[0] for stream in streams.values())
        columns = gan.sheet(*(network_input(image, gan.device) for image in loaded))
        rows.append({title: pixels(image_BCHW) for title, image_BCHW in columns.items()})
    write_sheet(path, rows)


def _broken(losses: dict[str, Tensor], step: int, batches: dict[str, Batch], folder: Path) -> UserError:
    bad = ", ".join(k for k, v in losses.items() if not torch.isfinite(v))
    images = "; ".join(f"{role}: {', '.join(batch.names)}" for role, batch in batches.items())
    return UserError(
        f"the loss {bad} is not finite at step {step} (images {images})",
        folder,
        "look at these images; if they are sound, choose another --seed and output folder",
    )
