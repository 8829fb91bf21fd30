"""Hand-over and back: nothing changes on the way, corrections arrive, and what is wrong is named."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simteacher.data import FolderWriter, open_dataset, read_label
from simteacher.errors import UserError
from simteacher.handover import handover
from simteacher.handover_formats import with_distinct_colours
from simteacher.labels import SPACES, LabelSpace

SPACE = SPACES["camvid11"]


def labels(out: Path, count: int = 3, space: LabelSpace = SPACE, first: int = 0) -> dict[str, np.ndarray]:
    """Write pseudo-labels with ignored pixels; returns them."""
    made = {}
    with FolderWriter(out, space, {"kind": "pseudo-labels"}) as writer:
        for n in range(first, first + count):
            rng = np.random.default_rng(n)
            label = rng.choice([*range(min(4 + n, len(space))), 255], (12, 20)).astype(np.uint8)
            writer.add(f"p{n}", rng.integers(0, 255, (12, 20, 3), np.uint8), label=label, confidence=label)
            made[f"p{n}"] = label
    return made


def repack(zip: Path, out: Path, keep: str = "") -> None:
    """A ZIP as a labelling tool would export it again, with only the masks whose name holds ``keep``."""
    with zipfile.ZipFile(zip) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.namelist():
            if keep in member or not member.startswith("SegmentationClass/"):
                new.writestr(member, old.read(member))


def read(path: Path) -> dict[str, np.ndarray]:
    """Labels of a data set, where there are any."""
    dataset = open_dataset(path)
    return {f.name: read_label(dataset, f, SPACE) for f in dataset.frames if f.label is not None}


@pytest.mark.parametrize(("format", "file"), [("cvat", "annotations.zip"), ("coco", "annotations.json")])
def test_there_and_back_changes_nothing(tmp_path: Path, format: str, file: str) -> None:
    made = labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format=format)  # type: ignore[arg-type]
    assert sorted(p.name for p in (handed / "images").iterdir()) == ["p0.png", "p1.png", "p2.png"]
    back = handover(handed / file, tmp_path / "back", format=format, back=True)  # type: ignore[arg-type]
    for name, label in read(back).items():
        np.testing.assert_array_equal(label, made[name])
    assert (back / "labelled.txt").read_text().split() == ["p0", "p1", "p2"]


def test_a_correction_arrives_and_the_rest_stays_unlabelled(tmp_path: Path) -> None:
    labels(tmp_path / "pseudo")
    (tmp_path / "names.txt").write_text("p2\np1\n")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat", names=tmp_path / "names.txt")
    road = np.full((12, 20, 3), SPACE.colors[3], np.uint8)
    road[:, :5] = 0  # not labelled
    with zipfile.ZipFile(handed / "annotations.zip") as old, zipfile.ZipFile(handed / "job_1.zip", "w") as new:
        new.writestr("labelmap.txt", old.read("labelmap.txt"))
        buffer = io.BytesIO()
        Image.fromarray(road).save(buffer, "PNG")  # CVAT writes colours, not palettes
        new.writestr("SegmentationClass/p2.png", buffer.getvalue())
    back = handover(handed, tmp_path / "back", format="cvat", back=True)
    found = read(back)
    assert list(found) == ["p2"]
    assert (found["p2"][:, 5:] == 3).all() and (found["p2"][:, :5] == 255).all()
    assert [f.name for f in open_dataset(back).frames] == ["p0", "p1", "p2"], "the others are there to learn from"
    assert (back / "labelled.txt").read_text() == "p2\n"


def test_corrected_coco_with_polygons_and_other_ids(tmp_path: Path) -> None:
    labels(tmp_path / "pseudo", 1)
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    corrected = {
        "images": [{"id": 7, "file_name": "p0.png", "width": 20, "height": 12}],
        "categories": [{"id": 40, "name": "tree"}, {"id": 41, "name": "car"}],
        "annotations": [
            {"image_id": 7, "category_id": 40, "segmentation": {"size": [12, 20], "counts": [0, 240]}},
            {"image_id": 7, "category_id": 41, "segmentation": [[4, 2, 10, 2, 10, 6, 4, 6]]},
        ],
    }
    (handed / "instances_default.json").write_text(json.dumps(corrected))
    label = read(handover(handed, tmp_path / "back", format="coco", back=True))["p0"]
    wanted = np.full((12, 20), SPACE.index("tree"), np.uint8)
    wanted[2:6, 4:10] = SPACE.index("car")  # the later annotation lies on top
    np.testing.assert_array_equal(label, wanted)


def test_the_zip_is_what_cvat_reads(tmp_path: Path) -> None:
    """Pascal VOC: label map with parts and actions, names, colour masks, and objects in the VOC palette."""
    made = labels(tmp_path / "pseudo", 1)["p0"]
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    with zipfile.ZipFile(handed / "annotations.zip") as archive:
        lines = archive.read("labelmap.txt").decode().splitlines()
        assert lines[:3] == ["# label:color_rgb:parts:actions", "background:0,0,0::", "sky:128,128,128::"]
        assert archive.read("ImageSets/Segmentation/default.txt") == b"p0\n"
        with (
            Image.open(archive.open("SegmentationClass/p0.png")) as mask,
            Image.open(archive.open("SegmentationObject/p0.png")) as objects,
        ):
            rgb, number = np.asarray(mask.convert("RGB")), np.asarray(objects.convert("RGB"))
    for k in range(4):
        assert (rgb[made == k] == SPACE.colors[k]).all()
    assert (rgb[made == 255] == 0).all() and (number[made == 255] == 0).all()
    assert (number[made == 0] == (128, 0, 0)).all() and (number[made == 2] == (128, 128, 0)).all()
    assert json.loads((handed / "labels.json").read_text())[0] == {"name": "sky", "color": "#808080", "attributes": []}


def test_black_and_repeated_colours_become_distinct() -> None:
    space = LabelSpace("s", ("a", "b", "c", "d"), ((0, 0, 0), (9, 9, 9), (9, 9, 9), (70, 122, 206)), {})
    colours = with_distinct_colours(space).colors
    assert len({*colours, (0, 0, 0)}) == 5 and colours[1] == (9, 9, 9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"categories": [{"id": 1, "name": "trea"}]}, "unknown class 'trea'; did you mean 'tree'"),
        ({"images": [{"id": 1, "file_name": "p9.png", "width": 20, "height": 12}]}, "image 'p9' was not handed over"),
        ({"images": [{"id": 1, "file_name": "p0.png", "width": 30, "height": 12}]}, "the mask of 'p0' is 30x12"),
        ({"annotations": None}, "no COCO file"),
    ],
)
def test_wrong_corrections_are_named(tmp_path: Path, change: dict[str, object], says: str) -> None:
    labels(tmp_path / "pseudo", 1)
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    content = json.loads((handed / "annotations.json").read_text()) | change
    (handed / "fixed.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=says):
        handover(handed, tmp_path / "back", format="coco", back=True)


def test_missing_things_are_named(tmp_path: Path) -> None:
    labels(tmp_path / "pseudo", 1)
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    with pytest.raises(UserError, match=r"no corrected \.zip file"):
        handover(handed, tmp_path / "back", format="cvat", back=True)
    (handed / "task.zip").write_bytes(b"not a zip")
    with pytest.raises(UserError, match="no ZIP of the format"):
        handover(handed, tmp_path / "back", format="cvat", back=True)
    with pytest.raises(UserError, match=r"no image 'p7'; did you mean 'p0'"):
        (tmp_path / "names.txt").write_text("p7")
        handover(tmp_path / "pseudo", tmp_path / "other", format="cvat", names=tmp_path / "names.txt")


@pytest.mark.parametrize(("format", "file"), [("cvat", "annotations.zip"), ("coco", "annotations.json")])
def test_a_class_called_background_comes_back(tmp_path: Path, format: str, file: str) -> None:
    """CVAT calls so what is not labelled."""
    space = LabelSpace("two", ("background", "thing"), ((10, 10, 10), (200, 0, 0)), {})
    made = labels(tmp_path / "pseudo", 1, space)["p0"]
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format=format)  # type: ignore[arg-type]
    dataset = open_dataset(handover(handed / file, tmp_path / "back", format=format, back=True))  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_label(dataset, dataset.frames[0], space), made)
    listed = [label["name"] for label in json.loads((handed / "labels.json").read_text())]
    assert listed == ["background (class)", "thing"]


def test_read_back_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder of the same name has other photographs."""
    (tmp_path / "here").mkdir()
    labels(tmp_path / "here" / "pseudo")
    labels(tmp_path / "there" / "pseudo", 1, first=7)
    (tmp_path / "names.txt").write_text("p2\n")
    monkeypatch.chdir(tmp_path / "here")
    handover("pseudo", "handed", format="cvat", names=tmp_path / "names.txt")
    repack(Path("handed/annotations.zip"), Path("handed/job.zip"))
    monkeypatch.chdir(tmp_path / "there")
    back = handover("../here/handed", "back", format="cvat", back=True)
    assert [f.name for f in open_dataset(back).frames] == ["p0", "p1", "p2"] and list(read(back)) == ["p2"]


