"""`check` finds what is planted, counts what is there, and stays quiet about what is in order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data.check import check
from simteacher.data.check_table import check_table
from simteacher.data.images import open_image
from simteacher.data.inspect import fingerprint
from simteacher.errors import UserError
from tests import lookalikes
from tests.lookalikes import CAMVID_OF
from tests.lookalikes.png16 import save_wide
from tests.lookalikes.streets import photo


def table(result: dict[str, object]) -> str:
    """As it is printed where no line may be cut, such as into a file."""
    from rich.console import Console

    console = Console(width=80, soft_wrap=True)
    with console.capture() as capture:
        console.print(check_table(result))
    return capture.get()


def test_counts_are_the_truth(tmp_path: Path) -> None:
    made = lookalikes.cityscapes(tmp_path)
    result = check(made.root, classes="camvid11")
    names = np.concatenate([t.ravel() for t in made.truth.values()])
    expected = {c: 0 for c in result["classes"]}
    for fine, coarse in CAMVID_OF.items():
        expected[coarse] += int((names == fine).sum())
    assert result["classes"] == expected
    assert result["ignored"] == names.size - sum(expected.values())
    assert result["unmapped"] == {"terrain": (names == "terrain").sum(), "static": (names == "").sum()}
    assert result["learned_as"] == {"terrain": "tree"} and "% (learned as tree)" in table(result)
    assert (result["format"], result["images"], result["labelled"], result["problems"]) == ("cityscapes", 4, 4, [])
    assert result["splits"] == {"train": 3, "val": 1} and result["sizes"] == {"64x48": 4}
    json.dumps(result)


def test_planted_problems_are_all_found(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path, count=12)
    train, annot = made.root / "train", made.root / "trainannot"
    names = sorted(p.stem for p in train.iterdir())
    (annot / f"{names[0]}.png").unlink()
    (train / f"{names[1]}.jpg").write_bytes((train / f"{names[1]}.jpg").read_bytes()[:200])
    for i, change in ((2, 99), (3, None)):
        path = annot / f"{names[i]}.png"
        ids_HW = np.asarray(Image.open(path)).copy()
        if change:
            ids_HW[:2, :2] = change
        Image.fromarray(ids_HW if change else ids_HW[:, :40]).save(path)
    (annot / f"{names[4]}.png").write_bytes(b"")
    shutil.copy(annot / f"{names[5]}.png", annot / "nobody.png")
    result = check(made.root)
    problems = {Path(p["file"]).name: p["problem"] for p in result["problems"]}
    assert len(result["problems"]) == 6 and all(p["fix"] for p in result["problems"])
    assert "has no label" in problems[f"{names[0]}.jpg"]
    assert "truncated" in problems[f"{names[1]}.jpg"]
    assert "99 (4 pixels)" in problems[f"{names[2]}.png"]
    assert "is 40x48 pixels" in problems[f"{names[3]}.png"]
    assert "empty" in problems[f"{names[4]}.png"]
    assert "has no image" in problems["nobody.png"]
    assert result["unknown"] == {"99": 4}
    assert "6 problems" in table(result)


def test_odd_pictures_are_told_but_no_problem(tmp_path: Path) -> None:
    made = lookalikes.photographs(tmp_path)
    rgb = Image.fromarray(photo(np.random.default_rng(0), (64, 48)))
    rgb.convert("RGBA").save(tmp_path / "rgba.png")
    rgb.convert("L").save(tmp_path / "grey.png")
    rgb.quantize(16).save(tmp_path / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(tmp_path / "turned.jpg", exif=exif)
    save_wide(tmp_path / "wide.png", np.zeros((48, 64, 3), np.uint16))
    result = check(made.root)
    assert result["problems"] == [] and result["labelled"] == 0 and result["classes"] == {}
    kinds = {"16 bits", "alpha channel", "grey", "palette", "EXIF rotation"}
    assert set(result["odd"]) == kinds and result["odd"]["EXIF rotation"]["first"].endswith("turned.jpg")
    assert result["sizes"] == {"64x48": 9, "48x64": 1}
    assert "EXIF rotation" in table(result)


def test_label_of_a_turned_photograph(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path)
    path = made.root / "train/0001TP_000000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)
    (problem,) = check(made.root)["problems"]
    assert "rotate the label" in problem["fix"]


def test_unlabelled_splits_are_in_order(tmp_path: Path) -> None:
    assert check(lookalikes.cityscapes(tmp_path / "a", extra=True).root)["problems"] == []
    assert check(lookalikes.kitti(tmp_path / "b").root)["problems"] == []


def test_source_and_target(tmp_path: Path) -> None:
    source, target = lookalikes.carla_red(tmp_path / "sim"), lookalikes.camvid(tmp_path / "real")
    next((target.root / "trainannot").iterdir()).unlink()  # a target with some labels is nothing wrong
    result = check(source.root, target=target.root)
    assert result["problems"] == [] and result["space"] == result["target"]["space"] == "camvid11"
    lacks = {lack["class"]: lack["why"] for lack in result["lacks"]}
    assert set(lacks) == {"sky", "bicyclist"}
    assert lacks["bicyclist"] == "the carla set has no such class"
    assert result["target"]["classes"]["bicyclist"] > 0
    said = table(result)
    assert "target: camvid" in said and "no pixel is bicyclist: the carla set has no such class" in said


def test_misspelt_names_of_an_own_space(tmp_path: Path) -> None:
    made = lookalikes.cityscapes(tmp_path / "set")
    space = tmp_path / "mine.yaml"
    space.write_text("classes: [ground, building, vegtation]\naliases: {road: ground, sidewak: ground}")
    result = check(made.root, classes=space)
    (problem,) = result["problems"]
    assert problem["file"] == str(space) and "did you mean 'sidewalk'" in problem["problem"]
    assert {"class": "vegtation", "why": "the cityscapes set has no such class; did you mean 'vegetation'?"} in result[
        "lacks"
    ]


def test_one_space_may_serve_sets_of_other_names(tmp_path: Path) -> None:
    """Names that known spaces have, here CamVid's, are no mistake in a set that lacks them; misspelt ones are."""
    made, space = lookalikes.gta5(tmp_path / "set"), tmp_path / "space.yaml"
    for alias, problems in (("pedestrian", 0), ("Bicyclist", 0), ("vegetatoin", 1)):
        space.write_text(f"classes: [road, person]\naliases: {{{alias}: person}}\n")
        assert len(check(made.root, classes=space)["problems"]) == problems, alias


