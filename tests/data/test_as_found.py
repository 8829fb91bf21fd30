"""Data sets as they lie on people's disks: unpacked another way, converted, half copied, from a Mac."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import open_dataset, read_label
from simteacher.data.check import check
from simteacher.data.folder import FolderWriter
from simteacher.data.hints import hints
from simteacher.data.images import open_image
from simteacher.data.layouts import list_files, unique_names
from simteacher.data.statistics import fingerprint
from simteacher.errors import UserError
from simteacher.inputs import training_split
from simteacher.labels import SPACES
from tests import lookalikes

SPACE = SPACES["cityscapes19"]
SIZE = (8, 6)


def put(path: Path, label: int | None = None, mode: str = "L") -> Path:
    """A picture of one value, or a photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", SIZE, (90, 120, 60)) if label is None else Image.new("L", SIZE, label)
    picture.convert(mode if label is not None else "RGB").save(path)
    return path


def described(root: Path, text: str = "space: cityscapes19\n") -> Path:
    """A `folder` set's own description."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.yaml").write_text(text, encoding="utf-8")
    return root


def only(root: Path) -> int:
    """The one class of a set's one label."""
    data = open_dataset(root)
    (value,) = np.unique(read_label(data, data.frames[0], SPACE))
    return int(value)


def test_capitals_tell_files_apart(tmp_path: Path) -> None:
    described(tmp_path)
    for name, value in (("A", 1), ("a", 2)):
        put(tmp_path / f"images/{name}.jpg")
        put(tmp_path / f"labels/{name}.png", value)
    data = open_dataset(tmp_path)
    assert {f.name: int(read_label(data, f, SPACE)[0, 0]) for f in data.frames} == {"A": 1, "a": 2}


@pytest.mark.parametrize(
    "folder",
    [
        "LabeledApproved_full",
        "train_labels",
        "GT/COLOR",
        "semantic",
        "semantic_rgb",
        "classSegmentation/Camera_0",
        "gtFine/a",
    ],
)
def test_what_is_called_like_labels_is_no_photograph(tmp_path: Path, folder: str) -> None:
    """And `check` says that it was left out."""
    put(tmp_path / "photos/1.png")
    put(tmp_path / folder / "1.png", 3)
    data = open_dataset(tmp_path)
    assert [f.image.parent.name for f in data.frames] == ["photos"]
    left = f"1 picture in folders that are called like labels, so not taken for photographs, such as {folder}/1.png"
    (told,) = [hint for hint in hints(data) if hint.startswith(left)]
    assert ("each called as its image" in told) is (folder not in ("GT/COLOR", "classSegmentation/Camera_0"))


@pytest.mark.parametrize("folder", ["gta_photos", "segway", "no_labels", "unlabelled", "road_segmentation"])
def test_other_folders_hold_photographs(tmp_path: Path, folder: str) -> None:
    put(tmp_path / folder / "1.png")
    assert len(open_dataset(tmp_path)) == 1


def test_where_there_is_nothing_else_they_are_read(tmp_path: Path) -> None:
    put(tmp_path / "labels/1.png")
    assert len(open_dataset(tmp_path)) == 1


def test_carla_in_images_has_to_be_said(tmp_path: Path) -> None:
    put(tmp_path / "images/1.png")
    put(tmp_path / "semantic/1.png", 1, "RGB")
    assert open_dataset(tmp_path).format == "folder"
    assert [f.label is not None for f in open_dataset(f"carla:{tmp_path}").frames] == [True]


def test_pictures_outside_of_images_are_told(tmp_path: Path) -> None:
    put(tmp_path / "images/1.jpg")
    put(tmp_path / "DCIM/2.jpg")
    assert hints(open_dataset(tmp_path)) == ["1 picture outside of images/, so no part of the set, such as DCIM/2.jpg"]


def _moved(root: Path, how: dict[str, str]) -> Path:
    for old, new in how.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / old, root / new)
    return root


