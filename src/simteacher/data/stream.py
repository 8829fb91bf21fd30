"""Endless training batches from a data set, a pure function of (seed, step): resuming needs no sampler state.

Background threads prepare the next batches while the network works.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from simteacher.config import Augment, Budget
from simteacher.data.read import read_confidence, read_image, read_label
from simteacher.data.sample import IGNORE, DataSet
from simteacher.data.statistics import F64, rare_class_chances
from simteacher.data.views import crop_box, cut, recolour
from simteacher.errors import UserError
from simteacher.labels import LabelSpace

U8 = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Batch:
    """What an objective sees of one stream.

    Attributes:
        image_BCHW: RGB in [0, 1], colour-augmented.
        plain_BCHW: The same view without colour changes.
        label_BHW: Class indices (int64), IGNORE where unknown; all IGNORE for an unlabelled stream.
        weight_BHW: Confidence of a pseudo-label in [0, 1], else 1.
        names: Of the images, for messages.
        second_BCHW: The same view with other colour changes, where the stream makes two; else None.
        inside_BHW: False where a crop sticks out of its image; likewise.
    """

    image_BCHW: Tensor
    plain_BCHW: Tensor
    label_BHW: Tensor
    weight_BHW: Tensor
    names: list[str]
    second_BCHW: Tensor | None = None
    inside_BHW: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move all tensors."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return Batch(
            moved(self.image_BCHW),
            moved(self.plain_BCHW),
            moved(self.label_BHW),
            moved(self.weight_BHW),
            self.names,
            None if self.second_BCHW is None else moved(self.second_BCHW),
            None if self.inside_BHW is None else moved(self.inside_BHW),
        )


class View(NamedTuple):
    """One example: images (H, W, 3) and planes (H, W), uint8; see `Batch`."""

    coloured: U8
    plain: U8
    label: U8
    confidence: U8
    name: str
    second: U8 | None = None
    inside: U8 | None = None


@dataclass(slots=True)
class Cache:
    """Decoded images at training size, kept until ``gib`` are used; shared by all streams of a run."""

    gib: float
    used: int = 0
    kept: dict[tuple[str, str], tuple[U8, list[U8]]] = field(default_factory=dict)

    def get(self, key: tuple[str, str]) -> tuple[U8, list[U8]] | None:
        """The arrays kept under a key, or None."""
        return self.kept.get(key)

    def put(self, key: tuple[str, str], image: U8, planes: list[U8]) -> None:
        """Keep arrays if there is room."""
        size = image.nbytes + sum(p.nbytes for p in planes)
        if self.used + size <= self.gib * 2**30 and key not in self.kept:  # another thread may have been quicker
            self.kept[key] = (image, planes)
            self.used += size


class Stream:
    """Batches of random views of a data set.

    Args:
        name: Of the stream; part of its random seed.
        dataset: Where the images are.
        space: Classes of the labels, or None to open no label.
        budget: Size of a whole view and of a crop.
        augment: Strengths of the random changes.
        seed: Of the run.
        count: Images a step, over all processes.
        counts_NK: Class pixels of each image, for rare-class sampling.
        rare: Chance that an image is drawn because of a class it holds.
        like: Channel statistics (mean, std), each (N, 3), of target images, for ``augment.match_target``.
        cache: Shared store of decoded images.
        part: (rank, processes); each makes its share of ``count``.
        twice: Whether each view gets its colours changed in two ways.
        inside: Whether a batch says which pixels are of the photograph; with `twice` it does.
    """

    def __init__(
        self,
        name: str,
        dataset: DataSet,
        space: LabelSpace | None,
        budget: Budget,
        augment: Augment,
        seed: int,
        count: int,
        *,
        counts_NK: F64 | None = None,
        rare: float = 0.0,
        like: tuple[F64, F64] | None = None,
        cache: Cache | None = None,
        part: tuple[int, int] = (0, 1),
        twice: bool = False,
        inside: bool = False,
    ) -> None:
        self.name, self.dataset, self.space, self.budget, self.augment = name, dataset, space, budget, augment
        self.seed, self.count, self.counts_NK, self.rare, self.like, self.part = (
            seed,
            count,
            counts_NK,
            rare,
            like,
            part,
        )
        if count < part[1]:
            problem = f"the batch leaves {count} {name} images for {part[1]} process{'es' if part[1] > 1 else ''}"
            raise UserError(problem, "budget.batch", "choose a larger batch")
        self.twice, self.inside = twice, inside or twice
        self.cache = cache or Cache(0.0)
        self.chances = rare_class_chances(counts_NK) if counts_NK is not None else None
        self.key = f"{name}|{dataset.root}|{dataset.split}"
        self.code = zlib.crc32(name.encode())

    def load(self, index: int) -> tuple[U8, list[U8]]:
        """Image and [label, confidence] planes of one frame; its short side is the budget's, as where it is read."""
        key = (self.key, self.dataset.frames[index].name)
        hit = self.cache.get(key)
        if hit is not None:
            return hit
        frame = self.dataset.frames[index]
        image = read_image(frame.image)
        short, (h, w) = min(self.budget.size), image.shape[:2]
        to = (short, max(1, round(h * short / w))) if w < h else (max(1, round(w * short / h)), short)
        if image.shape[1::-1] != to:
            image = np.asarray(Image.fromarray(image).resize(to, Image.Resampling.BILINEAR, reducing_gap=2.0))
        planes: list[U8] = []
        if self.space is not None:
            planes.append(read_label(self.dataset, frame, self.space))
            if frame.confidence is not None:
                planes.append(read_confidence(frame))
            planes = [
                p if p.shape == image.shape[:2] else np.asarray(Image.fromarray(p).resize(to, Image.Resampling.NEAREST))
                for p in planes
            ]
        self.cache.put(key, image, planes)
        return image, planes

    def _draw(self, rng: np.random.Generator) -> tuple[int, int | None]:
        """An image index, and the rare class that it was drawn for."""
        if self.counts_NK is not None and self.chances is not None and rng.random() < self.rare and self.chances.any():
            wanted = int(rng.choice(len(self.chances), p=self.chances))
            holders = self.counts_NK[:, wanted]
            enough = np.flatnonzero(holders >= min(np.median(holders[holders > 0]), holders.max()) * 0.5)
            return int(rng.choice(enough)), wanted
        return int(rng.integers(len(self.dataset))), None

    def view(self, step: int, index: int) -> View:
        """One augmented example."""
        rng = np.random.default_rng([self.seed, self.code, step, index])
        chosen, wanted = self._draw(rng)
        image, planes = self.load(chosen)
        size, crop = (image.shape[1], image.shape[0]), self.budget.crop
        box = crop_box(rng, size, crop, self.augment.scale)
        if (
            wanted is not None
        ):  # prefer a crop that shows the class; at most five tries (DAFormer re-crops up to ten times)
            for _ in range(4):
                x, y, w, h = (max(0, int(v)) for v in box)
                if np.count_nonzero(planes[0][y : y + h : 4, x : x + w : 4] == wanted) >= 20:
                    break
                box = crop_box(rng, size, crop, self.augment.scale)
        whole = [np.zeros(image.shape[:2], np.uint8)] if self.inside else []
        plain, cut_planes = cut(image, [*planes, *whole], box, crop, rng.random() < self.augment.flip)
        inside = (cut_planes.pop() == 0).astype(np.uint8) if self.inside else None
        like = None
        if self.like is not None and rng.random() < self.augment.match_target:
            other = int(rng.integers(len(self.like[0])))
            like = (self.like[0][other].astype(np.float32), self.like[1][other].astype(np.float32))
        coloured = recolour(rng, plain, self.augment, like)
        label = cut_planes[0] if cut_planes else np.full(plain.shape[:2], IGNORE, np.uint8)
        confidence = cut_planes[1] if len(cut_planes) > 1 else np.full(plain.shape[:2], 255, np.uint8)
        second = recolour(rng, plain, self.augment, like) if self.twice else None
        return View(coloured, plain, label, confidence, self.dataset.frames[chosen].name, second, inside)

    def batch(self, step: int) -> Batch:
        """This process's share of a step's batch."""
        rank, processes = self.part
        views = [self.view(step, i) for i in range(rank, self.count, processes)]

        second = [v.second for v in views if v.second is not None]
        inside = [v.inside for v in views if v.inside is not None]
        return Batch(
            _share_of_255([v.coloured for v in views]).permute(0, 3, 1, 2),
            _share_of_255([v.plain for v in views]).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack([v.label for v in views], dtype=np.int64)),
            _share_of_255([v.confidence for v in views]),
            [v.name for v in views],
            _share_of_255(second).permute(0, 3, 1, 2) if second else None,
            torch.from_numpy(np.stack(inside).astype(bool)) if inside else None,
        )


