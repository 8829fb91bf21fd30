"""Labels as programs and people store them: packed, spread, grey in three channels, of colours that repeat."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import open_dataset, read_label
from simteacher.data.check import check
from simteacher.data.raw import read_raw
from simteacher.data.read import _labelling
from simteacher.errors import UserError
from simteacher.labels import space_from_dict
from tests import lookalikes
from tests.data.test_as_found import SPACE, described, only, put


def test_black_and_white_are_colours_where_classes_have_them(tmp_path: Path) -> None:
    """A mask of one thing, saved in three channels."""
    space = "{name: two, classes: [{name: ground, color: [0, 0, 0]}, {name: lane, color: [255, 255, 255]}]}"
    described(tmp_path, f"space: {space}\n")
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "labels/a.png", 255, "RGB")
    data = open_dataset(tmp_path)
    assert data.space is not None and (read_label(data, data.frames[0], data.space) == 1).all()


@pytest.mark.parametrize(
    ("colors", "palette"),
    [
        ([[128, 64, 128], [128, 64, 128], [9, 9, 9]], [128, 64, 128, 128, 64, 128, 9, 9, 9]),  # two of one colour
        ([[128, 0, 0], [0, 0, 0], [5, 5, 5]], [0, 0, 0, 128, 0, 0, 0, 128, 0]),  # PASCAL VOC's
        ([[7, 7, 7], [8, 8, 8], [0, 0, 0]], [7, 7, 7]),  # black but for the first
    ],
)
def test_numbers_stay_numbers_whatever_their_palette(
    tmp_path: Path, colors: list[list[int]], palette: list[int]
) -> None:
    classes = [{"name": f"c{k}", "color": color} for k, color in enumerate(colors)]
    described(tmp_path, f"space: {{name: own, classes: {classes}}}\n")
    put(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    numbers = np.zeros((6, 8), np.uint8)
    numbers[2:] = 1
    picture = Image.fromarray(numbers)
    picture.putpalette(palette)
    picture.save(tmp_path / "labels/a.png")
    data = open_dataset(tmp_path)
    assert data.space is not None
    np.testing.assert_array_equal(read_label(data, data.frames[0], data.space), numbers)


def test_colours_packed_into_a_palette_are_colours(tmp_path: Path) -> None:
    """Sky and road, numbered by a program that saves space; numbers whose palette is ours stay numbers."""
    described(tmp_path)
    put(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[:3], colours[3:] = SPACE.colors[10], SPACE.colors[0]
    packed = Image.fromarray(colours).quantize(2)
    assert packed.mode == "P"
    packed.save(tmp_path / "labels/a.png")
    data = open_dataset(tmp_path)
    found = read_label(data, data.frames[0], SPACE)
    assert (found[:3] == 10).all() and (found[3:] == 0).all()
    numbers = Image.fromarray(np.full((6, 8), 13, np.uint8))
    numbers.putpalette(SPACE.palette_K3().tobytes())
    numbers.save(tmp_path / "labels/a.png")
    _labelling.cache_clear()
    assert only(tmp_path) == 13


def test_grey_in_three_channels_is_numbers(tmp_path: Path) -> None:
    described(tmp_path)
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "labels/a.png", 11, "RGB")
    assert only(tmp_path) == 11


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits(tmp_path: Path, bits: int) -> None:
    """As a compressor of PNG files stores small numbers; written by hand, since Pillow cannot."""
    rows = b"".join(b"\0" + bytes([0b00011011] if bits == 2 else [0x01, 0x23]) for _ in range(6))  # 0 1 2 3
    head = struct.pack(">IIBBBBB", 4, 6, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert (read_raw(tmp_path / "a.png", "index") == [0, 1, 2, 3]).all()


def test_minus_one_is_ignored_whatever_it_is_called(tmp_path: Path) -> None:
    """Cityscapes' licence plates are -1, which files hold as 255."""
    space = space_from_dict({"classes": ["road", "car"], "aliases": {"license plate": "car"}}, "own.yaml")
    put(tmp_path / "leftImg8bit/val/ulm/ulm_000000_000019_leftImg8bit.png")
    put(tmp_path / "gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png", 255)
    data = open_dataset(tmp_path)
    assert (read_label(data, data.frames[0], space) == 255).all()


def test_a_carla_set_without_road_says_that_it_guesses(tmp_path: Path) -> None:
    put(tmp_path / "RGB/1.png")
    put(tmp_path / "Segmentation_Images/1.png", 10, "RGB")
    assert "no road before the camera tells which" in check(tmp_path)["labels"]
    put(tmp_path / "home/images/1.png")
    put(tmp_path / "home/semantic/1.png", 0)
    assert open_dataset(tmp_path / "home").format == "folder"


def test_what_a_label_space_says_twice() -> None:
    with pytest.raises(UserError, match="'traffic_sign' is in 'aliases' twice"):
        space_from_dict({"classes": ["a", "b"], "aliases": {"Traffic Sign": "a", "traffic_sign": "b"}}, "own.yaml")


@pytest.mark.parametrize(
    ("content", "said"), [(b"Category r g b\nstra\xdfe 1 2 3\n", "cannot be read as text"), (b"", "names no class")]
)
def test_colours_of_vkitti_that_cannot_be_read(tmp_path: Path, content: bytes, said: str) -> None:
    made = lookalikes.vkitti2(tmp_path / "set")
    for path in made.root.rglob("*.png"):
        if "classgt" in path.name:
            (path.parents[3] / "colors.txt").write_bytes(content)
    data = open_dataset(made.root)
    frame = next(f for f in data.frames if f.label)
    with pytest.raises(UserError, match=rf"colors\.txt: {said}"):
        read_label(data, frame, SPACE)


