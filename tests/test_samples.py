"""Samples for the report: the photograph and the model's mask of the same size, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from simteacher.data.open import open_dataset
from simteacher.samples import WIDTH, write_samples
from tests.lookalikes.streets import save
from tests.stub_model import SPACE, blocks, stub_loaded
from tests.tiny import run_dir


def test_photograph_and_mask(tmp_path: Path) -> None:
    image, truth = blocks(0)
    save(tmp_path / "photos/small.png", image)
    save(tmp_path / "photos/large.png", blocks(1, 600, 2 * WIDTH)[0])
    save(tmp_path / "photos/strip.png", blocks(2, 1, 4 * WIDTH)[0])
    photographs, model = open_dataset(tmp_path / "photos"), stub_loaded(tmp_path)
    with run_dir(tmp_path / "run") as run:
        write_samples(model, photographs, run, "teacher")
        folder = run.stage("teacher") / "samples"
        before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
        (folder / "small.png").unlink()
        write_samples(model, photographs, run, "teacher")
    assert {p.name for p in folder.iterdir()} == {
        f"{name}.{kind}" for name in ("small", "large", "strip") for kind in ("jpg", "png")
    }
    assert (folder / "large.png").stat().st_mtime_ns == before["large.png"]
    mask = Image.open(folder / "small.png")
    assert mask.mode == "P" and np.array_equal(np.asarray(mask), truth)
    assert mask.getpalette()[:9] == [v for c in SPACE.colors for v in c]  # type: ignore[index]
    assert Image.open(folder / "small.jpg").size == (64, 48)
    assert Image.open(folder / "large.jpg").size == Image.open(folder / "large.png").size == (WIDTH, 300)
    assert Image.open(folder / "strip.png").size == (WIDTH, 1)
