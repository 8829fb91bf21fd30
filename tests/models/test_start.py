"""Where a network starts: afresh, from a model of the same classes, of others, of none in common, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.labels import SPACES, LabelSpace
from simteacher.models.start import check_start, start
from simteacher.models.store import ModelCard, save_model
from simteacher.recipe_file import parse_set
from tests import tiny

CITYSCAPES, CAMVID = SPACES["cityscapes19"], SPACES["camvid11"]


def model(folder: Path, space: LabelSpace) -> tuple[Network, nn.Module]:
    """A tiny model on disk; the recipe's network that starts from it."""
    network = tiny.network(len(space), seed=5)
    save_model(folder, network, ModelCard(Network(**tiny.NETWORK).model_dump(), space, (64, 48)))
    return Network(**{**tiny.NETWORK, "weights": str(folder)}), network


def same(a: nn.Module, b: nn.Module, without: tuple[str, ...] = ()) -> None:
    theirs = b.state_dict()
    for name, value in a.state_dict().items():
        if not name.startswith(without):
            assert torch.equal(value, theirs[name]), name


def test_afresh() -> None:
    torch.manual_seed(0)
    same(start(Network(**tiny.NETWORK), CAMVID), tiny.network(len(CAMVID)))


def test_the_same_classes_are_the_same_weights_and_the_recipe_says_what_is_frozen(tmp_path: Path) -> None:
    spec, before = model(tmp_path, CAMVID)
    started = start(spec, CAMVID)
    same(started, before)
    assert isinstance(started.encoder, nn.Module)
    frozen = [p.requires_grad for p in started.encoder.parameters()]
    assert not all(frozen) and any(frozen)
    whole = start(spec.model_copy(update={"freeze": 0}), CAMVID)
    assert all(p.requires_grad for p in whole.parameters())


def test_other_classes_are_matched_by_name(tmp_path: Path) -> None:
    spec, before = model(tmp_path, CITYSCAPES)
    started = start(spec, CAMVID).eval()
    same(started, before, ("head", "aux_head.4", "merge"))
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = before.eval()(image)[1], started(image)[1]  # the auxiliary head, whose outlines are not learnt
    members = {"sky": ["sky"], "tree": ["vegetation", "terrain"], "bicyclist": ["rider", "motorcycle", "bicycle"]}
    for name, fine in members.items():
        rows = old[0, [CITYSCAPES.classes.index(f) for f in fine]]
        torch.testing.assert_close(new[0, CAMVID.classes.index(name)], rows.amax(0))


def test_no_class_in_common_takes_the_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, before = model(tmp_path, CAMVID)
    started = start(spec, tiny.space("xyz"))
    same(started, before, ("head", "aux_head.4"))
    assert started(torch.rand(1, 3, 64, 96))[0].shape[1] == 3
    assert "last layers new" in "".join(capsys.readouterr())


def test_weights_alone_must_be_of_this_very_network(tmp_path: Path) -> None:
    before = tiny.network(len(CAMVID), seed=5)
    save_file(before.state_dict(), tmp_path / "weights.safetensors")
    spec = Network(**{**tiny.NETWORK, "weights": str(tmp_path / "weights.safetensors")})
    same(start(spec, CAMVID), before)
    with pytest.raises(UserError, match="another network"):
        start(spec, CITYSCAPES)


def test_refused_before_anything_is_made(tmp_path: Path) -> None:
    spec, _ = model(tmp_path, CAMVID)
    with pytest.raises(UserError, match=r"another network.*decoder: fpn there, unet in the recipe"):
        check_start(spec.model_copy(update={"decoder": "unet"}))
    options = {**spec.decoder_options, "decoder_pyramid_channels": 64}
    with pytest.raises(UserError, match="another network") as caught:
        check_start(spec.model_copy(update={"decoder_options": options}))
    key, _, value = caught.value.fix.rpartition("--set ")[2].strip("'").partition("=")
    assert key == "network.decoder_options" and parse_set([f"{key}={value}"]) == {key: spec.decoder_options}
    with pytest.raises(UserError, match="no such model"):
        check_start(spec.model_copy(update={"weights": str(tmp_path / "nothing")}))
    assert check_start(Network(**tiny.NETWORK)) is None