def test_labels_that_a_later_export_leaves_out_go_again(tmp_path: Path) -> None:
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    for keep, left in (("", ["p0", "p1", "p2"]), ("p1", ["p1"])):
        repack(handed / "annotations.zip", handed / "job.zip", keep)
        back = handover(handed, tmp_path / "back", format="cvat", back=True)
        assert list(read(back)) == left == (back / "labelled.txt").read_text().split()
        assert len(open_dataset(back).frames) == 3
    repack(handed / "annotations.zip", handed / "job.zip", "nothing")
    with pytest.raises(UserError, match="holds no corrected image"):
        handover(handed, tmp_path / "back", format="cvat", back=True)


def test_exports_with_their_time_in_the_name_and_a_source_that_moved(tmp_path: Path) -> None:
    """As CVAT calls them; a label of before that the newest file lacks goes, wherever its source is."""
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    for time, keep in ((10, ""), (11, "p1")):
        export = handed / f"task_1_2026_11_30_{time}_00_00.zip"
        repack(handed / "annotations.zip", export, keep)
        os.utime(export, (time, time))
        back = handover(handed, tmp_path / "back", format="cvat", back=True)
        (tmp_path / "pseudo").rename(tmp_path / f"moved-{time}") if time == 10 else None
    assert list(read(back)) == ["p1"]


