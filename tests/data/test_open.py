"""Every format's look-alike is recognised, read right to the pixel, and split as it says; wrong input is explained."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from simteacher.data import open_dataset, read_image, read_label
from simteacher.data.open import parse_spec
from simteacher.errors import UserError
from simteacher.labels import SPACES
from tests import lookalikes
from tests.lookalikes import CAMVID_OF, Made

Make = Callable[..., Made]
LABELLED: list[tuple[Make, str]] = [
    (lookalikes.cityscapes, "cityscapes"),
    (lookalikes.gta5, "gta5"),
    (lookalikes.synthia, "synthia"),
    (lookalikes.synthia_sequence, "synthia"),
    (lookalikes.kitti, "kitti"),
    (lookalikes.vkitti2, "vkitti2"),
    (lookalikes.carla_ids, "carla"),
    (lookalikes.carla_colors, "carla"),
    (lookalikes.carla_red, "carla"),
    (lookalikes.camvid, "camvid"),
    (lookalikes.folder, "folder"),
]


@pytest.mark.parametrize(("make", "format"), LABELLED, ids=[make.__name__ for make, _ in LABELLED])
def test_read_right_to_the_pixel(tmp_path: Path, make: Make, format: str) -> None:
    made, space = make(tmp_path / "set"), SPACES["camvid11"]
    told, recognised = open_dataset(made.spec), open_dataset(made.root)
    assert (told.format, recognised.format) == (format, format)
    assert told.frames == recognised.frames and recognised.why.startswith(f"recognised as {format}")
    assert {f.name for f in told.frames if f.label} == set(made.truth)
    names = {**CAMVID_OF, **{c: c for c in space.classes}}
    for frame in (f for f in told.frames if f.label):
        expected_HW = np.full(made.truth[frame.name].shape, 255)
        for name, target in names.items():
            expected_HW[made.truth[frame.name] == name] = space.classes.index(target)
        np.testing.assert_array_equal(read_label(told, frame, space), expected_HW)
        assert read_image(frame.image).shape == (*expected_HW.shape, 3)


def test_splits(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path)
    sizes = {split: len(open_dataset(made.spec, split)) for split in ("train", "val", "test", None, "all")}
    assert sizes == {"train": 4, "val": 1, "test": 1, None: 6, "all": 6}
    with pytest.raises(UserError, match="no split 'vall'; did you mean 'val'") as error:
        open_dataset(made.root, "vall")
    assert "test, train, val" in str(error.value.fix)


def test_split_names_that_mean_the_same(tmp_path: Path) -> None:
    made = lookalikes.kitti(tmp_path)
    assert open_dataset(made.spec, "training").frames == open_dataset(made.spec, "train").frames
    assert all(f.label is None for f in open_dataset(made.spec, "testing").frames)
    assert open_dataset(made.spec, "test").frames[0].name == "testing_000000_10"


def test_sets_without_splits_are_all_train(tmp_path: Path) -> None:
    made = lookalikes.gta5(tmp_path)
    assert len(open_dataset(made.spec, "train")) == len(open_dataset(made.spec)) == 5
    with pytest.raises(UserError, match="the set has train"):
        open_dataset(made.spec, "val")


def test_cityscapes_extra_frames_are_a_target_without_labels(tmp_path: Path) -> None:
    made = lookalikes.cityscapes(tmp_path / "a", extra=True)
    extra = open_dataset(made.spec, "train_extra")
    assert len(extra) == 4 and not any(f.label for f in extra.frames)
    # the archive alone, under the names that people give it
    for name in ("leftImg8bit_trainextra/leftImg8bit", "leftImg8bit_trainextra", "leftImg8bit"):
        root = tmp_path / name.replace("/", "-") / "cityscapes"
        shutil.copytree(made.root / "leftImg8bit" / "train_extra", root / name / "train_extra")
        for opened in (root, root / name):
            alone = open_dataset(opened, "train_extra")
            assert alone.format == "cityscapes" and len(alone) == 4, opened


def test_gta5_leaves_out_frames_whose_label_has_another_size(tmp_path: Path) -> None:
    made = lookalikes.gta5(tmp_path)
    for kind in ("images", "labels"):
        shutil.copy(made.root / kind / "00001.png", made.root / kind / "15188.png")
    dataset = open_dataset(made.root)
    assert "15188" not in {f.name for f in dataset.frames} and "left out 1 frame" in dataset.why


def test_cityscapes_train_ids_alone(tmp_path: Path) -> None:
    made = lookalikes.cityscapes(tmp_path)
    for path in tmp_path.rglob("*_labelIds.png"):
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    dataset = open_dataset(made.root)
    assert all(f.label for f in dataset.frames) and dataset.names[0] == "road" and len(dataset.names) == 19


def test_photographs(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path)
    dataset = open_dataset(made.root, "train")
    assert dataset.format == "folder" and "photographs" in dataset.why
    assert [f.name for f in dataset.frames] == ["a", "b", "holiday__c", "holiday__d", "holiday__more__e"]
    assert all(read_image(f.image).shape == (48, 64, 3) for f in dataset.frames)


def test_only_images_counts_where_there_is_such_a_folder(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path / "set" / "images")
    shutil.copytree(made.root, tmp_path / "set" / "drawings")
    for spec in (tmp_path / "set", f"folder:{tmp_path / 'set'}"):
        dataset = open_dataset(spec)
        assert dataset.why.endswith("images are in images/") and len(dataset) == 5


def test_names_stay_apart(tmp_path: Path) -> None:
    lookalikes.photographs(tmp_path)
    shutil.copy(tmp_path / "a.jpg", tmp_path / "a.png")
    names = [f.name for f in open_dataset(tmp_path).frames]
    assert len(set(names)) == 6 and {"a_jpg", "a_png"} <= set(names)


def test_pictures_in_split_folders(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path / "some")
    shutil.copytree(made.root, tmp_path / "all" / "train")
    shutil.copytree(made.root / "holiday", tmp_path / "all" / "val")
    assert len(open_dataset(tmp_path / "all", "train")) == 5
    assert len(open_dataset(tmp_path / "all", "validation")) == 3
    assert len({f.name for f in open_dataset(tmp_path / "all").frames}) == 8


def test_hidden_files_and_links(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path / "some")
    (made.root / "._a.jpg").write_bytes(b"what an Apple leaves behind")
    (made.root / "holiday" / "loop").symlink_to(made.root, target_is_directory=True)
    assert len(open_dataset(made.root)) == 5
    link = tmp_path / "link"
    link.symlink_to(made.root, target_is_directory=True)
    assert len(open_dataset(link)) == 5


@pytest.mark.skipif(os.name == "nt", reason="modes of files")
@pytest.mark.parametrize("make", [make for make, _ in LABELLED], ids=[make.__name__ for make, _ in LABELLED])
def test_unlabelled_needs_no_label(tmp_path: Path, make: Make) -> None:
    """Labels are broken here: whoever opened one would fail."""
    made = make(tmp_path / "set")
    whole = open_dataset(made.spec)
    for label in (f.label for f in whole.frames if f.label):
        label.write_bytes(b"not to be opened")
    for frame in open_dataset(made.root).unlabelled().frames:
        assert frame.label is None and read_image(frame.image).ndim == 3


def test_specs() -> None:
    assert parse_spec("camvid:some/where") == ("camvid", Path("some/where"))
    assert parse_spec("some/where") == (None, Path("some/where"))
    assert parse_spec(r"C:\data") == (None, Path(r"C:\data"))
    with pytest.raises(UserError, match="no data format 'citiscapes'; did you mean 'cityscapes'"):
        parse_spec("citiscapes:some/where")


def test_wrong_input_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(UserError, match="the folder is empty"):
        open_dataset(tmp_path)
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    with pytest.raises(UserError, match="this is a file"):
        open_dataset(file)
    with pytest.raises(UserError, match="holds no images"):
        open_dataset(tmp_path)
    lookalikes.photographs(tmp_path)
    with pytest.raises(UserError, match="no images in the layout of kitti") as error:
        open_dataset(f"kitti:{tmp_path}")
    assert "it looks like folder" in str(error.value.fix)
