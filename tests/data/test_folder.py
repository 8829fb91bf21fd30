"""`folder` sets: what is written is read back, stopped writers go on, foreign folders are refused."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from simteacher.data import FolderWriter, open_dataset, read_confidence, read_image, read_label
from simteacher.data.geometry import read_depth, read_flow
from simteacher.errors import UserError
from simteacher.labels import SPACES, LabelSpace
from tests import lookalikes
from tests.lookalikes.streets import photo

SPACE = SPACES["camvid11"]
ORIGIN = {"made by": "a test", "seed": 3, "share": 0.1}
RNG = np.random.default_rng(0)
IMAGE = photo(RNG, (20, 12))
LABEL = np.resize(np.array([*range(11), 255], np.uint8), (12, 20))
CONFIDENCE = RNG.integers(0, 256, (12, 20), dtype=np.uint8)


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def write(out: Path, names: str = "abcd", stop: str = "") -> None:
    writer = FolderWriter(out, SPACE, ORIGIN)
    for name in names:
        split = "val" if name == "d" else "train"
        if name == stop:
            raise KeyboardInterrupt
        if not writer.has(name, split):
            writer.add(name, np.roll(IMAGE, ord(name), axis=1), LABEL, confidence=CONFIDENCE, split=split)
    writer.close()


def test_everything_comes_back(tmp_path: Path) -> None:
    flow, depth = np.full((12, 20, 2), 1.5, np.float32), np.full((12, 20), 7.25, np.float32)
    instances = np.resize(np.array([0, 300, 65535], np.int64), (12, 20))
    with FolderWriter(tmp_path, SPACE, ORIGIN) as writer:
        writer.add("one", IMAGE, LABEL, CONFIDENCE / np.float32(255), instances, depth, flow)
    dataset = open_dataset(tmp_path)
    (frame,) = dataset.frames
    assert (dataset.format, dataset.space, dataset.split) == ("folder", SPACE, "train")
    np.testing.assert_array_equal(read_image(frame.image), IMAGE)
    np.testing.assert_array_equal(read_label(dataset, frame, SPACE), LABEL)
    np.testing.assert_array_equal(read_confidence(frame), CONFIDENCE)
    assert frame.depth and frame.flow and frame.instances and frame.label
    assert (read_depth(frame.depth) == 7.25).all() and (read_flow(frame.flow) == 1.5).all()
    np.testing.assert_array_equal(np.asarray(Image.open(frame.instances)), instances)
    with Image.open(frame.label) as stored:  # class indices with the space's colours, for every viewer
        assert stored.mode == "P" and tuple(stored.convert("RGB").getpixel((3, 0))) == (128, 64, 128)
    described = yaml.safe_load((tmp_path / "dataset.yaml").read_text())
    assert described == {
        "version": 1,
        "space": "camvid11",
        "complete": True,
        "images": 1,
        "sizes": {"20x12": 1},
        "splits": {"train": "all"},
        "origin": ORIGIN,
    }


def test_own_space_is_written_out(tmp_path: Path) -> None:
    space = LabelSpace("mine", ("ground", "thing"), ((1, 2, 3), (4, 5, 6)), {"road": "ground", "sky": "ignore"})
    with FolderWriter(tmp_path, space, ORIGIN) as writer:
        writer.add("one", IMAGE, np.ones((12, 20), np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.space == space
    assert (read_label(dataset, dataset.frames[0], space) == 1).all()


@pytest.mark.parametrize("stop", "abcd")
def test_stopped_writer_goes_on_to_the_same_bytes(tmp_path: Path, stop: str) -> None:
    write(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "stopped", stop=stop)
    assert yaml.safe_load((tmp_path / "stopped/dataset.yaml").read_text())["complete"] is False
    write(tmp_path / "stopped")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    dataset = open_dataset(tmp_path / "stopped", "val")
    assert [f.name for f in dataset.frames] == ["d"]


def test_a_finished_set_that_grows(tmp_path: Path) -> None:
    write(tmp_path / "grown", "ab")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "grown", stop="d")
    assert yaml.safe_load((tmp_path / "grown/dataset.yaml").read_text())["complete"] is False
    write(tmp_path / "grown")
    write(tmp_path / "whole")
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_a_frame_without_one_of_its_files_is_written_again(tmp_path: Path) -> None:
    write(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "confidence/b.png").unlink()
    (tmp_path / "images/c.png").unlink()
    writer = FolderWriter(tmp_path, SPACE, ORIGIN)
    assert [writer.has(name) for name in "abcdx"] == [True, False, False, True, False]
    write(tmp_path)
    assert contents(tmp_path) == before


def test_killed_while_a_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is renamed last, so nothing that was cut off counts as written."""
    replace, moved = os.replace, []

    def killed(source: Path, target: Path) -> None:
        if Path(target).parent.name == "images" and len(moved) == 3:
            raise KeyboardInterrupt
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "cut", "ab")
    monkeypatch.undo()
    assert not FolderWriter(tmp_path / "cut", SPACE, ORIGIN).has("a")
    write(tmp_path / "cut", "ab")
    write(tmp_path / "whole", "ab")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = FolderWriter(tmp_path, SPACE, ORIGIN)
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UserError, match="disk is full"):
        writer.add("a", IMAGE, LABEL)
    monkeypatch.undo()
    assert not writer.has("a") and not any(tmp_path.rglob(".part*"))


