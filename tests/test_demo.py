"""The demo: its stand-in is called one, given photographs are used, all of it runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from simteacher import demo as demo_function
from simteacher.errors import UserError
from simteacher.scenes.spec import SceneSpec

demo = import_module("simteacher.demo")


def photographs(root: Path, **splits: list[str]) -> str:
    """A `folder` set with a label for each name of ``val``."""
    for name in [n for names in splits.values() for n in names]:
        (root / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(root / "images" / f"{name}.png")
    for name in splits.get("val", []):
        (root / "labels").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((24, 32), np.uint8)).save(root / "labels" / f"{name}.png")
    (root / "dataset.yaml").write_text(yaml.safe_dump({"version": 1, "space": "camvid11", "splits": splits}))
    return f"folder:{root}"


def test_scenes_are_valid_and_leave_a_gap() -> None:
    simulated, other = (SceneSpec.model_validate(s) for s in (demo.SIMULATED, demo.STAND_IN))
    assert simulated.camera.height[1] < other.camera.height[0]
    assert simulated.camera.noise[1] < other.camera.noise[0]
    assert simulated.camera.jpeg[0] > other.camera.jpeg[1]
    assert set(simulated.light.time) != set(other.light.time)
    assert len(set(demo.SEEDS.values())) == len(demo.SEEDS) == len(demo.FRAMES)


def test_photographs_are_measured_on_their_labelled_split(tmp_path: Path) -> None:
    with_val = photographs(tmp_path / "a", train=["1", "2"], val=["3"])
    assert demo._photographs(with_val) == {"eval_data": with_val, "eval_split": "val"}
    assert demo._photographs(photographs(tmp_path / "b", train=["1", "2"])) == {}
    with pytest.raises(UserError, match="nowhere"):
        demo._photographs(f"folder:{tmp_path / 'nowhere'}")


def test_photographs_in_data_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert demo._found() is None
    (tmp_path / "data" / "camvid").mkdir(parents=True)
    assert demo._found() == "camvid:data/camvid"


def test_a_folder_of_other_files_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds files but no run"):
        demo_function(tmp_path)
    assert not tmp_path.with_name(f"{tmp_path.name}-data").exists()


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True])
def test_all_of_it(given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("STAND_IN_RUN", "PHOTOGRAPHS_RUN"):
        monkeypatch.setattr(demo, name, ("smoke", {"budget.steps": 4}, (96, 72)))
    monkeypatch.setattr(demo, "FRAMES", {"source": 3, "stand-in": 2, "stand-in-held-out": 1})
    data = photographs(tmp_path / "photographs", train=["1", "2"], val=["3"]) if given else None
    run = demo_function(tmp_path / "run", data)
    assert (run / "model.safetensors").is_file()
    page = (run / "report.html").read_text(encoding="utf-8")
    out = capsys.readouterr().out
    assert "mean IoU" in out and str(run / "report.html") in out
    assert ("stand-in" in out) is not given
    assert given or "stand-in" in page
    if not given:
        weights = (run / "model.safetensors").read_bytes()
        assert demo_function(tmp_path / "run") == run  # a finished demo says so and does nothing
        assert (run / "model.safetensors").read_bytes() == weights