def test_images_that_nobody_drew_in_are_not_corrected(tmp_path: Path) -> None:
    """COCO lists every picture of a task; of one without annotations nothing is known."""
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    content = json.loads((handed / "annotations.json").read_text())
    first = content["images"][0]["id"]
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] == first]
    (handed / "job.json").write_text(json.dumps(content))
    assert list(read(handover(handed, tmp_path / "back", format="coco", back=True))) == ["p0"]
    for annotation in content["annotations"]:
        annotation["segmentation"] = []
    (handed / "job.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="a box without a mask"):
        handover(handed / "job.json", tmp_path / "boxes", format="coco", back=True)


def test_two_sets_do_not_share_a_folder(tmp_path: Path) -> None:
    labels(tmp_path / "a")
    labels(tmp_path / "b", first=3)
    for _ in range(2):  # the same again is the same
        handover(tmp_path / "a", tmp_path / "handed", format="cvat")
    with pytest.raises(UserError, match="what was handed over of other images"):
        handover(tmp_path / "b", tmp_path / "handed", format="cvat")
    assert len(list((tmp_path / "handed" / "images").iterdir())) == 3
    (tmp_path / "names.txt").write_text("\n")
    with pytest.raises(UserError, match="this file names no image"):
        handover(tmp_path / "a", tmp_path / "other", format="cvat", names=tmp_path / "names.txt")
    assert not (tmp_path / "other").exists()


def test_coco_may_come_packed(tmp_path: Path) -> None:
    made = labels(tmp_path / "pseudo", 1)["p0"]
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    with zipfile.ZipFile(handed / "job.zip", "w") as archive:
        archive.write(handed / "annotations.json", "annotations/instances_default.json")
    np.testing.assert_array_equal(read(handover(handed, tmp_path / "back", format="coco", back=True))["p0"], made)
    unpacked = handed / "annotations" / "instances_default.json"
    unpacked.parent.mkdir()
    (handed / "job.zip").rename(handed / "later")
    unpacked.write_text((handed / "annotations.json").read_text())
    for given in (handed, unpacked):
        np.testing.assert_array_equal(read(handover(given, tmp_path / "again", format="coco", back=True))["p0"], made)
    (handed / "later").rename(handed / "job.zip")
    with zipfile.ZipFile(handed / "job.zip", "a") as archive:
        archive.writestr("annotations/other.json", "{}")
    with pytest.raises(UserError, match=r"holds 2 \.json files"):
        handover(handed / "job.zip", tmp_path / "back", format="coco", back=True)


@pytest.mark.parametrize(("format", "file"), [("cvat", "annotations.zip"), ("coco", "annotations.json")])
def test_whatever_is_damaged_is_an_error_of_the_file(tmp_path: Path, format: str, file: str) -> None:
    labels(tmp_path / "pseudo", 2)
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format=format)  # type: ignore[arg-type]
    good, rng, refused = (handed / file).read_bytes(), np.random.default_rng(0), 0
    for _ in range(150):
        bad = np.frombuffer(good, np.uint8).copy()
        bad[rng.integers(len(bad), size=rng.integers(1, 12))] = rng.integers(256)
        corrected = handed / f"job{Path(file).suffix}"
        corrected.write_bytes(bad.tobytes()[: len(bad) if rng.random() < 0.7 else int(rng.integers(len(bad)))])
        try:
            handover(corrected, tmp_path / "back", format=format, back=True)  # type: ignore[arg-type]
        except UserError as error:
            refused += str(corrected) in str(error) or "back" in str(error)
    assert refused > 50


