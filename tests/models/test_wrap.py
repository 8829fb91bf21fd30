"""A network of one's own: what it may answer, what is refused, and a whole run with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import simteacher
from simteacher import UserError
from simteacher.models import wrap
from simteacher.models.prior import tilt
from simteacher.models.wrap import make
from tests import lookalikes, tiny


class Mine(nn.Module):
    """A stride-2 network that answers in one of the accepted ways."""

    def __init__(self, classes: int, answer: str = "one") -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, classes, 1))
        self.answer = answer

    def forward(self, x: Tensor) -> Any:
        y = self.body(x)
        return {"one": y, "two": (y, 2 * y), "out": {"out": y}, "aux": {"out": y, "aux": 2 * y}}[self.answer]


@pytest.mark.parametrize(("answer", "factor"), [("one", 1), ("two", 2), ("out", 1), ("aux", 2)])
def test_answers_become_two_heads_at_the_images_size(answer: str, factor: int) -> None:
    mine = Mine(5, answer)
    network = wrap(mine, 5, mean=(0, 0, 0), std=(1, 1, 1)).eval()
    image = torch.rand(2, 3, 64, 96)
    raw = mine.body(image)
    main, aux = network(image)
    torch.testing.assert_close(main, F.interpolate(raw, size=(64, 96), mode="bilinear"))
    torch.testing.assert_close(aux, factor * F.interpolate(raw, size=(16, 24), mode="bilinear"))
    assert [x.shape[2:] for x in network(image[..., :37, :51])] == [(37, 51), (10, 13)]


def test_the_tilt_of_weighted_classes_is_taken_from_the_primary_scores() -> None:
    network, image = wrap(Mine(3, "two"), 3).eval(), torch.rand(1, 3, 64, 64)
    (main, aux), weight = network(image), torch.tensor([0.5, 1.0, 4.0])
    assert tilt(network, weight, -1.0)
    moved, same = network(image)
    torch.testing.assert_close(main - moved, weight.log().view(1, 3, 1, 1).expand_as(main))
    torch.testing.assert_close(same, aux)
    old = {k: v for k, v in network.state_dict().items() if k != "bias_K"}  # saved before there was one
    fresh = wrap(Mine(3, "two"), 3).eval()
    fresh.load_state_dict(old)
    torch.testing.assert_close(fresh(image)[0], main)


def test_normalisation_is_inside() -> None:
    class Same(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    image = torch.rand(1, 3, 32, 32)
    main, _ = wrap(Same(), 3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.4, 0.2))(image)
    torch.testing.assert_close(main[0, 2], (image[0, 2] - 0.3) / 0.2)


@pytest.mark.parametrize(
    ("module", "said"),
    [(nn.Conv2d(3, 4, 1), "answers 4 and 4 classes, 5 are wanted"), (nn.Linear(7, 2), "fails on an image of 96x64")],
)
def test_what_does_not_fit_is_said(module: nn.Module, said: str) -> None:
    with pytest.raises(UserError, match=said):
        wrap(module, 5)


def test_a_function_without_return_is_said() -> None:
    with pytest.raises(UserError, match="the function returns NoneType, not a module"):
        make(lambda classes: None, 5)  # type: ignore[arg-type, return-value]


@pytest.mark.slow
def test_a_run_with_a_network_of_ones_own(tmp_path: Path) -> None:
    photos = lookalikes.camvid(tmp_path / "photos").spec
    recipe = tiny.recipe(tmp_path / "r.yaml", lookalikes.gta5(tmp_path / "gta5").spec, photos)
    run = simteacher.adapt(recipe, out=tmp_path / "run", network=Mine)
    with pytest.raises(UserError, match=r"a network of your own, made by .*Mine"):
        simteacher.load(run)
    for other in (None, lambda classes: nn.Conv2d(3, classes, 3, padding=1)):
        with pytest.raises(UserError, match=r"the network of one's own .* changed since this run started"):
            simteacher.adapt(recipe, out=tmp_path / "run", network=other)
    model = simteacher.load(run, network=Mine)
    assert isinstance(model.network.encoder, Mine)
    assert simteacher.evaluate(model, photos, split="val")["images"] > 0
