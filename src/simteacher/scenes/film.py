"""Rendered clips as videos: ``OUT/videos/CLIP.mp4``."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from simteacher.encode import VideoWriter
from simteacher.files import atomic_path
from simteacher.progress import progress, say
from simteacher.scenes.job import WRITERS, Job


def film(job: Job) -> None:
    """Write a video of every clip of a finished job, at the clip's rate. Those of before are written again."""
    folder = Path(job.out) / "videos"
    clips = [(clip, list(names)) for clip, names in groupby(job.names(), lambda name: name.rpartition("_")[0])]
    with progress(len(clips), "videos") as bar:
        for clip, names in clips:
            with atomic_path(folder / f"{clip}.mp4") as part:
                out = VideoWriter(part, job.size, Fraction(job.rate).limit_denominator(1001))
                try:
                    for name in names:
                        with Image.open(WRITERS[job.format].image_path(Path(job.out), name)) as image:
                            out.add(np.asarray(image.convert("RGB")))
                finally:
                    out.close()
            bar.advance()
    say(f"{folder}: {len(clips)} video{'s' if len(clips) > 1 else ''}")
