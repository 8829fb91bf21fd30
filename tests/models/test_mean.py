"""Means of weights: by hand, and what stays as it is."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from simteacher.config import Network
from simteacher.labels import SPACES
from simteacher.models.mean import lean_back, mean_weights
from simteacher.models.start import knows
from simteacher.models.store import ModelCard, save_model
from tests import tiny


def test_a_mean_by_hand_of_what_the_parts_have() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([4.0]), "n": torch.tensor(7)}
    two = {"a": torch.tensor([5.0, 0.0]), "b": torch.tensor([1.0, 1.0]), "n": torch.tensor(9)}  # b has another shape
    found = mean_weights([(one, 3.0), (two, 1.0)])
    assert found["a"].tolist() == [2.0, 1.5] and found["b"].tolist() == [4.0] and found["n"].item() == 7


@pytest.mark.parametrize("keep", [0.0, 0.25])
def test_leaning_back_goes_part_of_the_way_to_the_start(keep: float) -> None:
    network = tiny.network(seed=1)
    begun = {k: v.clone() for k, v in tiny.network(seed=2).state_dict().items()}
    trained = copy.deepcopy(network.state_dict())
    lean_back(network, begun, keep)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (1 - keep) * trained[name] + keep * begun[name], msg=name)
        else:
            assert torch.equal(value, trained[name])


def test_only_a_model_of_all_the_classes_knows_them(tmp_path: Path) -> None:
    def weights(space: str) -> str:
        made = SPACES[space]
        card = ModelCard(Network(**tiny.NETWORK).model_dump(), made, (64, 48))
        save_model(tmp_path / space, tiny.network(len(made)), card)
        return str(tmp_path / space)

    def known(start: str, space: str) -> bool:
        return knows(Network(**{**tiny.NETWORK, "weights": start}), SPACES[space])

    fine, coarse = weights("cityscapes19"), weights("camvid11")
    assert known(fine, "cityscapes19") and known(fine, "camvid11") and known(coarse, "camvid11")
    assert not known(coarse, "cityscapes19")  # of trucks and trains it has no score
    assert not known("none", "camvid11") and not known("imagenet", "camvid11")