def test_an_export_with_values_that_nobody_named(tmp_path: Path) -> None:
    """One mistake in many files is said once, whole, with the file to mend; what was left out on purpose is no news."""
    made = lookalikes.folder(tmp_path, space=None)
    ids = {value: f"Thing {value}" for value in (0, 1, 2)}
    space = {
        "classes": ["one", "other"],
        "aliases": {"Thing 0": "one", "Thing 1": "ignore", "Thinf 2": "other", "Rider": "one"},
    }
    (made.root / "mine.yaml").write_text(json.dumps(space))
    (made.root / "dataset.yaml").write_text("space: mine.yaml\nids: " + str(ids).replace("'", ""))
    result = check(made.root)
    strange = [p for p in result["problems"] if "mean no class" in p["problem"]]
    assert len(strange) > 1 and all(f"`ids` in {made.root}/dataset.yaml" in p["fix"] for p in strange)
    assert (
        "Thing 1" not in result["unmapped"]
        and set(result["left_out"]) == {"Thing 1"}
        and result["unmapped"]["Thing 2"] > 0
    )
    assert any("alias 'Thinf 2' names no class" in p["problem"] and "'Thing 2'?" in p["problem"]
               for p in result["problems"])  # fmt: skip
    said = table(result)
    assert said.count("mean no class") == 2 and "the same in" in said and strange[0]["fix"] in said


