"""Label spaces against Cityscapes' own table, and names that lead where they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from simteacher.errors import UserError
from simteacher.labels import SPACES, LabelSpace, load_space, lut, space_from_dict
from tests.lookalikes import CAMVID_OF


def test_cityscapes_is_the_official_table() -> None:
    official = pytest.importorskip("cityscapesscripts.helpers.labels").labels
    space = SPACES["cityscapes19"]
    trained = sorted((row for row in official if 0 <= row.trainId < 255), key=lambda row: row.trainId)
    assert space.classes == tuple(row.name for row in trained)
    assert space.colors == tuple(row.color for row in trained)
    names = {row.id: row.name for row in official}
    table = lut(names, space)
    assert table.shape == (256,)
    for row in official:
        assert table[row.id % 256] == (255 if row.trainId == -1 else row.trainId), row.name


@pytest.mark.parametrize(("name", "classes"), [("cityscapes16", 16), ("cityscapes13", 13)])
def test_subsets_keep_order_and_colour_and_ignore_the_rest(name: str, classes: int) -> None:
    space, whole = SPACES[name], SPACES["cityscapes19"]
    assert len(space) == classes
    assert list(space.classes) == [c for c in whole.classes if c in space.classes]
    assert space.colors == tuple(whole.colors[whole.classes.index(c)] for c in space.classes)
    # the published protocols ignore these rather than calling a truck a car
    assert [space.index(n) for n in ("terrain", "truck", "train")] == [None] * 3


def test_camvid_takes_cityscapes_names() -> None:
    space = SPACES["camvid11"]
    for name in SPACES["cityscapes19"].classes:
        index = space.index(name)
        assert (None if index is None else space.classes[index]) == CAMVID_OF.get(name), name


def test_what_is_only_learned_is_ignored_where_labels_are_read() -> None:
    space = SPACES["camvid11"]
    learned = space.as_learned()
    assert space.index("terrain") is None and learned.classes[learned.index("terrain") or 0] == "tree"
    others = [n for n in SPACES["cityscapes19"].classes if n != "terrain"]
    assert [space.index(n) for n in others] == [learned.index(n) for n in others]
    assert SPACES["cityscapes19"].as_learned() is SPACES["cityscapes19"]


def test_coarse_classes_take_fine_names_but_not_the_reverse() -> None:
    coarse = LabelSpace(
        "seven", ("flat", "construction", "object", "nature", "sky", "human", "vehicle"), ((0, 0, 0),) * 7
    )
    category = {
        "road": "flat",
        "wall": "construction",
        "pole": "object",
        "terrain": "nature",
        "rider": "human",
        "bus": "vehicle",
    }
    assert {n: coarse.classes[coarse.index(n) or 0] for n in category} == category
    assert SPACES["cityscapes19"].index("bicyclist") is None  # rider or bicycle: nobody knows
    assert SPACES["cityscapes19"].index("nature") is None


def test_names_are_compared_without_case_blanks_and_plural() -> None:
    space = SPACES["cityscapes19"]
    for name in ("Traffic Lights", "TrafficLight", "traffic_light", "traffic-light"):
        assert space.index(name) == 6
    assert space.index("bus") == space.classes.index("bus")


def test_palette_covers_all_values() -> None:
    palette = SPACES["camvid11"].palette_K3()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    assert tuple(palette[3]) == (128, 64, 128) and not palette[11:].any()


def test_lut_sizes_and_negative_ids() -> None:
    space = SPACES["camvid11"]
    small = lut({-1: "road", 3: "car"}, space)
    assert small.shape == (256,) and small[255] == 3 and small[3] == 8 and small[4] == 255
    wide = lut({-1: "sky", 26000: "car"}, space)
    assert wide.shape == (65536,) and wide[65535] == 0 and wide[26000] == 8 and wide[255] == 255


def test_yaml_space(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    content = {
        "name": "mine",
        "classes": [{"name": "ground", "color": [1, 2, 3]}, {"name": "thing"}],
        "aliases": {"road": "ground", "car": "thing", "sky": "ignore"},
        "learned_as": {"grass": "ground", "car": "ground"},
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    space = load_space(path)
    assert (space.name, space.classes, space.colors[0]) == ("mine", ("ground", "thing"), (1, 2, 3))
    assert [space.index(n) for n in ("Road", "car", "sky", "tree")] == [0, 1, None, None]
    # what is measured as a class is learned as that
    assert [space.as_learned().index(n) for n in ("road", "car", "grass")] == [0, 1, 0] and space.index("grass") is None
    # an alias that ignores wins over a synonym
    assert LabelSpace("x", ("tree",), ((0, 0, 0),), {"vegetation": "ignore"}).index("vegetation") is None
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(space.to_dict()), encoding="utf-8")
    assert load_space(again) == space


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("classes: [{name: road, colour: red, color: [0, 0, 256]}]", "three whole numbers"),
        ("classes: [{name: road}, {name: Roads}]", "used twice"),
        ("classes: [{color: [0, 0, 0]}]", "has no name"),
        ("classes: [road]\naliases: {street: raod}", "did you mean 'road'"),
        ("classes: [road]\nlearned_as: {grass: raod}", "did you mean 'road'"),
        ("classes: [road]\nlearned_as: [grass]", "'learned_as' is not a map"),
        ("clases: [road]", "needs a list 'classes'"),
        ("classes: [road]\naliasses: {a: road}", "did you mean 'aliases'"),
        ("classes: [road\n", "not valid YAML"),
        ("classes: !!python/object/apply:os.system [touch hacked]", "not valid YAML"),
        ("classes: [" + ", ".join(f"c{i}x" for i in range(254)) + "]", "at most 253"),
    ],
)
def test_wrong_yaml_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_space(path)
    assert said in str(error.value) and str(path) in str(error.value) and error.value.fix
    assert not (tmp_path / "hacked").exists()


def test_misspelt_space_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'cityscapes19'"):
        load_space("cityscape19")
    with pytest.raises(UserError, match="no such label space file"):
        load_space("nowhere.yaml")


def test_what_is_ignored_where_it_is_measured_may_be_learned() -> None:
    tree = {
        "classes": ["road", "tree"],
        "aliases": {"Grass": "ignore", "snow": "ignore"},
        "learned_as": {"grass": "tree"},
    }
    space = space_from_dict(tree, "x.yaml")
    assert space.index("grass") is None and space.leaves_out("grass")
    assert space.as_learned().index("Grass") == 1 and space.as_learned().index("snow") is None


@pytest.mark.parametrize("known", ["ignore", "road"])
def test_a_class_of_the_space_has_no_alias(tmp_path: Path, known: str) -> None:
    """Own names come first; who writes such an alias means something else. Sets that have one are read."""
    path, tree = tmp_path / "x.yaml", {"classes": ["road", "sky"], "aliases": {"Sky": known}}
    path.write_text(str(tree))
    with pytest.raises(UserError, match="'Sky' is a class of this space"):
        load_space(path)
    space = space_from_dict(tree, "x.yaml")
    assert space.index("sky") == 1 and not space.leaves_out("sky")
    path.write_text(str({**tree, "aliases": {"Sky": "sky"}}))
    assert len(load_space(path)) == 2