def _striped(path: Path, *classes: int, pack: bool = False, stray: bool = False) -> Path:
    """A palette picture of stripes: class numbers in their own colours, or as a paint program packs the colours."""
    numbers = np.repeat(np.array(classes, np.uint8), 4)[None].repeat(6, 0)
    picture = Image.fromarray(numbers)
    picture.putpalette(SPACE.palette_K3().tobytes())
    if pack:
        colours = np.array(picture.convert("RGB"))
        if stray:
            colours[0, 0] = (81, 0, 81)
        picture = Image.fromarray(colours).quantize(len(classes) + stray)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    (path.parents[1] / "images").mkdir(exist_ok=True)
    Image.new("RGB", numbers.shape[::-1]).save(path.parents[1] / "images" / path.name)
    return path


def test_one_label_that_a_paint_program_saved_is_named(tmp_path: Path) -> None:
    """Its palette is sorted anew, so that its numbers are other classes than all others'."""
    described(tmp_path)
    for n in range(20, 40):
        _striped(tmp_path / f"labels/a{n}.png", 0, 8, 10)
    assert not check(tmp_path)["problems"]
    odd = _striped(tmp_path / "labels/a21.png", 0, 8, 10, pack=True)  # none of those that are looked at first
    (problem,) = check(tmp_path)["problems"]
    assert problem["file"] == str(odd) and "the colours of its palette say other classes" in problem["problem"]
    data = open_dataset(tmp_path)
    assert np.unique(read_label(data, data.frames[0], SPACE)).tolist() == [0, 8, 10]
    with pytest.raises(UserError, match="painted as") as caught:
        read_label(data, data.frames[1], SPACE)
    assert caught.value.where == str(odd)


def test_a_stray_colour_among_packed_ones_is_told_as_one(tmp_path: Path) -> None:
    described(tmp_path)
    for n in range(3):
        _striped(tmp_path / f"labels/a{n}.png", 0, 8, 10, pack=True, stray=n == 1)
    (problem,) = check(tmp_path)["problems"]
    assert "a1.png" in problem["file"] and "#510051 (1 pixels)" in problem["problem"]
    data = open_dataset(tmp_path)
    assert np.unique(read_label(data, data.frames[0], SPACE)).tolist() == [0, 8, 10]


def test_numbers_that_the_set_itself_names_may_have_the_colours_of_their_classes(tmp_path: Path) -> None:
    """Raw ids 7, 8 and 11, painted as Cityscapes' road, sidewalk and building."""
    described(tmp_path, "space: cityscapes19\nids: {7: road, 8: sidewalk, 11: building, 3: ignore}\n")
    path = _striped(tmp_path / "labels/a.png", 7, 8, 11)
    colors = np.zeros((256, 3), np.uint8)
    colors[[7, 8, 11]] = [SPACE.colors[k] for k in (0, 1, 2)]
    picture = Image.open(path)
    picture.putpalette(colors.tobytes())
    picture.save(path)
    data = open_dataset(tmp_path)
    assert np.unique(read_label(data, data.frames[0], SPACE)).tolist() == [0, 1, 2]
    assert not check(tmp_path)["problems"]


@pytest.mark.parametrize(("said", "read"), [("car", [0, 13]), ("ignore", [0, 255])])
def test_a_set_may_join_or_ignore_numbers_that_have_their_own_colours(
    tmp_path: Path, said: str, read: list[int]
) -> None:
    numbers = {k: name for k, name in enumerate(SPACE.classes)} | {14: said, 15: said}
    described(tmp_path, f"space: cityscapes19\nids: {numbers}\n".replace("'", ""))
    _striped(tmp_path / "labels/a.png", 0, 14, 15)
    data = open_dataset(tmp_path)
    assert np.unique(read_label(data, data.frames[0], SPACE)).tolist() == read
    assert not check(tmp_path)["problems"]


def test_grey_of_16_bits_with_transparency_is_refused(tmp_path: Path) -> None:
    """Pillow hands over its upper bytes, which are zeros."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + struct.pack(">4H", 7, 65535, 8, 65535) for _ in range(2))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 4, 0, 0, 0))
    body = head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(UserError, match="16-bit grey with transparency"):
        read_raw(tmp_path / "a.png", "index")


def test_the_palette_of_other_tools_says_nothing(tmp_path: Path) -> None:
    """CamVid's numbers with PASCAL VOC's palette, in which road and fence have the colours of tree and sky."""
    described(tmp_path, "space: camvid11\n")
    path = _striped(tmp_path / "labels/a.png", 1, 3, 7)
    voc = [[sum((k >> (3 * j + c) & 1) << (7 - j) for j in range(3)) for c in range(3)] for k in range(256)]
    picture = Image.open(path)
    picture.putpalette([v for color in voc for v in color])
    picture.save(path)
    data = open_dataset(tmp_path)
    assert data.space is not None and tuple(voc[3]) == data.space.colors[5] and tuple(voc[7]) == data.space.colors[0]
    assert np.unique(read_label(data, data.frames[0], data.space)).tolist() == [1, 3, 7]
    assert not check(tmp_path)["problems"]
