"""Photographs whose camera is known, and what is estimated from them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from simteacher.errors import UserError
from simteacher.labels import SPACES
from simteacher.scenes import layout, like, photostats
from simteacher.scenes.classes import CLASSES
from simteacher.scenes.job import atlas
from simteacher.scenes.like import jpeg_quality, match, render_size
from simteacher.scenes.scenefile import load_scene
from simteacher.scenes.spec import SceneSpec
from tests.stub_model import StubCard, StubModel


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_quality_of_a_jpeg(tmp_path: Path, quality: int) -> None:
    """What it was saved with, read from its tables; other files have none."""
    picture = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    picture.save(tmp_path / "a.jpg", quality=quality)
    picture.save(tmp_path / "a.png")
    assert jpeg_quality(tmp_path / "a.jpg") == quality and jpeg_quality(tmp_path / "a.png") is None


def test_size_keeps_the_shape() -> None:
    """Small photographs keep their size, large ones their shape."""
    assert render_size((480, 360)) == (480, 360)
    w, h = render_size((2048, 1024))
    assert w * h <= like.LARGEST and w / h == pytest.approx(2, abs=0.01) and w % 2 == h % 2 == 0


def test_grain_is_the_noise_that_was_added() -> None:
    """Gaussian noise of known deviation over a smooth picture, in grey levels."""
    draw = np.random.default_rng(0)
    smooth = np.linspace(60, 180, 160)[None, :, None] + np.zeros((120, 160, 3))
    for sigma in (2.0, 6.0):
        noisy = smooth + draw.normal(0, sigma, (120, 160, 1))  # equal in all channels: luma has the same deviation
        found = photostats.photo_stats(np.clip(np.rint(noisy), 0, 255).astype(np.uint8)).grain * 255
        assert found == pytest.approx(sigma, rel=0.25)


def test_horizon_of_a_road_drawn_by_hand() -> None:
    """Lines to one vanishing point at 40 % of the height."""
    h, w = 120, 160
    y, x = np.mgrid[0:h, 0:w]
    angle = np.arctan2(x - 75, y - 0.4 * (h - 1) + 0.01)
    picture = np.where(np.sin(angle * 11) > 0, 0.7, 0.2).astype(np.float32)
    votes = photostats.horizon_votes(picture)
    assert photostats.HORIZONS[votes.argmax()] == pytest.approx(0.4, abs=0.03)


@pytest.mark.slow
def test_the_camera_of_renders_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders with a dark, soft, warm camera and with a bright, sharp, blue one: the estimates tell them apart."""
    monkeypatch.setattr(like, "PHOTOS", 3)
    monkeypatch.setattr(like, "PROBES", 2)
    monkeypatch.setattr(layout, "free_knobs", lambda said: [])  # the streets stay those that were photographed
    size = (128, 96)
    probes = like._probes(SceneSpec(), size)
    assert atlas().side == 256
    found = {}
    for name, warm, change in (
        ("dark", 0.15, {"exposure": 0.6, "blur": 1.0}),
        ("bright", -0.15, {"exposure": 1.6, "blur": 0.1}),
    ):
        folder = tmp_path / name / "images"
        folder.mkdir(parents=True)
        camera = {**like.NEUTRAL, **change, "white_balance": (1 + warm, 1.0, 1 - warm)}
        for i, probe in enumerate(probes):
            Image.fromarray(probe.photo(i, **camera)).save(folder / f"{i}.png")
        (tmp_path / f"{name}.yaml").write_text(match(str(tmp_path / name)), encoding="utf-8")
        found[name] = load_scene(tmp_path / f"{name}.yaml")
        assert found[name].size == size
    for name, exposure, blur, warm in (("dark", 0.6, 1.0, 0.15), ("bright", 1.6, 0.1, -0.15)):
        c = found[name].camera
        assert c.exposure[0] < exposure < c.exposure[1]
        assert c.blur[0] - 0.05 <= blur <= c.blur[1] + 0.05 and c.warmth[0] < warm < c.warmth[1]


def test_photographs_without_a_street_do_not_say_what_streets_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wall of bricks that a model reads as vegetation: told, and worlds are not even drawn; a road is followed."""
    monkeypatch.setattr(like, "PHOTOS", 1)
    monkeypatch.setattr(like, "PROBES", 1)
    monkeypatch.setattr(layout, "WORLDS", 8)
    (tmp_path / "images").mkdir()
    picture = np.random.default_rng(1).integers(40, 200, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "images" / "0.png")
    names = {"plants": "vegetation", "road": "road"}
    texts = {}
    for group, name in names.items():
        seen = SimpleNamespace(label_HW=np.full((48, 64), CLASSES.index(name), np.uint8))
        monkeypatch.setattr(like, "read_images", lambda *a, answer=seen, **k: [answer])
        texts[group] = match(str(tmp_path), reader=StubModel(StubCard(SPACES["cityscapes19"])))
    out = capsys.readouterr()
    assert "road or pavement is seen on 0 % of the lowest third" in out.out + out.err
    assert "kinds" not in texts["plants"] and "kinds" in texts["road"]


def test_wrong_target(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(UserError, match="nowhere"):
        match(str(tmp_path / "nowhere"))
