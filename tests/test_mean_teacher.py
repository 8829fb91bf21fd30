"""The mean of packed teachers: by hand, with what it is told to be made of."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from tools.mean_teacher import _part, mean_teacher

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.labels import SPACES
from simteacher.models.store import ModelCard, load, save_model
from tests import tiny
from tests.stub_model import blocks


def packed(folder: Path, seed: int, before: dict[str, object] | None = None, lacks: str = "nothing") -> Path:
    """What `pack_teacher` writes, of an untrained network."""
    net = tiny.network(19, seed)
    save_model(folder, net, ModelCard(Network(**tiny.NETWORK).model_dump(), SPACES["cityscapes19"], (64, 48)))
    kept = {k: v.clone() for k, v in load_file(folder / "model.safetensors").items() if not k.startswith(lacks)}
    save_file(kept, folder / "model.safetensors")
    told = {
        "command": f"adapt {seed}",
        "packed": {"sha256": str(seed) * 8},
        **({"went on from": before} if before else {}),
    }
    (folder / "provenance.json").write_text(json.dumps(told))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    (tmp_path / "pictures" / "images").mkdir(parents=True)
    Image.fromarray(blocks(1)[0]).save(tmp_path / "pictures" / "images" / "1.png")
    (tmp_path / "pictures" / "dataset.yaml").write_text(yaml.safe_dump({"version": 1, "space": "cityscapes19"}))
    return f"folder:{tmp_path / 'pictures'}"


def test_mean_by_hand(tmp_path: Path, pictures: str) -> None:
    old = packed(tmp_path / "old", 1, lacks="upsample")
    new = packed(tmp_path / "new", 2, before=json.loads((old / "provenance.json").read_text()))
    other = packed(tmp_path / "other", 3)
    measured = mean_teacher([(new, 3.0), (old, 1.0), (other, 1.0)], pictures, tmp_path / "out")
    a, b, c, found = (load_file(p / "model.safetensors") for p in (new, old, other, tmp_path / "out"))
    assert found.keys() == a.keys()
    for name, value in found.items():
        if not a[name].is_floating_point():
            assert torch.equal(value, a[name])
            continue
        mean = (3 * a[name] + c[name] + b[name]) / 5 if name in b else (3 * a[name] + c[name]) / 4
        torch.testing.assert_close(value, mean.bfloat16() if mean.ndim > 1 else mean, rtol=1e-2, atol=1e-6, msg=name)
    assert any(name.startswith("upsample") for name in found) and load(tmp_path / "out").network is not None
    assert load(tmp_path / "out").card.miou is None and load(tmp_path / "out").card.extra["mean_of"] == 3
    told = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert told["command"] == "adapt 2" and told["packed"]["sha256"] == measured["sha256"]
    assert [part["share"] for part in told["mean of"]] == [0.6, 0.2, 0.2]
    assert [part.get("made of", {}).get("command") for part in told["mean of"]] == [None, None, "adapt 3"]


def test_a_common_past_is_told_once(tmp_path: Path, pictures: str) -> None:
    past = json.loads((packed(tmp_path / "past", 1) / "provenance.json").read_text())
    one, other = (packed(tmp_path / str(seed), seed, before=past) for seed in (2, 3))
    mean_teacher([(one, 1.0), (other, 1.0), (tmp_path / "past", 1.0)], pictures, tmp_path / "out")
    text = (tmp_path / "out" / "provenance.json").read_text()
    told = json.loads(text)
    assert told["went on from"] == past and text.count('"adapt 1"') == 1
    assert told["mean of"][1]["made of"] == {
        "command": "adapt 3",
        "packed": {"sha256": "33333333"},
        "went on from": {"sha256": "11111111"},
    }
    assert told["mean of"][2] == {"share": 0.3333, "sha256": "11111111"}


def test_what_is_no_packed_teacher_is_refused(tmp_path: Path, pictures: str) -> None:
    one, other = packed(tmp_path / "one", 1), packed(tmp_path / "other", 2)
    card = load(other).card
    (other / "model.json").write_text(replace(card, network={**card.network, "decoder": "unet"}).to_json())
    bare = packed(tmp_path / "bare", 3)
    (bare / "provenance.json").unlink()
    for wrong, message in ((other, "another network"), (bare, "no packed teacher")):
        with pytest.raises(UserError, match=message):
            mean_teacher([(one, 1.0), (wrong, 1.0)], pictures, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for text in ("folder", "folder=0", "folder=-1", "=2", "folder=much"):
        with pytest.raises(ArgumentTypeError, match="FOLDER=SHARE"):
            _part(text)
