"""Selection on sets where the right choice is known, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.errors import UserError
from simteacher.select import select
from simteacher.selection import Look, choose, explain, look, scores
from tests.stub_model import StubModel, blocks, stub_loaded


def a_look(share: list[float], entropy: float = 0.1, layout: float = 0.0) -> Look:
    """A look with given class shares, doubt and place."""
    return Look(np.array(share), np.full(len(share), entropy), 0.0, np.array([layout, 0.0]))


def test_a_doubtful_photograph_comes_before_a_sure_one() -> None:
    looks = [a_look([0.5, 0.5], 0.1, 0.0), a_look([0.5, 0.5], 0.9, 0.0), a_look([0.5, 0.5], 0.2, 0.0)]
    assert choose(looks, 1)[0][0] == 1


def test_a_rare_class_comes_before_a_common_one() -> None:
    looks = [a_look([1.0, 0.0]) for _ in range(5)] + [a_look([0.7, 0.3])]
    assert scores(looks)[1].argmax() == 5
    assert choose(looks, 1)[0][0] == 5


def test_near_duplicates_are_not_taken_twice() -> None:
    """Three places; the first two photographs of each are the most doubtful, and nearly the same."""
    looks = [a_look([0.5, 0.5], 0.9 - 0.1 * place, 10.0 * place + 0.01 * n) for place in range(3) for n in range(3)]
    assert {index // 3 for index, _ in choose(looks, 3)} == {0, 1, 2}
    known = choose(looks, 2, known=[0])
    assert {index // 3 for index, _ in known} == {1, 2}, "what looks like a labelled one is left for last"


def test_a_budget_over_the_set_takes_everything_once() -> None:
    looks = [a_look([0.5, 0.5], 0.1, float(n)) for n in range(4)]
    assert sorted(index for index, _ in choose(looks, 9)) == [0, 1, 2, 3]


def test_reasons_are_in_words() -> None:
    from simteacher.data import Frame

    looks = [a_look([1.0, 0.0], 0.1, n) for n in range(9)] + [a_look([0.6, 0.4], 0.8, 50.0)]
    frames = [Frame(f"f{n}", Path(f"f{n}.png")) for n in range(10)]
    first = explain(frames, looks, choose(looks, 1), ("road", "bicyclist"))[0]
    assert first.frame.name == "f9" and first.rank == 1
    assert any("bicyclist (seen in 10% of the set)" in r for r in first.reasons)
    assert any(r.startswith("unsure of") for r in first.reasons)


def test_look_measures_shares_and_doubt() -> None:
    image, label = blocks(3)
    seen = look(StubModel(), image)
    np.testing.assert_allclose(seen.share_K, np.bincount(label.ravel(), minlength=3) / label.size, atol=0.01)
    grey = look(StubModel(), np.full_like(image, 128))
    assert np.nanmean(grey.entropy_K) > np.nanmean(seen.entropy_K)


def test_names_and_sheet(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for n in range(5):
        Image.fromarray(blocks(n)[0]).save(tmp_path / "photos" / f"p{n}.png")
    out = tmp_path / "chosen"
    names = select(stub_loaded(tmp_path), tmp_path / "photos", budget=2, out=out)
    chosen = names.read_text().split()
    assert len(set(chosen)) == 2 and set(chosen) <= {f"p{n}" for n in range(5)}
    sheet = (out / "index.html").read_text()
    assert all(name in sheet for name in chosen) and sheet.count("data:image/jpeg") == 6
    assert "http" not in sheet.replace("http-equiv", "")
    again = select(stub_loaded(tmp_path), tmp_path / "photos", budget=2, labelled=names, out=tmp_path / "next")
    assert not set(again.read_text().split()) & set(chosen)
    with pytest.raises(UserError, match="at least 1"):
        select(stub_loaded(tmp_path), tmp_path / "photos", budget=0, out=out)
