"""Models on disk: what is written is what is read, by every path that the contract names; damage is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.labels import LabelSpace
from simteacher.models.store import Model, ModelCard, copy_model, load, read_card, save_model, weights_print
from simteacher.precision import autocast
from tests.tiny import NETWORK, SPACE, Fixed, network


def _card(**changes: Any) -> ModelCard:
    card = ModelCard(Network(**NETWORK).model_dump(), SPACE, (64, 48), {"mean": [0.5], "std": [0.1]}, {"seed": 3})
    return replace(card, **changes)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a stage and final weights."""
    for folder in (tmp_path / "run", tmp_path / "run" / "teacher"):
        save_model(folder, network(), _card())
    return tmp_path / "run"


def test_every_path_of_the_contract_leads_to_the_same_scores(run: Path) -> None:
    image = torch.rand(1, 3, 40, 60)
    expected = network().eval()
    with torch.inference_mode(), autocast("cpu"):
        main, _ = expected(image)
    for path in (run, run / "teacher", run / "model.safetensors", str(run)):
        model = load(path)
        assert model.path.name == "model.safetensors" and model.card == _card()
        torch.testing.assert_close(model.logits(image), main.float(), rtol=0.02, atol=0.02)


def test_a_copy_has_the_new_card_beside_it_and_inside_and_the_same_tensors(run: Path, tmp_path: Path) -> None:
    said = _card(extra={"stage": "teacher", "ä": "\u2026" * 7})
    copy_model(run / "teacher" / "model.safetensors", tmp_path / "copy", said)
    (tmp_path / "copy" / "model.safetensors").rename(tmp_path / "alone.safetensors")
    assert read_card(tmp_path / "alone.safetensors") == said
    assert (tmp_path / "copy" / "model.json").read_text() == said.to_json()
    save_model(tmp_path / "saved", network(), said)
    ours, theirs = load_file(tmp_path / "alone.safetensors"), load_file(tmp_path / "saved" / "model.safetensors")
    assert ours.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in ours.items())
    assert all(v.data_ptr() % v.element_size() == 0 for v in ours.values())
    (run / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        copy_model(run / "model.safetensors", tmp_path / "other", said)


def test_a_model_has_one_fingerprint_wherever_it_lies_until_it_changes(run: Path, tmp_path: Path) -> None:
    first = weights_print(run)
    assert weights_print(run / "teacher") == weights_print(run / "model.safetensors") == first
    of_others = [_card(trained_on={"source": "x"}), _card(network={**_card().network, "weights": "elsewhere"})]
    for card in of_others:
        save_model(tmp_path / "again", network(), card)
        assert weights_print(tmp_path / "again") == first
    save_model(tmp_path / "other", network(), _card(views=1))
    assert weights_print(tmp_path / "other") != first
    tensors = load_file(run / "model.safetensors")
    next(v for v in tensors.values() if v.is_floating_point()).view(-1)[0] += 1
    save_file(tensors, run / "model.safetensors")
    assert weights_print(run) != first
    with pytest.raises(UserError, match="no such model"):
        weights_print(tmp_path / "nowhere")


def test_a_card_says_in_how_many_views_its_model_reads(tmp_path: Path) -> None:
    """Cards of before say nothing and mean three; no card can ask for what is not there."""
    assert ModelCard.from_json(_card(views=2).to_json(), "here").views == 2
    old = json.loads(_card(views=1).to_json())
    for said, meant in ((None, 3), (0, 1), (9, 3)):
        tree = {k: v for k, v in old.items() if k != "views"} | ({} if said is None else {"views": said})
        assert ModelCard.from_json(json.dumps(tree), "here").views == meant
    one = Model(_card(views=1), Fixed(torch.randn(1, 11, 48, 64)), tmp_path)  # knows no closer view
    image = np.zeros((48, 64, 3), np.uint8)
    assert np.array_equal(one.predict(image).confidence_HW, one.predict(image, views=1).confidence_HW)


def test_weights_are_written_to_the_bit(run: Path) -> None:
    own, kept = network().state_dict(), load_file(run / "model.safetensors")
    assert kept.keys() == own.keys() and all(torch.equal(own[k], kept[k]) for k in own)


def test_scores_are_the_primary_heads(tmp_path: Path) -> None:
    main, aux = torch.randn(1, 11, 48, 64), torch.randn(1, 11, 12, 16)
    model = Model(_card(), Fixed(main, aux), tmp_path)
    torch.testing.assert_close(model.logits(torch.rand(1, 3, 48, 64)), main)
    seen = model.predict(np.zeros((48, 64, 3), np.uint8), views=1)
    assert np.array_equal(seen.label_HW, main[0].argmax(0).numpy())
    np.testing.assert_allclose(seen.confidence_HW, main[0].softmax(0).amax(0), rtol=1e-5)


def test_a_card_survives_json() -> None:
    space = LabelSpace("own", ("a", "b"), ((1, 2, 3), (4, 5, 6)), {"c": "a", "d": "ignore"})
    card = _card(space=space, miou={"data": "x", "miou": 0.5}, extra={"k": [1]})
    assert ModelCard.from_json(card.to_json(), "here") == card


def test_weights_alone_carry_their_card(run: Path, tmp_path: Path) -> None:
    (run / "model.safetensors").rename(tmp_path / "alone.safetensors")
    assert load(tmp_path / "alone.safetensors").card == _card()


def test_the_weights_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They mark a stage as complete: stopped before them, there must be none."""
    from simteacher.models import store

    def stop(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        save_model(tmp_path, network(), _card())
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]


def _say(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(path)
    assert caught.value.fix and caught.value.where
    return str(caught.value)


def test_absent_and_unfinished(tmp_path: Path) -> None:
    assert "no such model" in _say(tmp_path / "nothing")
    assert "holds no model.safetensors" in _say(tmp_path)


def test_damaged_weights(run: Path) -> None:
    file = run / "model.safetensors"
    whole = file.read_bytes()
    for content in (whole[:1000], b"PK\x03\x04", b""):
        file.write_bytes(content)
        said = _say(run)
        assert "not a readable safetensors file" in said and str(file) in said


def test_weights_of_another_network(run: Path) -> None:
    card = json.loads((run / "model.json").read_text())
    card["space"]["classes"], card["space"]["colors"] = card["space"]["classes"][:4], card["space"]["colors"][:4]
    (run / "model.json").write_text(json.dumps(card))
    assert "belong to another network" in _say(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"space": 3}'])
def test_what_is_no_card(run: Path, text: str) -> None:
    (run / "model.json").write_text(text)
    said = _say(run)
    assert "not a model card" in said and "model.json" in said


def test_a_card_of_a_network_that_cannot_be(run: Path) -> None:
    card = json.loads((run / "model.json").read_text())
    card["network"]["encodr"] = 1
    (run / "model.json").write_text(json.dumps(card))
    assert "network section is not valid" in _say(run)


def test_foreign_weights_without_a_card(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "x.safetensors")
    assert "no model.json beside it" in _say(tmp_path / "x.safetensors")
    (tmp_path / "x.onnx").write_bytes(b"nonsense")
    assert "not a readable ONNX model" in _say(tmp_path / "x.onnx")
