"""A few photographs with a stage's masks, for the report: the same images in every stage."""

from __future__ import annotations

import numpy as np
from PIL import Image

from simteacher.data.images import read_image
from simteacher.data.sample import DataSet
from simteacher.dense import read_images
from simteacher.files import atomic_path
from simteacher.models.store import Model
from simteacher.rundir import RunDir

WIDTH = 640


def write_samples(model: Model, photographs: DataSet, run: RunDir, stage: str) -> None:
    """Write each photograph as ``samples/<name>.jpg`` and its mask as ``samples/<name>.png`` (the space's palette)."""
    folder = run.stage(stage) / "samples"
    palette = model.card.space.palette_K3().tobytes()
    for frame in photographs.frames:
        if (folder / f"{frame.name}.png").is_file():
            continue
        image = Image.fromarray(read_image(frame.image))
        if image.width > WIDTH:
            image = image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width))), Image.Resampling.LANCZOS)
        mask = Image.fromarray(read_images(model, [np.asarray(image)], views=None)[0].label_HW)
        mask.putpalette(palette)
        with atomic_path(folder / f"{frame.name}.jpg") as part:
            image.save(part, format="JPEG", quality=88)
        with atomic_path(folder / f"{frame.name}.png") as part:
            mask.save(part, format="PNG")
