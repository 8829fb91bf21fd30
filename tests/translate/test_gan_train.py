"""Training a translation: stopped and resumed bit for bit, sample sheets, what it learns, what it refuses."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from simteacher.data import DataSet, open_dataset
from simteacher.errors import UserError
from simteacher.state_file import load_state
from simteacher.translate import cut, gan, gan_train
from simteacher.translate.gan import apply, trained
from simteacher.translate.gan_parts import network_input, pixels
from simteacher.translate.gan_train import rate
from simteacher.translate.settings import BUDGETS, GanSettings, settle

TINY = GanSettings(steps=7, crop=32, height=32, channels=4, blocks=1, skip=True)
CPU = torch.device("cpu")


def pictures(folder: Path, seed: int, level: int, count: int = 3, size: tuple[int, int] = (40, 32)) -> DataSet:
    """Noise about a grey level."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        noise = rng.normal(level, 25, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    return open_dataset(folder)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[DataSet, DataSet]:
    """Dark renders and bright photographs, the latter of another size."""
    return pictures(tmp_path / "dark", 0, 70), pictures(tmp_path / "bright", 1, 180, 4, (60, 48))


@pytest.mark.parametrize(("method", "how"), [("cyclegan", "killed"), ("cut", "Ctrl-C")])
def test_stopped_and_resumed_ends_with_the_same_weights(
    method: str, how: str, sets: tuple[DataSet, DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(method, TINY, *sets, tmp_path / "whole", 3)
    make = gan.make

    def stopping(*args: object) -> object:
        made = make(*args)  # type: ignore[arg-type]
        step, count = made.step, iter(range(99))

        def limited(*batch: object) -> object:
            if next(count) == 4:
                if how == "killed":
                    raise KeyboardInterrupt
                signal.raise_signal(signal.SIGINT)  # lets this step end, and is saved
            return step(*batch)  # type: ignore[arg-type]

        made.step = limited  # type: ignore[method-assign, assignment]
        return made

    monkeypatch.setattr(gan_train, "SAVE_SECONDS", 0.0 if how == "killed" else 1e9)
    monkeypatch.setattr(gan, "make", stopping)
    with pytest.raises(KeyboardInterrupt):
        trained(method, TINY, *sets, tmp_path / "parts", 3)
    assert load_state(tmp_path / "parts" / "state.safetensors")["step"] == (4 if how == "killed" else 5)
    monkeypatch.setattr(gan, "make", make)
    trained(method, TINY, *sets, tmp_path / "parts", 3)
    whole, parts = ((tmp_path / p / "generator.safetensors").read_bytes() for p in ("whole", "parts"))
    assert whole == parts
    lines = [
        [(e["step"], e["losses"]) for e in map(json.loads, (tmp_path / p / "metrics.jsonl").read_text().splitlines())]
        for p in ("whole", "parts")
    ]
    assert lines[0] == lines[1] and [step for step, _ in lines[0]] == [1, 7]
    assert not (tmp_path / "parts" / "state.safetensors").exists()
    sheets = sorted((tmp_path / "parts" / "samples").iterdir())
    assert [s.name for s in sheets] == [f"step-{n:06d}.jpg" for n in range(1, 8)]
    assert Image.open(sheets[-1]).height > 3 * 200


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cyclegan", "cut"])
def test_dark_pictures_become_bright(
    method: str, sets: tuple[DataSet, DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gan_train, "RATE", 2e-3)  # a few steps must do; with 4e-3 one seed of four fails
    settings = GanSettings(steps=60, crop=32, height=32, channels=8, blocks=1, skip=True)
    translator = trained(method, settings, *sets, tmp_path / "run", 0)
    dark = np.asarray(Image.open(tmp_path / "dark" / "0.png"))
    bright = translator("0", dark)
    assert bright.shape == dark.shape and bright.dtype == np.uint8
    assert bright.mean() > dark.mean() + 40
    again = trained(method, settings, *sets, tmp_path / "run", 0)
    assert np.array_equal(again("0", dark), bright)


def test_a_broken_loss_stops_with_step_and_images(
    sets: tuple[DataSet, DataSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cut, "TEMPERATURE", float("nan"))
    said = r"loss nce, identity is not finite at step 0 \(images source: \d; target: \d\)"
    with pytest.raises(UserError, match=said):
        trained("cut", TINY, *sets, tmp_path / "run", 0)


def test_a_damaged_generator_is_trained_again_where_it_is_deleted(
    sets: tuple[DataSet, DataSet], tmp_path: Path
) -> None:
    short = replace(TINY, steps=1)
    trained("cut", short, *sets, tmp_path / "run", 3)
    kept = tmp_path / "run" / "generator.safetensors"
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-100])
    with pytest.raises(UserError, match="delete it; it is trained again"):
        trained("cut", short, *sets, tmp_path / "run", 3)
    kept.unlink()
    trained("cut", short, *sets, tmp_path / "run", 3)
    assert kept.read_bytes() == whole


class Brighter(nn.Module):
    """A tenth of the range brighter."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Same shape; the height is the trained one."""
        assert image.shape[2] == 32
        return image + 0.2


@pytest.mark.parametrize("size", [(32, 40), (64, 81), (20, 30)])
def test_an_image_of_another_height_keeps_its_detail(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert np.array_equal(pixels(network_input(image, CPU)), image)
    expected = np.rint(np.minimum(image + 25.5, 255))
    assert np.abs(apply(Brighter(), image, 32, CPU).astype(int) - expected).max() <= 1


def test_learning_rate() -> None:
    assert [rate(step, 10) for step in range(10)] == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])
    assert rate(0, 1) == 1


def test_settings_follow_the_images() -> None:
    none: dict[str, int | None] = dict.fromkeys(("steps", "crop", "height", "channels", "blocks"))
    assert settle("cut", "small", none, 9, (480, 360)) == BUDGETS["small"]
    small = settle("cut", "small", none, 9, (160, 120))
    assert (small.height, small.crop) == (120, 96)
    assert settle("cut", "small", none, 9, (720, 1280)).height == 256, "of an upright picture the short side counts"
    assert settle("cyclegan", "paper", none, 1000, (1914, 1052)).steps == 200_000
    assert settle("cut", "paper", none | {"steps": 5, "channels": 8}, 1000, (1914, 1052)).steps == 5


@pytest.mark.parametrize(
    ("budget", "given", "size", "said"),
    [
        ("smal", {}, (480, 360), "did you mean 'small'"),
        ("small", {"crop": 100}, (480, 360), r"--crop: a crop of 100 .* multiple of 32 up to 256"),
        ("small", {"crop": 288}, (480, 360), r"does not fit images of 341x256"),
        ("small", {}, (40, 20), r"use larger images"),
        ("small", {"channels": 1}, (480, 360), r"--channels: 1 is too small"),
    ],
)
def test_settings_that_do_not_fit(budget: str, given: dict[str, int | None], size: tuple[int, int], said: str) -> None:
    with pytest.raises(UserError, match=f"(?s){said}"):
        settle("cut", budget, given, 9, size)