def test_images_given_as_files_are_not_recoded(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path / "in")
    with FolderWriter(tmp_path / "out", None, ORIGIN) as writer:
        for frame in open_dataset(made.root).frames:
            writer.add(frame.name, frame.image)
    out = tmp_path / "out/images"
    assert (out / "a.jpg").read_bytes() == (made.root / "a.jpg").read_bytes()
    assert (out / "holiday__more__e.jpg").read_bytes() == (made.root / "holiday/more/e.jpeg").read_bytes()
    # formats that a folder set does not have become PNG
    np.testing.assert_array_equal(read_image(out / "holiday__c.png"), read_image(made.root / "holiday/c.webp"))
    dataset = open_dataset(tmp_path / "out", "train")
    assert len(dataset) == 5 and dataset.space is None


def test_missing_source_image_is_named(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path / "out", None, ORIGIN)
    with pytest.raises(UserError, match="no such file") as error:
        writer.add("a", tmp_path / "gone.jpg")
    assert error.value.where == str(tmp_path / "gone.jpg")


def test_jpeg_on_demand(tmp_path: Path) -> None:
    with FolderWriter(tmp_path, SPACE, ORIGIN, suffix=".jpg") as writer:
        writer.add("a", IMAGE, LABEL)
    assert np.abs(read_image(tmp_path / "images/a.jpg").astype(int) - IMAGE).mean() < 4


def test_other_sets_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(UserError, match="seed was 3, now 4"):
        FolderWriter(tmp_path, SPACE, ORIGIN | {"seed": 4})
    with pytest.raises(UserError, match=r"another data set \(space"):
        FolderWriter(tmp_path, SPACES["cityscapes19"], ORIGIN)
    lookalikes.folder(tmp_path / "foreign", space=None)
    with pytest.raises(UserError, match="holds other files"):
        FolderWriter(tmp_path / "foreign", SPACE, ORIGIN)


def test_a_set_that_never_got_further_than_its_description_is_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    FolderWriter(out, SPACE, ORIGIN)
    (out / "translator").mkdir()
    with FolderWriter(out, SPACE, ORIGIN), ThreadPoolExecutor(1) as other:  # while the first is at it
        second = other.submit(FolderWriter, out, SPACE, ORIGIN | {"seed": 4})
        assert "seed was 3, now 4" in str(second.exception())
    begun = (out / "dataset.yaml").read_text().replace("complete: true", "complete: false")
    (out / "dataset.yaml").write_text(begun)
    (out / "translator" / "metrics.jsonl").write_text("")
    with pytest.raises(UserError, match="seed was 3, now 4"):
        FolderWriter(out, SPACE, ORIGIN | {"seed": 4})
    (out / "translator" / "metrics.jsonl").unlink()
    with FolderWriter(out, SPACE, ORIGIN | {"seed": 4}) as writer:
        writer.add("a", IMAGE, LABEL)
    assert open_dataset(out).meta["origin"]["seed"] == 4
    finished = tmp_path / "finished"
    with FolderWriter(finished, SPACE, ORIGIN):
        pass
    with pytest.raises(UserError, match="seed was 3, now 4"):
        FolderWriter(finished, SPACE, ORIGIN | {"seed": 4})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("space: cityscape19", "did you mean 'cityscapes19'"),
        ("spase: camvid11", "did you mean 'space'"),
        ("space: camvid11\nids: [road]", "no map from numbers"),
        ("splits: [a]", "'splits' is no map"),
        ("splits: {train: a}", "no list of image names"),
        ("splits: {train: [00012]}", "in quotes"),
        ("- a", "no map of keys"),
        ("version: 99", "later release"),
        ("space: [", "not valid YAML"),
        ("origin: !!python/object/apply:os.mkdir [hacked]", "not valid YAML"),
    ],
)
def test_wrong_dataset_yaml_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    made = lookalikes.folder(tmp_path / "set")
    (made.root / "dataset.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        open_dataset(made.root)
    assert said in str(error.value) and error.value.where == str(made.root / "dataset.yaml")
    assert not (tmp_path / "hacked").exists()


def test_space_file_beside_the_description(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path / "set", space="mine.yaml")
    (made.root / "mine.yaml").write_text("name: mine\nclasses: [road, rest]")
    dataset = open_dataset(made.root)
    assert dataset.space is not None and dataset.space.classes == ("road", "rest")


def test_splits_may_name_files_and_miss_some(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path)
    text = "space: cityscapes19\nsplits: {train: [frame_0.jpg, frame_1, gone], val: [frame_2]}"
    (made.root / "dataset.yaml").write_text(text)
    dataset = open_dataset(made.root, "train")
    assert (
        [f.name for f in dataset.frames] == ["frame_0", "frame_1"]
        and dataset.gone == ("gone",)
        and "1 image" in dataset.why
    )
    assert len(open_dataset(made.root)) == 4


def test_labels_of_other_spelling_are_read_or_told(tmp_path: Path) -> None:
    from simteacher.data.check import check

    for kind, suffix in (("images", ".JPG"), ("labels", ".PNG")):
        (tmp_path / kind).mkdir()
        Image.fromarray(np.zeros((12, 16), np.uint8)).save(tmp_path / kind / f"a{suffix}")
    (tmp_path / "dataset.yaml").write_text("space: camvid11\n")
    assert [f.label.name for f in open_dataset(tmp_path).frames if f.label] == ["a.PNG"]
    (tmp_path / "labels" / "b.jpg").write_bytes((tmp_path / "images" / "a.JPG").read_bytes())
    told = check(tmp_path)["problems"]
    assert any("labels are PNG" in p["problem"] and p["file"].endswith("b.jpg") for p in told)


def test_a_linked_label_has_to_fit(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((12, 16), np.uint8)).save(tmp_path / "label.png")
    writer = FolderWriter(tmp_path / "out", SPACES["camvid11"], {})
    with pytest.raises(UserError, match="this map of labels is of 16x12, its image of 20x12"):
        writer.add("a", np.zeros((12, 20, 3), np.uint8), label=tmp_path / "label.png")
