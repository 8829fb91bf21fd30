"""Exports of one's own as people write them: capitals, links, paths in lists, wide numbers, sets within folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simteacher.data.check import check
from simteacher.data.hints import hints
from simteacher.data.open import open_dataset
from simteacher.data.read import read_label
from simteacher.errors import UserError
from simteacher.files import read_names
from simteacher.inputs import training_split
from simteacher.labels import SPACES
from tests.lookalikes.png16 import save_wide
from tests.lookalikes.streets import photo, save

RNG = np.random.default_rng(0)
SIZE = (32, 24)
SPACE = SPACES["cityscapes19"]


def image(path: Path) -> None:
    save(path, photo(RNG, SIZE))


def label(path: Path, value: int = 0, dtype: Any = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(SIZE[::-1], value, dtype)).save(path)


def described(root: Path, text: str) -> Path:
    (root / "dataset.yaml").write_text(text, encoding="utf-8")
    return root


def test_capitals_change_nothing(tmp_path: Path) -> None:
    image(tmp_path / "photos" / "Train" / "a.png")
    image(tmp_path / "photos" / "VAL" / "b.png")
    assert [f.name for f in training_split(str(tmp_path / "photos"), None).frames] == ["a"]
    image(tmp_path / "set" / "Images" / "a.png")
    label(tmp_path / "set" / "Labels" / "a.png", 13)
    dataset = open_dataset(described(tmp_path / "set", "space: cityscapes19\n"))
    assert (read_label(dataset, dataset.frames[0], SPACE) == 13).all()


def test_maps_of_split_folders_are_found(tmp_path: Path) -> None:
    image(tmp_path / "images" / "train" / "a.png")
    for kind in ("labels", "confidence"):
        label(tmp_path / kind / "train" / "a.png")
    (frame,) = open_dataset(described(tmp_path, "space: cityscapes19\n")).frames
    assert frame.label is not None and frame.confidence == tmp_path / "confidence" / "train" / "a.png"


def test_sixteen_bits_in_three_channels_are_numbers_too(tmp_path: Path) -> None:
    numbers = np.repeat(np.where(np.arange(SIZE[1])[:, None, None] < 12, 7, 1300), SIZE[0], 1).astype(np.uint16)
    (tmp_path / "labels").mkdir()
    image(tmp_path / "images" / "a.png")
    save_wide(tmp_path / "labels" / "a.png", np.repeat(numbers, 3, 2))
    dataset = open_dataset(described(tmp_path, "space: cityscapes19\nids: {0: ignore, 7: road, 1300: car}\n"))
    read = read_label(dataset, dataset.frames[0], SPACE)
    assert (read[:12] == SPACE.index("road")).all() and (read[12:] == SPACE.index("car")).all()
    save_wide(tmp_path / "labels" / "a.png", np.concatenate([numbers, numbers + 1, numbers], 2))
    with pytest.raises(UserError, match="a colour picture, not class numbers"):
        read_label(dataset, dataset.frames[0], SPACE)


@pytest.mark.parametrize("count", [254, 255, 256, 300])
def test_hundreds_of_ids_are_counted_as_they_are_read(tmp_path: Path, count: int) -> None:
    ids = {n: "road" if n % 2 else "car" for n in range(count + 1) if n != 255}
    image(tmp_path / "images" / "a.png")
    label(tmp_path / "labels" / "a.png", count - 1 if count != 256 else 256, np.uint16)
    described(tmp_path, "space: cityscapes19\nids: {" + ", ".join(f"{k}: {v}" for k, v in ids.items()) + "}\n")
    result = check(tmp_path)
    name = ids[count - 1 if count != 256 else 256]
    assert result["problems"] == [] and result["classes"][name] == SIZE[0] * SIZE[1]


def test_numbers_may_stand_in_a_simulators_own_file(tmp_path: Path) -> None:
    image(tmp_path / "images" / "a.png")
    label(tmp_path / "labels" / "a.png", 7)
    (tmp_path / "classes.json").write_text('{\n\t"7": "road",\n\t"-1": "ignore"\n}')
    dataset = open_dataset(described(tmp_path, "space: cityscapes19\nids: classes.json\n"))
    assert (read_label(dataset, dataset.frames[0], SPACE) == SPACE.index("road")).all()
    (tmp_path / "classes.json").write_text('{"road": 7}')
    with pytest.raises(UserError, match=r"classes\.json: 'ids' is no map from numbers"):
        open_dataset(tmp_path)
    (tmp_path / "classes.json").unlink()
    with pytest.raises(UserError, match=r"'ids' names classes\.json, which is not there"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (["masks/a.png", "masks/b.png"], "2 images without label, and pictures that may be theirs are not read"),
        (["seg_mask/a_x.png"], "such as seg_mask/a_x.png; labels lie in labels/, each called as its image"),
        (["images/a.json"], "1 file called like images without label, such as images/a.json; outlines, as LabelMe's"),
    ],
)
def test_labels_that_lie_elsewhere_are_told(tmp_path: Path, beside: list[str], said: str) -> None:
    for name in "ab":
        image(tmp_path / "images" / f"{name}.png")
    for name in beside:
        label(tmp_path / name) if name.endswith(".png") else (tmp_path / name).write_text('{"shapes": []}')
    (tmp_path / "images" / "b.json").write_text('{"gps": [1, 2]}')
    assert any(said in hint for hint in hints(open_dataset(tmp_path)))
    for name in "ab":
        label(tmp_path / "labels" / f"{name}.png")
    assert not any("without label" in hint for hint in hints(open_dataset(tmp_path)))


def test_255_is_nobodys_number(tmp_path: Path) -> None:
    image(tmp_path / "images" / "a.png")
    label(tmp_path / "labels" / "a.png", 255)
    with pytest.raises(UserError, match="255 a name, which is ignored everywhere"):
        open_dataset(described(tmp_path, "space: cityscapes19\nids: {255: road}\n"))
    result = check(described(tmp_path, "space: cityscapes19\nids: {7: road, 255: ignore}\n"))
    assert result["problems"] == [] and result["ignored"] == SIZE[0] * SIZE[1]


def test_nested_images_are_listed_by_their_paths(tmp_path: Path) -> None:
    for name in ("t1/a", "t2/b"):
        image(tmp_path / "images" / f"{name}.png")
        label(tmp_path / "labels" / f"{name}.png")
    described(tmp_path, "space: cityscapes19\nsplits: {train: [t1/a], val: [t2/b.png], test: [t3/c]}\n")
    assert [f.name for f in open_dataset(tmp_path, "train").frames] == ["t1__a"]
    assert [f.name for f in open_dataset(tmp_path, "val").frames] == ["t2__b"]
    with pytest.raises(UserError, match="none of the images listed as test is there"):
        open_dataset(tmp_path, "test")
    listed = tmp_path / "names.txt"
    for line in ("t1/a", "t1/a.png", "./t1/a.png", "t1__a"):
        listed.write_text(line + "\n", encoding="utf-8")
        assert read_names(listed, {"a", "t1__a"}) == ["t1__a"], line
    listed.write_text("left/0001\n", encoding="utf-8")
    assert read_names(listed, {"0001"}) == ["0001"], "a list made for another folder above"


def test_predictions_among_photographs_are_no_photographs(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    for kind in ("images", "overlays", "depth", "labels", "confidence", "normals"):
        image(tmp_path / "read" / kind / "a.png")
    image(tmp_path / "overlays" / "a.png")
    image(tmp_path / "depth" / "a.png")
    described(tmp_path / "read", "space: cityscapes19\n")
    assert [f.name for f in open_dataset(tmp_path).frames] == ["a"]
    assert len(open_dataset(tmp_path / "read")) == 1


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_links_inside_a_set(tmp_path: Path) -> None:
    made = tmp_path / "set"
    image(made / "frames" / "a.png")
    label(made / "segmentation" / "a.png")
    for name, real in (("images", "frames"), ("labels", "segmentation"), ("back", ".")):
        (made / name).symlink_to(made / real, target_is_directory=True)
    described(made, "space: cityscapes19\n")
    assert [f.name for f in open_dataset(made).frames if f.label] == ["a"]
    photos = tmp_path / "photos"
    image(photos / "one" / "a.png")
    (photos / "two").symlink_to(photos / "one", target_is_directory=True)
    (photos / "back").symlink_to(photos, target_is_directory=True)
    assert [f.name for f in open_dataset(photos).frames] == ["one__a"], "what a link shows again is the same photograph"


def test_names_stay_apart_whatever_the_paths(tmp_path: Path) -> None:
    for file in ("a/b.jpg", "a__b.jpg", "a/b.png", "a__b_jpg.png"):
        image(tmp_path / file)
    names = [f.name for f in open_dataset(tmp_path).frames]
    assert len(set(names)) == len(names) == 4
