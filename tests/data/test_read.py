"""Labels that are missing, wrong or of another release; every message names the file and the fix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from simteacher.data import open_dataset, read_confidence, read_label, require_labels
from simteacher.data.read import labelling
from simteacher.errors import UserError
from simteacher.labels import SPACES
from tests import lookalikes
from tests.lookalikes.png16 import save_wide

CITYSCAPES, CAMVID = SPACES["cityscapes19"], SPACES["camvid11"]


def test_missing_label_names_image_place_and_fix(tmp_path: Path) -> None:
    made = lookalikes.cityscapes(tmp_path)
    lost = next(tmp_path.rglob("aachen_000001*labelIds.png"))
    lost.unlink()
    dataset = open_dataset(made.spec, "train")
    frame = next(f for f in dataset.frames if f.label is None)
    for ask in (lambda: read_label(dataset, frame, CITYSCAPES), lambda: require_labels(dataset)):
        with pytest.raises(UserError, match="has no label") as error:
            ask()
        assert error.value.where == str(frame.image) and str(lost) in str(error.value.fix)
    require_labels(open_dataset(made.spec, "val"))


def test_values_outside_the_map_are_counted(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path)
    dataset = open_dataset(made.spec)
    label = dataset.frames[0].label
    assert label is not None
    ids_HW = np.asarray(Image.open(label)).copy()
    ids_HW[0, :3], ids_HW[1, 0] = 77, 12
    Image.fromarray(ids_HW).save(label)
    with pytest.raises(UserError, match=r"77 \(3 pixels\), 12 \(1 pixels\)") as error:
        read_label(dataset, dataset.frames[0], CAMVID)
    assert error.value.where == str(label) and "0 to 11" in str(error.value.fix)


def test_size_mismatch(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.camvid(tmp_path).spec)
    label = dataset.frames[0].label
    assert label is not None
    Image.open(label).crop((0, 0, 60, 48)).save(label)
    with pytest.raises(UserError, match=r"the label is 60x48 pixels, its image 64x48"):
        read_label(dataset, dataset.frames[0], CAMVID)


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "truncated"])
def test_damaged_label(tmp_path: Path, content: bytes | None) -> None:
    dataset = open_dataset(lookalikes.camvid(tmp_path, count=1).spec)
    label = dataset.frames[0].label
    assert label is not None
    label.write_bytes(label.read_bytes()[:120] if content is None else content)
    with pytest.raises(UserError) as error:
        read_label(dataset, dataset.frames[0], CAMVID)
    assert error.value.where == str(label) and error.value.fix


def test_truncated_16_bit_label(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.synthia(tmp_path, count=1).spec)
    labelling(dataset)
    label = dataset.frames[0].label
    assert label is not None
    label.write_bytes(label.read_bytes()[: label.stat().st_size // 2])
    with pytest.raises(UserError) as error:
        read_label(dataset, dataset.frames[0], CITYSCAPES)
    assert error.value.where == str(label)


@pytest.mark.parametrize(
    ("ids", "instances", "release"),
    [
        ({2, 3, 17}, {}, "RAND-CITYSCAPES"),
        ({2, 3, 12}, {12: 4}, "RAND-CITYSCAPES"),
        ({2, 3, 12}, {}, "SEQS"),
        ({2, 3, 12}, {2: 9}, "SEQS"),
        ({2, 3}, {}, "RAND-CITYSCAPES"),  # seven digits in the name
    ],
)
def test_synthia_releases(tmp_path: Path, ids: set[int], instances: dict[int, int], release: str) -> None:
    classes_HW = np.resize(np.array(sorted(ids)), (12, 16))
    instances_HW = np.vectorize(lambda v: instances.get(v, 0))(classes_HW)
    save_wide(tmp_path / "GT/LABELS/0000000.png", np.stack([classes_HW, instances_HW, 0 * classes_HW], axis=2))
    (tmp_path / "RGB").mkdir()
    Image.new("RGB", (16, 12)).save(tmp_path / "RGB/0000000.png")
    dataset = open_dataset(f"synthia:{tmp_path}")
    assert labelling(dataset).why.startswith(release)
    twelve = labelling(dataset).names[12]
    assert twelve == ("motorcycle" if release == "RAND-CITYSCAPES" else "lane marking")


def test_synthia_release_by_folder_name(tmp_path: Path) -> None:
    made = lookalikes.synthia_sequence(tmp_path / "RAND_CITYSCAPES")
    assert labelling(open_dataset(made.spec)).names[12] == "motorcycle"


def test_a_set_that_was_written_anew_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a script or a notebook one path may be several sets in turn: exported again, or of another current folder."""
    (tmp_path / "RGB").mkdir()
    Image.new("RGB", (16, 12)).save(tmp_path / "RGB/000000.png")

    def export(ids: list[int]) -> None:
        classes_HW = np.resize(np.array(ids), (12, 16))
        save_wide(tmp_path / "GT/LABELS/000000.png", np.stack([classes_HW, 0 * classes_HW, 0 * classes_HW], axis=2))

    monkeypatch.chdir(tmp_path)
    export([2, 3, 17])
    first = open_dataset("synthia:.")
    assert labelling(first).names[12] == "motorcycle"
    export([2, 3, 12])
    assert labelling(open_dataset("synthia:.")).names[12] == "lane marking"
    assert labelling(first).names[12] == "motorcycle" and first == open_dataset("synthia:.")


