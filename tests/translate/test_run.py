"""Translating a set: labels and the rest are carried over, the call is a cache, target labels are never opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

import simteacher
from simteacher.data import DataSet, FolderWriter, Frame, open_dataset, read_image, read_label
from simteacher.data.png16 import write_png16
from simteacher.errors import UserError
from simteacher.labels import SPACES
from simteacher.translate import agreement, run
from simteacher.translate.agreement import agreement as agree
from simteacher.translate.carry import carrier
from simteacher.translate.colour import U8, match_histogram
from tests.conftest import RunCli
from tests.lookalikes import formats
from tests.stub_model import SPACE, StubModel, blocks, stub_loaded

translate: Callable[..., Path] = simteacher.translate
HEIGHT, WIDTH = 48, 64


def photographs(root: Path, count: int = 3) -> Path:
    """A CamVid look-alike whose label files hold rubbish: whoever opens one fails."""
    rng = np.random.default_rng(1)
    for i in range(count):
        for path in (root / "train", root / "trainannot"):
            path.mkdir(parents=True, exist_ok=True)
        bright = rng.normal(170, 30, (40, 56, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(bright).save(root / "train" / f"p{i}.png")
        (root / "trainannot" / f"p{i}.png").write_bytes(b"not to be opened")
    return root


def renders(root: Path, count: int = 4) -> Path:
    """A `folder` set with everything a render has."""
    with FolderWriter(root, SPACE, {"made by": "a test"}) as writer:
        for i in range(count):
            image, label = blocks(i, HEIGHT, WIDTH)
            noise = np.random.default_rng(i).integers(-20, 20, image.shape)
            image = (image * 0.4 + 30 + noise).astype(np.uint8)
            depth = np.full(label.shape, 7.5 + i, np.float32)
            writer.add(f"r{i}", image, label=label, instances=label.astype(np.uint16) * 300, depth=depth)
    (root / "normals").mkdir()
    for i in range(count):
        Image.fromarray(blocks(i)[0]).save(root / "normals" / f"r{i}.png")
    (root / "boxes.json").write_text(json.dumps({"frames": {"r0": {"objects": []}}}))
    return root


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str]:
    """A labelled source and unlabelled photographs."""
    return str(renders(tmp_path / "renders")), f"camvid:{photographs(tmp_path / 'photos')}"


def test_everything_but_the_image_is_carried_over(sets: tuple[str, str], tmp_path: Path) -> None:
    out = translate(*sets, tmp_path / "out")
    root = Path(sets[0])
    carried = ["boxes.json", *(f"{kind}/r2.png" for kind in ("labels", "instances", "depth", "normals"))]
    for name in carried:
        assert (out / name).read_bytes() == (root / name).read_bytes(), name
    before, after = open_dataset(root), open_dataset(out)
    assert [f.name for f in after.frames] == [f.name for f in before.frames]
    assert after.space == SPACE and after.meta["complete"] is True
    origin = after.meta["origin"]
    assert (origin["method"], origin["source"], origin["target"]) == ("color", sets[0], sets[1])
    assert origin["source made of"] == {"made by": "a test"}
    shift = [read_image(f.image).mean() for f in after.frames]
    assert all(150 < level < 190 for level in shift)  # the photographs' level; the source's is under 110
    assert read_image(after.frames[0].image).shape == (HEIGHT, WIDTH, 3)
    assert Image.open(out / "sheet.jpg").height > 3 * 200


def test_a_strip_among_the_photographs_fits_the_sheet(sets: tuple[str, str], tmp_path: Path) -> None:
    Image.new("RGB", (4000, 3)).save(tmp_path / "photos/train/strip.png")
    (tmp_path / "photos/trainannot/strip.png").write_bytes(b"not to be opened")
    for seed in range(3):  # so that it is drawn
        out = translate(*sets, tmp_path / f"out{seed}", "fda", seed=seed)
        assert Image.open(out / "sheet.jpg").width < 65_500


def test_images_are_the_methods(sets: tuple[str, str], tmp_path: Path) -> None:
    out = translate(*sets, tmp_path / "out", "histogram", seed=3)
    image = read_image(Path(sets[0]) / "images" / "r1.png")
    candidates = [match_histogram(image, read_image(p)) for p in sorted((tmp_path / "photos/train").glob("*.png"))]
    written = read_image(out / "images" / "r1.jpg").astype(float)
    assert min(np.abs(written - c).mean() for c in candidates) < 4  # JPEG


def test_the_same_call_does_nothing_and_a_stopped_one_goes_on(
    sets: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = translate(*sets, tmp_path / "whole", "fda", beta=0.05)
    times = {p: p.stat().st_mtime_ns for p in whole.rglob("*.jpg")}
    capsys.readouterr()
    translate(*sets, tmp_path / "whole", "fda", beta=0.05)
    assert "all 4 images are there already" in capsys.readouterr().err
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*.jpg")} == times

    real = run.colour.fda

    def stops(image: U8, like: U8, beta: float) -> U8:
        if len(list((tmp_path / "parts" / "images").glob("*.jpg"))) == 2:
            raise KeyboardInterrupt
        return real(image, like, beta)

    monkeypatch.setattr(run.colour, "fda", stops)
    with pytest.raises(KeyboardInterrupt):
        translate(*sets, tmp_path / "parts", "fda", beta=0.05)
    assert open_dataset(tmp_path / "parts").meta["complete"] is False
    monkeypatch.setattr(run.colour, "fda", real)
    translate(*sets, tmp_path / "parts", "fda", beta=0.05)

    def files(root: Path) -> dict[str, bytes]:
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert files(tmp_path / "parts") == files(whole)


def test_the_photographs_are_those_of_the_split_that_is_named(sets: tuple[str, str], tmp_path: Path) -> None:
    dark = tmp_path / "photos" / "val"
    dark.mkdir()
    Image.fromarray(np.full((40, 56, 3), 20, np.uint8)).save(dark / "d.png")
    means = [
        read_image(open_dataset(translate(*sets, tmp_path / str(split), target_split=split)).frames[0].image).mean()
        for split in (None, "train", "val")
    ]
    assert means[0] == means[1] > 100 > 40 > means[2]


def test_other_settings_or_data_are_refused_by_name(sets: tuple[str, str], tmp_path: Path) -> None:
    out = translate(*sets, tmp_path / "out", "fda")
    for changed, said in (
        ({"method": "fda", "beta": 0.09}, "beta was 0.01, now 0.09"),
        ({"method": "fda", "seed": 2}, "seed was 0, now 2"),
        ({"method": "color"}, "method was 'fda', now 'color'"),
    ):
        with pytest.raises(UserError, match=said):
            translate(*sets, out, **changed)
    Image.fromarray(blocks(9)[0]).save(Path(sets[0]) / "images" / "r0.png")
    with pytest.raises(UserError, match="source files was"):
        translate(*sets, out, "fda")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "colour"}, "no method 'colour'; did you mean 'color'"),
        ({"method": "fda", "beta": 0.5}, "--beta: 0.5 is no share"),
        ({"seed": -1}, "--seed: -1 is no seed"),
        ({"seed": 2**31}, "--seed: 2147483648 is no seed"),
        ({"method": "color", "beta": 0.1}, "color has no beta, fda has"),
        ({"method": "fda", "steps": 5}, "fda has no steps, cyclegan and cut has"),
        ({"method": "cut", "crop": 96}, "--crop: a crop of 96 does not fit images of 64x48"),
    ],
)
def test_wrong_settings(given: dict[str, Any], said: str, sets: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        translate(*sets, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_sets_that_do_not_do(sets: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds another data set"):
        translate(*sets, sets[0])
    (Path(sets[0]) / "labels" / "r1.png").unlink()
    with pytest.raises(UserError, match=r"r1\.png: this image has no label"):
        translate(*sets, tmp_path / "out")
    unlabelled = translate(str(tmp_path / "photos" / "train"), sets[1], tmp_path / "photos out")
    assert open_dataset(unlabelled).frames[0].label is None


@pytest.mark.parametrize("name", ["gta5", "synthia", "vkitti2", "kitti", "cityscapes"])
def test_other_layouts_become_a_folder_set_of_the_same_classes(name: str, tmp_path: Path) -> None:
    made = getattr(formats, name)(tmp_path / name)
    target = f"camvid:{photographs(tmp_path / 'photos')}"
    out = translate(made.spec, target, tmp_path / "out")
    before, after = open_dataset(made.spec), open_dataset(out)
    assert after.space is SPACES["cityscapes16" if name == "synthia" else "cityscapes19"]
    originals = {f.name: f for f in before.frames}
    assert len(after) > 1
    for frame in after.frames:
        for space in (after.space, SPACES["camvid11"]):
            told = read_label(before, originals[frame.name], space)
            assert np.array_equal(read_label(after, frame, space), told)


def test_maps_of_other_layouts_are_converted(tmp_path: Path) -> None:
    def carried(format: str, kind: str, stored: NDArray[np.uint16]) -> NDArray[Any]:
        path = tmp_path / f"{format}-{kind}.png"
        if stored.ndim == 3:
            write_png16(path, stored)
        else:
            Image.fromarray(stored).save(path)
        frame = Frame("x", path, **{kind: path})
        content = carrier(DataSet(format, tmp_path, None, (frame,), {})).of(frame)[kind]
        assert isinstance(content, np.ndarray)
        return content

    instances = np.array([[24, 24003, 7]], np.uint16)
    assert carried("cityscapes", "instances", instances).tolist() == [[0, 24003, 0]]
    instances = np.array([[24 * 256, 24 * 256 + 2, 0]], np.uint16)
    assert carried("kitti", "instances", instances).tolist() == [[0, 24 * 256 + 2, 0]]
    assert carried("synthia", "depth", np.array([[250, 65535]], np.uint16)).tolist() == [[2.5, np.inf]]
    flow = np.full((5, 9, 3), (65535, 0, 1), np.uint16)  # as far right and up as the image is wide and high
    assert carried("vkitti2", "flow", flow)[0, 0].tolist() == [8.0, -4.0]
    flow = np.full((5, 9, 3), (2**15 + 64, 2**15 - 128, 1), np.uint16)
    assert carried("kitti", "flow", flow)[0, 0].tolist() == [1.0, -2.0]


def test_agreement_counts_pixels(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "a", SPACE, {}) as a, FolderWriter(tmp_path / "b", SPACE, {}) as b:
        for i in range(3):
            image, label = blocks(i, HEIGHT, WIDTH)
            a.add(f"f{i}", image, label=label)
            changed = image.copy()
            if i == 1:  # half of this image turns red
                changed[: HEIGHT // 2] = (255, 0, 0)
            b.add(f"f{i}", changed, label=label)
    before, after = open_dataset(tmp_path / "a"), open_dataset(tmp_path / "b")
    found = agree(StubModel(), before, after)
    red = (blocks(1, HEIGHT, WIDTH)[1][: HEIGHT // 2] == 1).mean()
    assert found["images"] == 3
    assert found["agreement"] == pytest.approx(1 - (1 - red) / 6)
    assert found["miou_before"] == 1.0 and found["iou_after"]["dark"] < 1.0
    assert found["least"][0]["name"] == "f1" and found["least"][1]["agreement"] == 1.0
    assert agree(StubModel(), before, before, count=2)["images"] == 2
    unlabelled = agree(StubModel(), before.unlabelled(), after)
    assert "miou_before" not in unlabelled and unlabelled["agreement"] == found["agreement"]


def test_the_check_is_kept_and_said(
    sets: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = stub_loaded(tmp_path)
    monkeypatch.setattr(agreement, "load", lambda path: model)
    out = translate(*sets, tmp_path / "out", check="RUN/teacher")
    said = capsys.readouterr().err
    kept = json.loads((out / "check.json").read_text())
    assert f"{kept['agreement']:.1%} of the pixels are read as the same class" in said and "mIoU" in said
    assert kept["model"].startswith("RUN/teacher sha256:") and 0 <= kept["agreement"] <= 1
    monkeypatch.setattr(agreement, "agreement", None)  # measured once a model
    translate(*sets, tmp_path / "out", check="RUN/teacher")
    assert capsys.readouterr().err.count("least alike") == 1
    monkeypatch.undo()
    monkeypatch.setattr(agreement, "load", lambda path: model)
    whole = (out / "check.json").read_text()
    for damaged in ("{bad", "[]", '{"model": 3}', whole.replace("agreement", "agrement")):
        (out / "check.json").write_text(damaged)
        translate(*sets, tmp_path / "out", check="RUN/teacher")
        assert json.loads((out / "check.json").read_text()) == kept
    assert yaml.safe_load((out / "dataset.yaml").read_text())["complete"] is True


def test_a_trained_translation_is_a_data_set_too(sets: tuple[str, str], tmp_path: Path) -> None:
    numbers = {"steps": 1, "crop": 32, "channels": 4, "blocks": 1}
    out = translate(*sets, tmp_path / "out", "cut", **numbers)
    after = open_dataset(out)
    assert len(after) == 4 and after.meta["origin"]["channels"] == 4 and after.meta["origin"]["height"] == 48
    assert (out / "translator" / "samples" / "step-000001.jpg").is_file()
    with pytest.raises(UserError, match="blocks was 1, now 2"):
        translate(*sets, out, "cut", **numbers | {"blocks": 2})


@pytest.mark.slow
def test_the_command_line(sets: tuple[str, str], tmp_path: Path, run_cli: RunCli) -> None:
    done = run_cli("translate", *sets, "out", "--method", "fda", "--beta", "0.05")
    assert done.returncode == 0, done.stderr
    assert "translate: 4/4" in done.stderr and done.stdout == ""
    assert len(open_dataset(tmp_path / "out")) == 4
    wrong = run_cli("translate", *sets, "out", "--method", "fda")
    assert wrong.returncode == 2 and "beta was 0.05, now 0.01" in wrong.stderr and "Traceback" not in wrong.stderr