@pytest.mark.parametrize(
    "how",
    [
        {"leftImg8bit": "leftImg8bit_trainvaltest/leftImg8bit", "gtFine": "leftImg8bit_trainvaltest/gtFine"},
        {"leftImg8bit": "leftImg8bit_trainvaltest/leftImg8bit", "gtFine": "gtFine_trainvaltest/gtFine"},
        {"leftImg8bit": "all/leftImg8bit", "gtFine": "all/gtFine"},
    ],
)
def test_cityscapes_archives_each_in_its_folder(tmp_path: Path, how: dict[str, str]) -> None:
    before = open_dataset(lookalikes.cityscapes(tmp_path / "a").root)
    after = open_dataset(_moved(lookalikes.cityscapes(tmp_path / "b").root, how))
    labelled = [[f.name for f in data.frames if f.label] for data in (before, after)]
    assert labelled[0] == labelled[1] != []


def test_cityscapes_in_fog_and_its_video(tmp_path: Path) -> None:
    """Three fogs of a still share its label; video frames are left out beside stills, and a target without them."""
    stem = "aachen_000000_000019"
    put(tmp_path / f"gtFine/train/aachen/{stem}_gtFine_labelIds.png", 7)
    for beta in ("0.01", "0.02"):
        put(tmp_path / f"leftImg8bit_foggy/train/aachen/{stem}_leftImg8bit_foggy_beta_{beta}.png")
    data = open_dataset(tmp_path)
    assert [f.name for f in data.frames] == [f"{stem}_foggy_beta_0_01", f"{stem}_foggy_beta_0_02"]
    assert all(f.label and f.label.name.endswith("labelIds.png") for f in data.frames)
    for k in (18, 19, 20):
        put(tmp_path / f"video/leftImg8bit_sequence/train/aachen/aachen_000000_{k:06d}_leftImg8bit.png")
    assert open_dataset(tmp_path).frames == data.frames and len(open_dataset(tmp_path / "video")) == 3
    put(tmp_path / f"leftImg8bit/train/aachen/{stem}_leftImg8bit.png")
    clear = open_dataset(tmp_path)
    assert [f.name for f in clear.frames] == [stem] and "left out 5 video frames or foggy" in clear.why


def test_gta5_in_its_parts(tmp_path: Path) -> None:
    made = lookalikes.gta5(tmp_path / "a")
    _moved(made.root, {"images": "01_images/images", "labels": "01_labels/labels"})
    data = open_dataset(made.root)
    assert data.format == "gta5" and {f.name for f in data.frames if f.label} == set(made.truth)


@pytest.mark.parametrize("splits", ["{training: [a, b], validation: [c]}", "{Train: [a.jpg, b], VAL: [c]}"])
def test_splits_in_any_spelling(tmp_path: Path, splits: str) -> None:
    described(tmp_path, f"splits: {splits}\n")
    for name in "abc":
        put(tmp_path / f"images/{name}.jpg")
    assert [f.name for f in training_split(str(tmp_path), None).frames] == ["a", "b"]
    for said in ("val", "validation", "Val"):
        assert [f.name for f in open_dataset(tmp_path, said).frames] == ["c"]


def test_a_split_twice(tmp_path: Path) -> None:
    described(tmp_path, "splits: {train: [a], training: [b]}\n")
    put(tmp_path / "images/a.jpg")
    with pytest.raises(UserError, match="'splits' has train twice, also as training"):
        open_dataset(tmp_path)


def test_names_in_splits_as_people_write_them(tmp_path: Path) -> None:
    """With folders, with suffixes, with accents taken apart; and one that is not there."""
    apart = unicodedata.normalize("NFD", "straße_é")
    described(tmp_path, f"space: cityscapes19\nsplits:\n  train: [sub/x.jpg, train/y.png, {apart}, gone]\n")
    for name in ("sub/x.jpg", "train/y.png", unicodedata.normalize("NFC", "straße_é") + ".jpg"):
        put(tmp_path / "images" / name)
    put(tmp_path / "labels" / f"{apart}.png", 4)
    data = open_dataset(tmp_path, "train")
    assert len(data) == 3 and data.gone == ("gone",)
    assert [f.name for f in data.frames if f.label] == [unicodedata.normalize("NFC", "straße_é")]
    problems = [p["problem"] for p in check(tmp_path)["problems"]]
    assert "the splits name 1 image not to be found, such as gone" in problems