def test_carla_instance_pictures_are_numbers_not_colours(tmp_path: Path) -> None:
    """CARLA's instance camera keeps the class in red and counts objects in green and blue."""
    made = lookalikes.carla_red(tmp_path)
    rng = np.random.default_rng(0)
    for path in (tmp_path / "CameraSeg").glob("*.png"):
        rgba_HWC = np.asarray(Image.open(path)).copy()
        rgba_HWC[..., 1:3] = rng.integers(0, 256, (*rgba_HWC.shape[:2], 2))
        Image.fromarray(rgba_HWC).save(path)
    assert labelling(open_dataset(made.spec)).decode == "red"


def test_looks_like_gta5_but_is_not(tmp_path: Path) -> None:
    made = lookalikes.gta5(tmp_path)
    for path in (tmp_path / "labels").glob("*.png"):
        Image.fromarray(np.asarray(Image.open(path))).save(path)
    dataset = open_dataset(made.root)
    with pytest.raises(UserError, match="looked like GTA5") as error:
        read_label(dataset, dataset.frames[0], CITYSCAPES)
    assert "dataset.yaml" in str(error.value.fix)


def test_folder_without_label_space(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path, space=None)
    dataset = open_dataset(made.root)  # no error as long as no label is read
    with pytest.raises(UserError, match="nothing says which classes") as error:
        read_label(dataset, dataset.frames[0], CITYSCAPES)
    assert error.value.where == str(tmp_path / "dataset.yaml") and "space: cityscapes19" in str(error.value.fix)


def test_folder_of_colour_labels(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path)
    for path in (tmp_path / "labels").glob("*.png"):
        ids_HW = np.asarray(Image.open(path))
        Image.fromarray(CITYSCAPES.palette_K3()[ids_HW]).save(path)
    dataset = open_dataset(made.root)
    for frame in dataset.frames:
        label_HW = read_label(dataset, frame, CITYSCAPES)
        names = np.array([*CITYSCAPES.classes, ""])[np.minimum(label_HW, 19)]
        np.testing.assert_array_equal(names, made.truth[frame.name])
    label = dataset.frames[0].label
    assert label is not None
    pixels = np.asarray(Image.open(label)).copy()
    pixels[0, :2] = (1, 2, 3)
    Image.fromarray(pixels).save(label)
    with pytest.raises(UserError, match=r"#010203 \(2 pixels\)"):
        read_label(dataset, dataset.frames[0], CITYSCAPES)


def test_folder_with_own_numbers(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path)
    ids = {0: "road", 1: "pavement", 13: "nothing we know"}
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump({"space": "camvid11", "ids": ids}), encoding="utf-8")
    for path in (tmp_path / "labels").glob("*.png"):
        Image.fromarray(np.resize(np.array([0, 1, 13, 255], np.uint8), (48, 64))).save(path)
    dataset = open_dataset(made.root)
    assert np.unique(read_label(dataset, dataset.frames[0], CAMVID)).tolist() == [3, 4, 255]


def test_colour_picture_where_numbers_are_due(tmp_path: Path) -> None:
    dataset = open_dataset(lookalikes.camvid(tmp_path).spec)
    label = dataset.frames[0].label
    assert label is not None
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (48, 64, 3), dtype=np.uint8)).save(label)
    with pytest.raises(UserError, match="a colour picture, not class numbers"):
        read_label(dataset, dataset.frames[0], CAMVID)


def test_confidence(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path)
    frame = open_dataset(made.root).frames[0]
    assert read_confidence(frame).shape == (48, 64) and (read_confidence(frame) == 255).all()
    (tmp_path / "confidence").mkdir()
    Image.fromarray(np.full((48, 64), 51, np.uint8)).save(tmp_path / f"confidence/{frame.name}.png")
    assert (read_confidence(open_dataset(made.root).frames[0]) == 51).all()
