"""Nobody's file runs code here: weights, recipes, data sets, label spaces, scenes, hand-overs that try.

Each file, given to the command that reads it, would leave a folder behind if its code ran. It has to be refused in the
user's terms, or be read as the plain text that it is.
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import simteacher
from simteacher.config import Network
from simteacher.data.open import open_dataset
from simteacher.errors import UserError
from simteacher.labels import load_space
from simteacher.models.start import start
from simteacher.models.store import ModelCard, save_model
from simteacher.recipe_file import load_recipe, parse_set
from simteacher.scenes.spec import load_scene
from simteacher.state_file import load_state
from tests import lookalikes, tiny
from tests.lookalikes.streets import photo, save


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


@pytest.fixture
def bomb(tmp_path: Path) -> Bomb:
    """Armed; the test fails when it goes off."""
    armed = Bomb(tmp_path / "it-ran")
    yield armed
    assert not armed.place.exists(), "code of a file was run"


def tags(bomb: Bomb) -> list[str]:
    """YAML values that a loader of Python objects would run."""
    return [
        f"!!python/object/apply:os.mkdir ['{bomb.place}']",
        f"!!python/object/new:os.mkdir ['{bomb.place}']",
        f"!!python/object/apply:subprocess.check_output [['mkdir', '{bomb.place}']]",
        "!!python/name:os.system",
        "!!python/module:antigravity",
    ]


def test_the_bomb_works(bomb: Bomb) -> None:
    pickle.loads(pickle.dumps(bomb))
    assert bomb.place.is_dir()
    bomb.place.rmdir()


@pytest.mark.parametrize("name", ["model.safetensors", "weights.pt", "model.pth", "model.bin", "model.onnx"])
@pytest.mark.parametrize("how", ["pickle", "torch", "torch old"])
def test_pickled_weights(bomb: Bomb, tmp_path: Path, name: str, how: str) -> None:
    path = tmp_path / name
    if how == "pickle":
        path.write_bytes(pickle.dumps({"weight": bomb}))
    else:
        torch.save({"weight": bomb}, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(UserError, match="not a readable"):
        simteacher.load(path)
    with pytest.raises(UserError, match="not a readable"):
        load_state(path)


def test_pickled_weights_of_a_recipe(bomb: Bomb, tmp_path: Path) -> None:
    torch.save({"weight": bomb}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        start(Network(**{**tiny.NETWORK, "weights": str(tmp_path / "weights.pt")}), tiny.SPACE)


@pytest.mark.parametrize("encoder", ["hf-hub:somebody/model", "hf_hub:somebody/model", "local-dir:/tmp", "../x", "a b"])
def test_a_card_or_recipe_fetches_no_network_of_somebody(tmp_path: Path, encoder: str) -> None:
    card = ModelCard({**tiny.NETWORK, "encoder": encoder}, tiny.SPACE, (64, 48))
    save_model(tmp_path, torch.nn.Linear(1, 1), card)
    with pytest.raises(UserError, match="network section is not valid"):
        simteacher.load(tmp_path)
    (tmp_path / "recipe.yaml").write_text(f"network: {{encoder: '{encoder}'}}\n")
    with pytest.raises(UserError, match=r"network\.encoder"):
        load_recipe(tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"space": ' * 50_000, "__import__('os').system('x')", "{}", "null", "7"]
)
def test_a_card_that_is_hostile_json(tmp_path: Path, text: str) -> None:
    save_model(tmp_path, torch.nn.Linear(1, 1), ModelCard(tiny.NETWORK, tiny.SPACE, (64, 48)))
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(UserError, match="not a model card"):
        simteacher.load(tmp_path)


def test_tags_in_yaml(bomb: Bomb, tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path / "set", 2)
    path = tmp_path / "file.yaml"
    for tag in tags(bomb):
        path.write_text(f"classes: [{{name: {tag}}}]\nseed: {tag}\ntarget: {tag}\nsize: {tag}\n")
        (made.root / "dataset.yaml").write_text(f"space: cityscapes19\norigin: {tag}\n")
        for read in (load_recipe, load_space, load_scene):
            with pytest.raises(UserError, match="YAML"):
                read(path)
        with pytest.raises(UserError, match="not valid YAML"):
            open_dataset(made.root)
        with pytest.raises(UserError, match="not YAML"):
            parse_set([f"seed={tag}"])


def test_yaml_that_grows_without_end(tmp_path: Path) -> None:
    """Anchors that double at each line: read in no time, as nothing copies them."""
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    (tmp_path / "recipe.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError, match="unknown key 'a0'"):
        load_recipe(tmp_path / "recipe.yaml")


def test_pickles_in_a_data_set(bomb: Bomb, tmp_path: Path) -> None:
    """As a picture, as a label, as an array file, and as a module beside the pictures."""
    made = lookalikes.folder(tmp_path / "set", 3)
    (made.root / "images/frame_0.jpg").write_bytes(pickle.dumps(bomb))
    np.save(made.root / "labels/frame_1.png.npy", np.array([bomb], object), allow_pickle=True)
    (made.root / "labels/frame_1.png.npy").rename(made.root / "labels/frame_1.png")
    for name in ("sitecustomize.py", "conftest.py", "images/__init__.py", "images/numpy.py"):
        (made.root / name).write_text(f"import os; os.mkdir({str(bomb.place)!r})")
    found = simteacher.check(made.root)
    assert {Path(p["file"]).name for p in found["problems"]} == {"frame_0.jpg", "frame_1.png"}


def test_names_that_climb_out_of_a_hand_over(bomb: Bomb, tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path / "in/set", 2)
    out = simteacher.handover(made.root, tmp_path / "in/out", format="cvat")
    hostile = out / "corrected.zip"
    with zipfile.ZipFile(out / "annotations.zip") as good, zipfile.ZipFile(hostile, "w") as bad:
        for item in good.namelist():
            bad.writestr(item, good.read(item))
        bad.writestr("SegmentationClass/../../../climbed.png", good.read("SegmentationClass/frame_0.png"))
        bad.writestr("/tmp/climbed-to-the-root.png", b"x")
        bad.writestr("labelmap.pkl", pickle.dumps(bomb))
    try:
        simteacher.handover(hostile, tmp_path / "in/back", format="cvat", back=True)
    except UserError as error:
        assert "climbed" in str(error)
    assert {p.name for p in tmp_path.iterdir()} == {"in"}
    assert not list(tmp_path.rglob("climbed*"))


def test_a_run_folder_of_somebody_else(bomb: Bomb, tmp_path: Path) -> None:
    """Its records are text to the report."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(f"seed: {tags(bomb)[0]}\n")
    (run / "metrics.jsonl").write_text(
        json.dumps({"event": "step", "stage": "../../climbed", "step": 1, "loss": 1.0}) + "\n"
    )
    save(run / "teacher/samples/a.jpg", photo(np.random.default_rng(0), (64, 48)))
    try:
        simteacher.report(run)
    except UserError as error:
        assert "config.yaml" in str(error)
    assert not list(tmp_path.rglob("climbed*"))