def test_only_names_that_collide_change() -> None:
    """So that a picture that is added does not rename all others."""
    assert unique_names([("a/x.jpg", "x"), ("a/y.jpg", "y"), ("b/y.jpg", "y")]) == ["x", "a__y", "b__y"]
    assert unique_names([("y.jpg", "y"), ("y.png", "y"), ("z.png", "z")]) == ["y_jpg", "y_png", "z"]
    assert len(set(unique_names([("a/b.jpg", "q"), ("c.jpg", "q"), ("a__b.jpg", "a__b")]))) == 3


def test_labels_of_no_image_are_told_where_none_has_one(tmp_path: Path) -> None:
    described(tmp_path)
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "labels/a_mask.png", 1)
    put(tmp_path / "labels/a_labelTrainIds.png", 1)  # what converters for other tools leave
    assert [Path(p["file"]).name for p in check(tmp_path)["problems"]] == ["a_mask.png"]


def test_clips_counted_from_one_are_no_twins(tmp_path: Path) -> None:
    for clip in range(12):
        for frame in range(2):
            put(tmp_path / f"clip_{clip:02d}/{frame:05d}.jpg")
    assert hints(open_dataset(tmp_path)) == []


def test_names_that_are_no_text_have_a_fingerprint(tmp_path: Path) -> None:
    described(tmp_path)
    put(tmp_path / "images/a.jpg")
    try:
        os.rename(tmp_path / "images/a.jpg", os.fsencode(tmp_path) + b"/images/stra\xdfe.jpg")
    except OSError:
        pytest.skip("this file system knows text alone")
    assert len(fingerprint(open_dataset(tmp_path))) == 16


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a/1.png")
    put(tmp_path / "b/2.png").chmod(0)
    with pytest.raises(UserError, match=r"2\.png: permission denied"):
        open_image(tmp_path / "b/2.png")
    (tmp_path / "a").chmod(0)
    with pytest.raises(UserError, match="a: permission denied"):
        list_files(tmp_path)
    (tmp_path / "a").chmod(0o700)


def test_a_link_to_itself_is_no_damaged_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: (?!the image is truncated)"):
        open_image(tmp_path / "a.png")


def test_brackets_in_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from simteacher.show import print_check, print_comparison, print_scores

    described(tmp_path, "space: {classes: ['lane [/left]', 'car [parked]']}\n")
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "labels/a.png", 1)
    print_check(check(tmp_path))
    scores = {"miou": 0.5, "pixel_accuracy": 0.5, "iou": {"lane [/left]": 0.5}, "images": 1, "split": None}
    print_scores(scores)
    print_comparison({"a [x]": scores, "b": scores})
    said = capsys.readouterr().out
    assert "car [parked]" in said and said.count("lane [/left]") >= 3 and "a [x]" in said


@pytest.mark.parametrize("spec", ["", " ", "camvid:"])
def test_no_path_is_not_the_current_folder(spec: str) -> None:
    with pytest.raises(UserError, match="no path is given"):
        open_dataset(spec)


def test_an_origin_in_words(tmp_path: Path) -> None:
    """Of a hand-written description, when a command writes there."""
    described(tmp_path, "space: cityscapes19\norigin: my own camera\n")
    with pytest.raises(UserError, match="holds another data set"):
        FolderWriter(tmp_path, SPACE, {"kind": "predictions"})


def test_gta5_as_downloaded_has_no_problem(tmp_path: Path) -> None:
    """Two of its frames differ in size from their labels, and are left out."""
    made = lookalikes.gta5(tmp_path, 3)
    first = next((made.root / "images").iterdir()).stem
    for name in ("15188", "17705"):
        shutil.copy(made.root / f"images/{first}.png", made.root / f"images/{name}.png")
        shutil.copy(made.root / f"labels/{first}.png", made.root / f"labels/{name}.png")
    before = len(open_dataset(made.root))
    assert not check(made.root)["problems"] and before == 3