def test_drafts_that_nobody_changed_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An export holds them all, and they would count as truth."""
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    content = json.loads((handed / "annotations.json").read_text())
    content["annotations"] = [a for a in content["annotations"] if (a["image_id"], a["category_id"]) != (1, 1)]
    (handed / "export.json").write_text("\ufeff" + json.dumps(content), encoding="utf-8")
    back = handover(handed, tmp_path / "back", format="coco", back=True)
    assert "2 of 3 are exactly as they were handed over" in capsys.readouterr().err
    assert (back / "unchanged.txt").read_text().split() == ["p1", "p2"]


@pytest.mark.parametrize("again", ["draft", "corrected"])
def test_a_second_batch_keeps_the_first(tmp_path: Path, again: str) -> None:
    """Of the same draft into the same folder, or of the corrected set."""
    made = labels(tmp_path / "pseudo")
    (tmp_path / "one.txt").write_text("p0\n")
    (tmp_path / "two.txt").write_text("p1\n")
    first = handover(tmp_path / "pseudo", tmp_path / "a", format="cvat", names=tmp_path / "one.txt")
    back = handover(first / "annotations.zip", tmp_path / "back", format="cvat", back=True)
    assert list(read(back)) == ["p0"]
    if again == "corrected":  # with a draft for the next one
        (back / "labels/p1.png").write_bytes((tmp_path / "pseudo/labels/p1.png").read_bytes())
    source, out = (tmp_path / "pseudo", back) if again == "draft" else (back, tmp_path / "both")
    second = handover(source, tmp_path / "b", format="cvat", names=tmp_path / "two.txt")
    back = handover(second / "annotations.zip", out, format="cvat", back=True)
    found = read(back)
    assert sorted(found) == ["p0", "p1"] and (back / "labelled.txt").read_text().split() == ["p0", "p1"]
    for name, label in found.items():
        np.testing.assert_array_equal(label, made[name])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda c: c["annotations"][-1].update(segmentation=[]), "of p2 is a box without a mask"),
        (lambda c: c["images"].append({**c["images"][0], "id": 99}), None),
        (lambda c: c["images"].append(c["images"][0]), "two of its images have one id"),
        (lambda c: c["categories"].append(c["categories"][0]), "two of its categories have one id"),
    ],
)
def test_a_damaged_export_changes_nothing(tmp_path: Path, spoil: Any, says: str | None) -> None:
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="coco")
    back = handover(handed / "annotations.json", tmp_path / "back", format="coco", back=True)
    before = {p: p.read_bytes() for p in sorted(back.rglob("*")) if p.is_file()}
    content = json.loads((handed / "annotations.json").read_text())
    content["annotations"] = [a for a in content["annotations"] if a["image_id"] > 1 or a["category_id"] > 2]
    spoil(content)
    if says is None:  # the same picture under two numbers, both drawn in
        content["annotations"].append({**content["annotations"][0], "image_id": 99})
        says = "holds p0 twice"
    (handed / "x.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=says):
        handover(handed / "x.json", back, format="coco", back=True)
    assert {p: p.read_bytes() for p in sorted(back.rglob("*")) if p.is_file()} == before


def test_two_labels_of_one_colour_are_refused(tmp_path: Path) -> None:
    labels(tmp_path / "pseudo")
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    with zipfile.ZipFile(handed / "annotations.zip") as old, zipfile.ZipFile(handed / "x.zip", "w") as new:
        for member in old.namelist():
            content = old.read(member)
            new.writestr(member, content.replace(b"building:128,0,0", b"building:128,64,128"))
    with pytest.raises(UserError, match="two labels the colour 128,64,128"):
        handover(handed / "x.zip", tmp_path / "back", format="cvat", back=True)


def test_masks_without_any_class_are_no_corrections(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "pseudo", SPACE, {"kind": "pseudo-labels"}) as writer:
        for n, value in enumerate((3, 255)):
            writer.add(f"p{n}", np.zeros((12, 20, 3), np.uint8), label=np.full((12, 20), value, np.uint8))
    handed = handover(tmp_path / "pseudo", tmp_path / "handed", format="cvat")
    assert list(read(handover(handed / "annotations.zip", tmp_path / "back", format="cvat", back=True))) == ["p0"]
