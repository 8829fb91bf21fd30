"""What a trained translation may spend: two presets, ``small`` for a CPU and ``paper`` as published."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from simteacher.errors import UserError, nearest

EPOCHS = {"cyclegan": 200, "cut": 400}
"""Passes over the larger set, as published; the learning rate falls in the second half."""


@dataclass(frozen=True, slots=True)
class GanSettings:
    """Size of a training.

    Attributes:
        steps: Optimiser steps of one image of each set; 0 stands for `EPOCHS`.
        crop: Side of the square that a step sees, in pixels.
        height: The short side that images are scaled to first; at most that of the source's.
        channels: Of the generator's and the discriminator's first layer.
        blocks: Residual blocks of the generator.
        skip: The generator adds to the image instead of drawing all of it.
    """

    steps: int
    crop: int
    height: int
    channels: int
    blocks: int
    skip: bool

    def to_dict(self) -> dict[str, Any]:
        """For the origin of the written set."""
        return asdict(self)


BUDGETS = {
    "small": GanSettings(steps=1500, crop=160, height=256, channels=32, blocks=6, skip=True),
    # crops of 452 as in BDL (Li et al. 2019) for driving scenes, rounded to what two halvings and the loader ask for
    "paper": GanSettings(steps=0, crop=448, height=512, channels=64, blocks=9, skip=False),
}


def settle(method: str, budget: str, given: dict[str, int | None], images: int, size: tuple[int, int]) -> GanSettings:
    """The settings of a training, every number known.

    Args:
        method: ``cyclegan`` or ``cut``.
        budget: Name of a preset.
        given: The user's own numbers by attribute, None where the preset's is wanted.
        images: In the larger of both sets.
        size: Width and height of the source's images.

    Raises:
        UserError: A number is out of range.
    """
    if budget not in BUDGETS:
        raise UserError(f"no budget '{budget}'{nearest(budget, BUDGETS)}", "--budget", f"use {' or '.join(BUDGETS)}")
    numbers: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    chosen = replace(BUDGETS[budget], **numbers)
    for name, least in (("steps", 0), ("crop", 32), ("height", 32), ("channels", 4), ("blocks", 1)):
        if getattr(chosen, name) < least:
            raise UserError(f"{getattr(chosen, name)} is too small", f"--{name}", f"give {least} or more")
    height = min(chosen.height, *size)
    crop = chosen.crop if given.get("crop") is not None else min(chosen.crop, height // 32 * 32)
    if crop % 32 or not 32 <= crop <= height:
        w, h = (side * height // min(size) for side in size)
        raise UserError(
            f"a crop of {crop or chosen.crop} does not fit images of {w}x{h}",
            "--crop",
            f"give a multiple of 32 up to {height}" if height >= 32 else "use larger images",
        )
    return replace(chosen, steps=chosen.steps or EPOCHS[method] * images, height=height, crop=crop)
