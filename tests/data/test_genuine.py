"""Genuine files, where a machine has them: what the look-alikes only claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import open_dataset, read_image, read_label
from simteacher.data.check import check
from simteacher.data.read import labelling
from simteacher.labels import SPACES

CITYSCAPES, CAMVID = SPACES["cityscapes19"], SPACES["camvid11"]


def shares(label_HW: np.ndarray, space: object = CAMVID) -> dict[str, float]:
    counts = np.bincount(label_HW.ravel(), minlength=256) / label_HW.size
    return {name: counts[i] for i, name in enumerate(space.classes)}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_cityscapes_ids_become_train_ids(shared_data: Path) -> None:
    """By the official table pixel for pixel; and against the file of train ids.

    The train ids of the small frame were rasterised anew: 77 of its 32,768 pixels, all at outlines, differ from its own
    label ids in a way that no mapping could follow (id 7 is 0 in one place and 1 in another). The rest has to be equal.
    """
    official = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    dataset = open_dataset(shared_data / "fixtures/cityscapes")
    assert dataset.format == "cityscapes" and len(dataset) == 3
    for frame in dataset.frames:
        assert frame.label is not None and frame.instances is not None
        ids_HW, ours_HW = np.asarray(Image.open(frame.label)), read_label(dataset, frame, CITYSCAPES)
        for row in official:
            assert (ours_HW[ids_HW == row.id] == row.trainId).all(), row.name
        # the 16-bit instance file is a second witness: class, or class * 1000 + number
        instances_HW = np.asarray(Image.open(frame.instances)).astype(int)
        np.testing.assert_array_equal(np.where(instances_HW >= 1000, instances_HW // 1000, instances_HW), ids_HW)
    (small,) = open_dataset(shared_data / "fixtures/cityscapes", "val").frames
    assert small.label is not None
    genuine_HW = np.asarray(Image.open(str(small.label).replace("labelIds", "labelTrainIds")))
    ids_HW, ours_HW = np.asarray(Image.open(small.label)), read_label(dataset, small, CITYSCAPES)
    differ_HW = ours_HW != genuine_HW
    padded = np.pad(ids_HW, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).reshape(*ids_HW.shape, 25)
    inside_HW = (windows == ids_HW[..., None]).all(axis=2)
    assert not (differ_HW & inside_HW).any() and differ_HW.mean() < 0.003
    for value in np.unique(ids_HW):
        meant = np.bincount(genuine_HW[ids_HW == value], minlength=256)
        assert meant.argmax() == ours_HW[ids_HW == value][0], value


def test_synthia_is_not_read_as_zeros(shared_data: Path) -> None:
    dataset = open_dataset(shared_data / "fixtures/synthia")
    (frame,) = dataset.frames
    assert frame.label is not None
    assert not np.asarray(Image.open(frame.label)).any()  # what Pillow makes of it
    seen = shares(read_label(dataset, frame, CAMVID))
    # the street with its markings (id 12), trees, sky, a car: by eye
    assert seen["road"] > 0.38 and seen["tree"] > 0.2 and seen["sky"] > 0.08 and seen["car"] > 0.09
    assert "lane marking" in labelling(dataset).why


@pytest.mark.slow
def test_both_carla_forms_give_the_same_classes(shared_data: Path) -> None:
    ids, colors = (open_dataset(shared_data / f"fixtures/{name}") for name in ("carla", "carla_rgba"))
    assert ids.format == colors.format == "carla" and len(ids) == len(colors) == 2
    assert (labelling(ids).decode, labelling(colors).decode) == ("red", "rgb")
    for frame in ids.frames:
        label_HW = read_label(ids, frame, CAMVID)
        raw_HW = np.asarray(Image.open(frame.label))  # type: ignore[arg-type]
        for name, raw in {
            "sky": [11], "building": [3, 4], "pole": [6], "road": [1, 24], "sidewalk": [2], "tree": [9], "sign": [7, 8],
            "fence": [5], "car": [14, 15, 16], "pedestrian": [12], "bicyclist": [13, 18, 19],
        }.items():  # fmt: skip
            np.testing.assert_array_equal(label_HW == CAMVID.classes.index(name), np.isin(raw_HW, raw), err_msg=name)
        assert read_image(frame.image).shape == (1024, 2048, 3)
    for frame in colors.frames:
        rgba_HWC = np.asarray(Image.open(frame.label))  # type: ignore[arg-type]
        label_HW = read_label(colors, frame, CAMVID)
        for name, color in {"car": (0, 0, 142), "tree": (107, 142, 35), "sidewalk": (244, 35, 232)}.items():
            np.testing.assert_array_equal(
                label_HW == CAMVID.classes.index(name), (rgba_HWC[..., :3] == color).all(axis=2), err_msg=name
            )


@pytest.mark.slow
def test_camvid(shared_data: Path) -> None:
    train, val = (open_dataset(shared_data / "camvid", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (367, 101)
    for dataset in (train, val):
        frame = dataset.frames[7]
        raw_HW = np.asarray(Image.open(frame.label))  # type: ignore[arg-type]
        np.testing.assert_array_equal(read_label(dataset, frame, CAMVID), np.where(raw_HW == 11, 255, raw_HW))
    result = check(shared_data / "camvid")
    assert result["problems"] == [] and result["shared"] == [] and all(result["classes"].values())
