"""Selection on sets where the right choice is known, and what is written."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simteacher.data import open_dataset
from simteacher.errors import UserError
from simteacher.inputs import choose_labelled, training_split
from simteacher.select import select
from simteacher.selection import Look, choose, explain, look, scores
from tests import lookalikes
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


def test_a_typical_photograph_comes_before_one_like_no_other() -> None:
    """Five of one street; three scattered far away, as doubtful as they are."""
    looks = [a_look([0.5, 0.5], 0.5, x) for x in (0.0, 0.2, 0.4, 0.6, 0.8, 40.0, 80.0, 120.0)]
    assert choose(looks, 1)[0][0] < 5, "of the street"
    assert choose(looks, 2)[1][0] in (5, 6, 7), "then another place"


def test_greedy_covers_nearly_as_well_as_the_best_of_all_choices() -> None:
    """Against every pair of twelve photographs; greedy is at least 1 - 1/e as good (Nemhauser et al., 1978)."""
    draw = np.random.default_rng(5)
    looks = [a_look([0.5, 0.5], float(draw.uniform()), float(draw.uniform(0, 9))) for _ in range(12)]
    place = np.array([x.layout[0] for x in looks])
    apart = np.abs(place[:, None] - place[None])
    unit = np.median(apart[np.triu_indices(12, 1)])
    similar, weight = np.maximum(1 - apart / (2 * unit), 0), 1 + np.sum(scores(looks), 0)

    def worth(pair: tuple[int, ...]) -> float:
        return float((weight * similar[list(pair)].max(0)).sum())

    best = max(worth(pair) for pair in combinations(range(12), 2))
    found = worth(tuple(index for index, _ in choose(looks, 2)))
    assert (1 - 1 / np.e) * best <= found <= best + 1e-9


def test_a_budget_over_the_set_takes_everything_once() -> None:
    looks = [a_look([0.5, 0.5], 0.1, float(n)) for n in range(4)]
    assert sorted(index for index, _ in choose(looks, 9)) == [0, 1, 2, 3]


def test_reasons_are_in_words() -> None:
    from simteacher.data import Frame

    looks = [a_look([1.0, 0.0], 0.1, n) for n in range(9)] + [a_look([0.6, 0.4], 0.8, 50.0)]
    frames = [Frame(f"f{n}", Path(f"f{n}.png")) for n in range(10)]
    first, second = explain(frames, looks, [(9, 2.0), (4, 3.0)], ("road", "bicyclist"))
    assert first.frame.name == "f9" and first.rank == 1
    assert not any("stands for" in r for r in first.reasons), "none of the others is near it"
    assert second.covers == 0.9 and second.reasons[0].startswith("stands for 90% of the set")
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


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for n in range(3):
        Image.fromarray(blocks(n)[0]).save(tmp_path / "photos" / f"p{n}.png")
    with pytest.raises(UserError, match="holds other files"):
        select(stub_loaded(tmp_path), tmp_path / "photos", budget=1, out=tmp_path / "photos")
    names = select(stub_loaded(tmp_path), tmp_path / "photos", budget=1, out=tmp_path / "chosen")
    assert select(stub_loaded(tmp_path), tmp_path / "photos", budget=1, out=tmp_path / "chosen") == names
    before = names.read_text()
    with pytest.raises(UserError, match="lists other photographs"):
        select(stub_loaded(tmp_path), tmp_path / "photos", budget=1, labelled=names, out=tmp_path / "chosen")
    assert names.read_text() == before


def test_nothing_left_to_choose_from_is_said(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(blocks(0)[0]).save(tmp_path / "photos" / "a.png")
    (tmp_path / "names.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(UserError, match="every photograph has a label already"):
        select(
            stub_loaded(tmp_path), tmp_path / "photos", budget=1, labelled=tmp_path / "names.txt", out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_it_chooses_from_what_adapt_trains_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of photographs to measure on would be refused there."""
    model, made = stub_loaded(tmp_path), lookalikes.camvid(tmp_path / "camvid", 12)
    train = training_split(made.spec, None)
    names = select(model, made.spec, budget=99, out=tmp_path / "a").read_text().split()
    assert sorted(names) == sorted(f.name for f in train.frames) and len(names) < len(open_dataset(made.spec))
    assert f"{len(names)} of {len(names)} photographs of train" in capsys.readouterr().err
    assert len(choose_labelled(train, str(tmp_path / "a/names.txt"), 1)) == len(train)
    every = select(model, made.spec, budget=99, split="all", out=tmp_path / "b").read_text().split()
    assert len(every) == len(open_dataset(made.spec))
    for call in (
        lambda: choose_labelled(train, str(tmp_path / "b/names.txt"), 1),
        lambda: select(model, made.spec, budget=1, labelled=tmp_path / "b/names.txt", out=tmp_path / "c"),
    ):
        with pytest.raises(UserError, match="is in another split of the set than the one to train on"):
            call()