@pytest.mark.parametrize("folder", ["labels", "Labels"])
def test_labels_that_are_called_otherwise_are_to_be_renamed(tmp_path: Path, folder: str) -> None:
    described(tmp_path)
    put(tmp_path / {"labels": "images", "Labels": "Images"}[folder] / "a_1.png")
    put(tmp_path / folder / "a_1_gt_color.png", 1)
    problems = [p for p in check(tmp_path)["problems"] if "this label has no image" in p["problem"]]
    assert [p["fix"] for p in problems] == ["rename it to a_1.png if it is the label of a_1, or remove it"]


def test_a_label_of_two_images_is_named(tmp_path: Path) -> None:
    described(tmp_path)
    for name in ("images/a.png", "images/a.jpg", "images/b.png"):
        put(tmp_path / name)
    for name in "ab":
        put(tmp_path / f"labels/{name}.png", 1)
    (problem,) = check(tmp_path)["problems"]
    assert "this label belongs to several images, a.jpg and a.png" in problem["problem"]


def test_labels_beside_that_are_not_read_are_told(tmp_path: Path) -> None:
    """Of one city there are class numbers of another kind."""
    for city, kind in (("aachen", "labelIds"), ("aachen", "color"), ("bonn", "labelTrainIds")):
        put(tmp_path / f"leftImg8bit/train/{city}/{city}_000000_000001_leftImg8bit.png")
        put(tmp_path / f"gtFine/train/{city}/{city}_000000_000001_gtFine_{kind}.png", 7)
    put(tmp_path / "disparity/train/bonn/bonn_000000_000001_disparity.png", 7)
    (told,) = [hint for hint in hints(open_dataset(tmp_path)) if "without label" in hint]
    assert told.startswith("1 image without label, and pictures that may be theirs") and "labelTrainIds.png" in told
    shutil.rmtree(tmp_path / "gtFine/train/bonn")
    assert not hints(open_dataset(tmp_path))


def test_thumbnails_of_a_file_server_are_no_photographs(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg")
    put(tmp_path / "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg")
    assert [f.name for f in open_dataset(tmp_path).frames] == ["a"]


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "leftImg8bit.zip").touch()
    with pytest.raises(UserError, match=r"unpack what is there, such as leftImg8bit\.zip"):
        open_dataset(tmp_path)


def test_lists_may_name_images_of_their_own_folder(tmp_path: Path) -> None:
    described(tmp_path, "space: cityscapes19\nsplits: {train: ['000'], val: ['000']}\n")
    for split in ("train", "val"):
        put(tmp_path / f"images/{split}/000.png")
    assert [f.name for f in open_dataset(tmp_path, "val").frames] == ["images__val__000"]


def test_pictures_beside_that_are_no_labels_of_those_without_are_not_told(tmp_path: Path) -> None:
    """KITTI's test images have the numbers of training images; fog shares the labels of clear weather."""
    for n in range(2):
        for kind in ("image_2", "semantic", "semantic_rgb", "instance"):
            put(tmp_path / f"kitti/training/{kind}/00000{n}_10.png", None if kind == "image_2" else 7)
        put(tmp_path / f"kitti/testing/image_2/00000{n}_10.png")
    assert not [h for h in hints(open_dataset(tmp_path / "kitti")) if "without label" in h]
    name = "city_000000_000001"
    put(tmp_path / f"fog/gtFine/train/city/{name}_gtFine_labelIds.png", 7)
    for beta in ("0.005", "0.01"):
        put(tmp_path / f"fog/leftImg8bit_foggy/train/city/{name}_leftImg8bit_foggy_beta_{beta}.png")
    assert not check(tmp_path / "fog")["problems"] and len(open_dataset(tmp_path / "fog")) == 2