def test_what_was_overlooked_is_said(tmp_path: Path) -> None:
    for folder in ("rgb", "tags"):
        (tmp_path / folder).mkdir()
        for n in range(2):
            Image.fromarray(photo(np.random.default_rng(n), (64, 48))).save(tmp_path / folder / f"{n}.png")
    (tmp_path / "phone.HEIC").write_bytes(b"not read")
    (tmp_path / "rgb" / "0.png").rename(tmp_path / "rgb" / "0\n.png")
    assert any("not read: 1 file with a line break in the name" in line for line in check(tmp_path)["hints"])
    (tmp_path / "rgb" / "0\n.png").rename(tmp_path / "rgb" / "0.png")
    with pytest.raises(UserError, match="convert it to JPEG or PNG"):
        open_image(tmp_path / "phone.HEIC")
    (tmp_path / "link.png").symlink_to("nowhere")
    with pytest.raises(UserError, match="this link leads nowhere"):
        open_image(tmp_path / "link.png")
    (tmp_path / "link.png").unlink()
    said = table(check(tmp_path))
    assert "rgb and" in said and "if one of them holds labels" in said
    assert "1 .heic file, such as" in said and "no problems" in said
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "a.heic").write_bytes(b"")
    with pytest.raises(UserError, match=r"convert what is there, such as a\.heic"):
        check(tmp_path / "only")


def test_pictures_that_two_splits_share(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path, count=12, size=(160, 120))
    assert check(made.root)["shared"] == []
    copied = sorted((made.root / "train").iterdir())[2]
    brighter = Image.open(copied).point(lambda v: min(255, int(v * 1.1) + 5))
    val = sorted((made.root / "val").iterdir())[0]
    brighter.save(val, quality=60)
    result = check(made.root)
    assert result["shared"] == [[copied.stem, val.stem]]
    assert "1 pair of nearly the same picture" in table(result)


def test_fingerprint_is_of_the_picture_not_of_its_encoding() -> None:
    rng = np.random.default_rng(5)
    one, other = photo(rng, (320, 240)), photo(rng, (320, 240))
    small = np.asarray(Image.fromarray(one).resize((200, 150)))

    def differ(a: np.ndarray, b: np.ndarray) -> int:
        return int(np.bitwise_count(fingerprint(a) ^ fingerprint(b)).sum())

    assert differ(one, one) == 0 and differ(one, small) <= 24 < differ(one, other)


def test_unfinished_set(tmp_path: Path) -> None:
    made = lookalikes.folder(tmp_path)
    text = "space: cityscapes19\ncomplete: false\nsplits: {train: [frame_0, lost]}"
    (made.root / "dataset.yaml").write_text(text)
    problems = [p["problem"] for p in check(made.root)["problems"]]
    assert len(problems) == 2 and "not finished" in problems[0] and "such as lost" in problems[1]


def test_folder_without_label_space(tmp_path: Path) -> None:
    (problem,) = check(lookalikes.folder(tmp_path, space=None).root)["problems"]
    assert "nothing says which classes" in problem["problem"]


def test_one_split(tmp_path: Path) -> None:
    made = lookalikes.camvid(tmp_path)
    result = check(made.spec, split="val")
    assert (result["images"], result["split"]) == (1, "val")
    with pytest.raises(UserError, match="no split"):
        check(made.spec, split="night")


def test_labels_that_are_hardly_any_classes_are_told(tmp_path: Path) -> None:
    """Ids of another simulator in Cityscapes' layout, most of which mean nothing there; as they should be, no word."""
    made = lookalikes.cityscapes(tmp_path)
    assert "of the pixels are ignored" not in table(check(made.root))
    for path in made.root.rglob("*_gtFine_labelIds.png"):
        Image.fromarray(np.full_like(np.asarray(Image.open(path)), 4)).save(path)
    assert "100 % of the pixels are ignored" in table(check(made.root))


def test_unknown_colours_are_written_as_colours(tmp_path: Path) -> None:
    result = {**check(lookalikes.photographs(tmp_path).root), "unknown": {"9866370": 12, "255": 3}}
    said = table(result)
    assert "#968c82 (12 pixels)" in said and "#0000ff (3 pixels)" in said
