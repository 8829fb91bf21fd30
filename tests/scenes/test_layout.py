"""Streets laid out as in photographs: what is found is what was put there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.scenes import layout
from simteacher.scenes.classes import CLASS_ID, CLASSES
from simteacher.scenes.layout import BANDS, GROUPS, Knob, Worlds, draw_worlds, knobs_from, weigh
from simteacher.scenes.like import lens_view
from simteacher.scenes.spec import SceneSpec

LANES: Knob = ("street", "lanes")
PEOPLE: Knob = ("objects", "people")
PARKED: Knob = ("objects", "parked")
TREES: Knob = ("objects", "trees")


def test_shares_of_a_picture_by_hand() -> None:
    """Sky, then half building and half nothing, then road with a bus and a car, which are one group."""
    picture = np.full((6, 4), 255, np.uint8)
    picture[:2], picture[2:4, :2], picture[4:] = CLASS_ID["sky"], CLASS_ID["building"], CLASS_ID["road"]
    picture[4, 0], picture[4, 1] = CLASS_ID["bus"], CLASS_ID["car"]
    found = layout.layout(picture, CLASSES).reshape(BANDS, len(GROUPS))
    names = list(GROUPS)
    assert found[0, names.index("sky")] == 1 and found[0].sum() == 1
    assert found[1, names.index("building")] == 0.5 and found[1].sum() == 0.5
    assert found[2, names.index("vehicles")] == 0.25 and found[2, names.index("road")] == 0.75


def test_weights_are_those_of_the_formula() -> None:
    """Two kinds of worlds, one feature: the loss as its definition has it, at every point of a fine grid."""
    kinds = ["1", "2"] * 20
    feature_N1 = np.array([[0.2], [0.6]] * 20)
    w_N = weigh(Worlds(feature_N1, {LANES: kinds}), np.array([0.55]))
    t = np.linspace(0, 10, 200_001)  # of "2", and -t of "1"
    share = np.exp(t) / (np.exp(t) + np.exp(-t))
    loss = ((0.2 * (1 - share) + 0.6 * share - 0.55) / 0.2) ** 2 + layout.RIDGE * 2 * t**2
    assert w_N[1::2].sum() == pytest.approx(share[loss.argmin()], abs=1e-3)


def test_only_what_the_layout_speaks_about_moves() -> None:
    """People of the worlds decide one feature, their trees nothing; answers lie within the scene file's ranges."""
    g = np.random.default_rng(0)
    people, parked, trees = g.uniform(0, 1, (3, 600))
    seen = np.stack([0.02 * people, 0.1 * parked, g.normal(0.5, 0.1, 600), np.zeros(600)], 1)
    worlds = Worlds(seen, {PEOPLE: list(people), PARKED: list(parked), TREES: list(trees)})
    wanted = np.array([0.02 * 0.8, 0.1 * 0.3, seen[:, 2].mean(), 0.0])
    found = knobs_from(worlds, weigh(worlds, wanted), SceneSpec())
    low, high = found[PEOPLE]
    assert 0 <= low < high <= 1 and (low + high) / 2 == pytest.approx(0.8, abs=0.05)
    assert found[PARKED] == pytest.approx(0.3, abs=0.05)
    assert sum(found[TREES]) / 2 == pytest.approx(0.5, abs=0.05) and found[TREES][1] - found[TREES][0] > 0.85


def test_photographs_of_something_else_leave_variety() -> None:
    """A forest: no world is like it, and a tenth of the worlds is a little more like it than the others."""
    seen = np.full((200, 2), 0.1) + np.random.default_rng(0).normal(0, 0.001, (200, 2))
    kinds = ["1" if i % 10 == 0 else "2" for i in range(200)]
    seen[::10] += 0.05
    w_N = weigh(Worlds(seen, {LANES: kinds}), np.array([0.9, 0.9]))
    assert layout.EVEN <= 1 / (w_N @ w_N) / 200 < 0.5
    assert w_N[::10].sum() > 0.2


def test_what_a_scene_file_says_is_not_sought() -> None:
    """Its own tables and ranges are decisions."""
    free = layout.free_knobs({"street": {"lanes": "2"}, "objects": None, "labels": "exact"})
    assert LANES not in free and {PEOPLE, ("street", "kinds")} < set(free)


def test_the_same_streets_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs that are other worlds: of shopping streets, crowded and empty, and of country roads."""
    monkeypatch.setattr(layout, "WORLDS", 96)
    size = (64, 48)
    knobs: list[Knob] = [("street", "kinds"), PEOPLE]
    spec = SceneSpec.model_validate({"street": {"kinds": {"shopping": 1, "country": 1}}, "objects": {"guests": 0}})
    worlds = draw_worlds(spec, size, knobs)
    monkeypatch.setattr(layout, "WORLDS", 20)
    monkeypatch.setattr(layout, "SEED", 5)
    people = {}
    for kind, busy in (("shopping", 1.0), ("shopping", 0.0), ("country", 0.5)):
        truth = layout.with_knobs(spec, {knobs[0]: {kind: 1.0}, PEOPLE: (busy, busy)})
        found = knobs_from(worlds, weigh(worlds, draw_worlds(truth, size, ()).layout_NF.mean(0)), spec)
        assert found[knobs[0]][kind] > 0.7
        people[busy] = sum(found[PEOPLE]) / 2
    assert people[1.0] > people[0.0] + 0.1


def test_a_lens_that_the_file_tells(tmp_path: Path) -> None:
    """28 mm on film of 36 x 24 mm see 65.5 degrees across; pictures of another shape share the diagonal."""
    path = tmp_path / "a.jpg"
    for size, focal, view in (((300, 200), 28, 65.47), ((200, 300), 28, 46.4), ((300, 200), 0, None)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = focal
        Image.new("RGB", size).save(path, exif=exif)
        assert lens_view(path) == (None if view is None else pytest.approx(view, abs=0.2))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405], exif[0x0112] = 28, 6  # shown turned by 90 degrees
    Image.new("RGB", (300, 200)).save(path, exif=exif)
    assert lens_view(path) == pytest.approx(46.4, abs=0.2)
    Image.new("RGB", (30, 20)).save(path)
    assert lens_view(path) is None
    path.write_bytes(b"no picture")
    assert lens_view(path) is None
