"""Labelling in shares, by jobs that write to one folder: the same files as in one go."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from simteacher import pseudo as module
from simteacher.data.open import open_dataset
from simteacher.errors import UserError
from simteacher.files import alone, part_of
from tests.lookalikes.streets import photo, save
from tests.stub_model import stub_loaded


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five pictures, and a model under any name."""
    for i in range(5):
        save(tmp_path / f"photos/p{i}.png", photo(np.random.default_rng(i), (64, 48)))
    loaded = stub_loaded(tmp_path)
    monkeypatch.setattr("simteacher.models.store.load", lambda _: loaded)
    return tmp_path / "photos"


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_shares_make_the_same_set(photographs: Path, tmp_path: Path) -> None:
    whole = module.label("any", str(photographs), tmp_path / "whole", portion=0.5)
    out = tmp_path / "shared"
    for part, there in (("2/2", ["p1", "p3"]), ("1/2", ["p0", "p1", "p2", "p3", "p4"])):
        assert module.label("any", str(photographs), out, portion=0.5, part=part) == {}
        assert sorted(p.stem for p in (out / ".raw").iterdir()) == there
    assert module.label("any", str(photographs), out, portion=0.5) == whole
    assert content(out) == content(tmp_path / "whole")
    assert len(open_dataset(out)) == 5


def test_a_share_reads_on_after_a_damaged_photograph_and_a_call_for_all_takes_what_was_read(
    photographs: Path, tmp_path: Path
) -> None:
    damaged, out = photographs / "p0.png", tmp_path / "out"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:300])
    with pytest.raises(UserError) as caught:
        module.label("any", str(photographs), out, part="1/2")
    assert caught.value.where == str(damaged)
    assert sorted(p.stem for p in (out / ".raw").iterdir()) == ["p2", "p4"]
    damaged.write_bytes(whole)
    assert module.label("any", str(photographs), out) == module.label("any", str(photographs), tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


def test_a_share_of_another_labelling_is_refused(photographs: Path, tmp_path: Path) -> None:
    module.label("any", str(photographs), tmp_path / "out", portion=0.5, part="1/2")
    with pytest.raises(UserError, match=r"portion was 0.5, now 0.6"):
        module.label("any", str(photographs), tmp_path / "out", portion=0.6, part="2/2")


def test_the_same_photographs_may_be_spelt_otherwise(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = module.label("any", str(photographs), tmp_path / "out")
    before = content(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    assert module.label("any", "photos", "out") == told
    assert content(tmp_path / "out") == before, "records stay in the words that they began in"
    save(tmp_path / "others/p0.png", photo(np.random.default_rng(9), (64, 48)))
    with pytest.raises(UserError, match="holds another data set"):
        module.label("any", "others", "out")


def test_one_is_inside_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def visit(number: int) -> None:
        with alone(tmp_path / "set"):
            inside.append(number)
            most.append(len(inside))
            threading.Event().wait(0.02)
            inside.remove(number)

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


@pytest.mark.parametrize(("text", "part"), [("1/1", (0, 1)), ("2/4", (1, 4)), ("4/4", (3, 4))])
def test_shares_count_from_one(text: str, part: tuple[int, int]) -> None:
    assert part_of(text) == part
