"""Class statistics of a labelled set, for rare-class sampling and class weights. They notice when the set changes."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simteacher.data.read import read_label
from simteacher.data.sample import IGNORE, DataSet
from simteacher.files import atomic_write
from simteacher.labels import LabelSpace
from simteacher.progress import progress

TAIL = 256  # bytes; of a PNG the end of its last data, its checksum, and its closing chunk
PARTS = tuple(k / 16 for k in range(17))  # where uncompressed pictures are looked at
F64 = npt.NDArray[np.float64]


def fingerprint(dataset: DataSet, times: bool = False) -> str:
    """Hash of all names, file sizes and some content (with ``times``, of modification times too): 16 hex digits.

    Labels painted anew often have the size that they had; the end of a PNG holds a checksum of its pixels.
    """
    digest = hashlib.sha256(f"{dataset.format} {dataset.split}".encode())
    for f in dataset.frames:
        for path in (f.image, f.label, f.confidence):
            if path is not None and path.exists():
                digest.update(_trace(path))
                stat = path.stat()
                digest.update(
                    f"{f.name} {stat.st_size} {stat.st_mtime_ns if times else ''}".encode("utf-8", "surrogateescape")
                )
    return digest.hexdigest()[:16]


def _trace(path: Path) -> bytes:
    """A few bytes of a file whose size alone may stay when its pixels change."""
    places = {".png": (1.0,), ".bmp": PARTS, ".ppm": PARTS, ".tif": PARTS, ".tiff": PARTS}.get(path.suffix.lower(), ())
    size = path.stat().st_size
    with suppress(OSError), path.open("rb") as file:  # one that cannot be read is found where it is needed
        found = []
        for share in places:
            file.seek(max(int(share * (size - TAIL)), 0))
            found.append(file.read(TAIL))
        return b"".join(found)
    return b""


def class_counts(dataset: DataSet, space: LabelSpace, cache: Path | None = None) -> F64:
    """Pixels of each class in each image, shape (N, K).

    Args:
        dataset: A labelled set.
        space: Classes to count.
        cache: Folder where the result is kept under a key of files and classes; another set or space gives another key.

    Raises:
        UserError: A label is missing or wrong.
    """
    meaning = f"{dataset.names} {dataset.decode} {space}"  # what the stored numbers stand for
    key = hashlib.sha256(f"{fingerprint(dataset, times=True)} {meaning}".encode()).hexdigest()[:16]
    kept = cache / f"classes-{key}.json" if cache else None
    if kept and kept.is_file():
        with suppress(ValueError):  # a damaged one is counted again
            return np.array(json.loads(kept.read_text()), np.float64).reshape(len(dataset), len(space.classes))
    width = len(space.classes)

    def count(i: int) -> F64:
        label = read_label(dataset, dataset.frames[i], space)
        return np.bincount(label[label != IGNORE], minlength=width)[:width].astype(np.float64)

    with ThreadPoolExecutor(2) as pool:
        counts = pool.map(count, range(len(dataset)))
        counts_NK = np.stack([row for row, _ in zip(counts, progress(dataset.frames, "count classes"), strict=True)])
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(kept, json.dumps(counts_NK.astype(int).tolist()))
    return counts_NK


def class_weights(counts_NK: F64, exponent: float) -> F64:
    """Loss weights ``(share_k / median share) ** -exponent``, clipped to [0.1, 10], then scaled to mean 1 over pixels.

    Absent classes weigh as much as one of median share.
    """
    share: F64 = counts_NK.sum(0) / max(counts_NK.sum(), 1)
    present = share > 0
    weights = np.ones_like(share)
    if not present.any():
        return weights
    weights[present] = np.clip((share[present] / np.median(share[present])) ** -exponent, 0.1, 10)
    return np.asarray(weights / max((weights * share).sum() / max(share.sum(), 1e-12), 1e-12), np.float64)


def rare_class_chances(counts_NK: F64, temperature: float = 0.1) -> F64:
    """Chance to draw each class present: ``exp((1 - f_c) / T)``, normalised (DAFormer, Hoyer et al. 2022)."""
    share = counts_NK.sum(0) / max(counts_NK.sum(), 1)
    chance = np.where(share > 0, np.exp((1 - share) / temperature - 1 / temperature), 0.0)
    return np.asarray(chance / max(chance.sum(), 1e-12), np.float64)