def _share_of_255(several: list[U8]) -> Tensor:
    """Bytes as float32 in [0, 1], stacked. By numpy: torch would start a second team of threads, on the same cores."""
    made = np.empty((len(several), *several[0].shape), np.float32)
    for one, to in zip(several, made, strict=True):
        np.divide(one, np.float32(255), out=to)
    return torch.from_numpy(made)


def loaders() -> int:
    """How many threads prepare batches.

    One where the network computes on the same cores, whose step takes 25 times as long as its batch; beside a GPU half
    of the cores that this process may use, at most 8.
    """
    if not torch.cuda.is_available():
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) // 2))


def prefetch(streams: dict[str, Stream], start: int, stop: int, threads: int = 1) -> Iterator[dict[str, Batch]]:
    """Yield the batches of all streams for steps ``start`` to ``stop - 1``, prepared in the background.

    Args:
        streams: By role.
        start: First step.
        stop: One past the last.
        threads: Each prepares one step's batches at a time; with any number they are the same.
    """
    ahead = threads + 1

    def make(step: int) -> dict[str, Batch]:
        return {name: s.batch(step) for name, s in streams.items()}

    with ThreadPoolExecutor(threads) as pool:
        waiting: list[Future[dict[str, Batch]]] = [pool.submit(make, s) for s in range(start, min(start + ahead, stop))]
        try:
            for step in range(start, stop):
                ready = waiting.pop(0)
                if step + ahead < stop:
                    waiting.append(pool.submit(make, step + ahead))
                yield ready.result()
        finally:
            for w in waiting:
                w.cancel()
