"""ProDA's weights against its formula, prototypes pixel by pixel, and pseudo-labels that are made with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax

from simteacher.config import PseudoLabels
from simteacher.data.open import open_dataset
from simteacher.data.sample import DataSet
from simteacher.errors import UserError
from simteacher.models.store import Model, ModelCard
from simteacher.precision import autocast
from simteacher.prototypes import Prototypes, Weighed, log_weights, make_prototypes, weighed
from simteacher.pseudo import label_dataset, look
from tests.lookalikes.streets import photo, save
from tests.stub_model import StubModel
from tests.tiny import BUDGET, SPACE, network

K = len(SPACE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Values by chance, scores spread so that it is sure of something."""
    net = network().eval()
    with torch.no_grad():
        for p in net.head.parameters():  # type: ignore[union-attr]
            p.mul_(8)
    return Model(ModelCard({}, SPACE, BUDGET.size), net, tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(4):
        save(root / f"p{i}.png", photo(rng, (64, 48)))
    return open_dataset(root)


def test_weights_by_hand() -> None:
    """``softmax(-(d - min d) / tau)``; the third class has no prototype."""
    rng = np.random.default_rng(0)
    feature, mean = rng.random((2, 5, 3, 4)), rng.random((4, 5))
    mean[2] = np.nan
    made = log_weights(torch.tensor(feature).float(), Prototypes(torch.tensor(mean).float(), 0.5), 0.7)
    for b, y, x in np.ndindex(2, 3, 4):
        d = np.array([np.linalg.norm(feature[b, :, y, x] - mean[k]) / 0.5 for k in range(4)])
        d[2] = d[[0, 1, 3]].mean()
        np.testing.assert_allclose(made[b, :, y, x].exp(), softmax(-(d - d.min()) / 0.7), rtol=1e-4)


def _inside(model: Model, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Features at the primary head and class scores, from the network's parts."""
    net: Any = model.network
    x = (image - net.mean_C11) / net.std_C11
    with torch.no_grad(), autocast("cpu"):
        feature = net.decoder(net.encoder(torch.nn.functional.pad(x, (0, 0, 0, 16), mode="replicate")))
    return feature.float(), model.logits(image)


def _tensor(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None].float() / 255


def test_prototypes_are_the_means_of_sure_pixels(model: Model, photographs: DataSet) -> None:
    threshold = 0.3
    found: dict[int, list[np.ndarray]] = {k: [] for k in range(K)}
    for frame in photographs.frames:
        feature, scores = _inside(model, _tensor(frame.image))
        p = torch.nn.functional.pad(scores, (0, 0, 0, 16), mode="replicate").softmax(1)[0].numpy()
        h, w = feature.shape[-2:]
        sy, sx = p.shape[1] // h, p.shape[2] // w
        for y, x in np.ndindex(h, w):
            cell = p[:, sy * y : sy * (y + 1), sx * x : sx * (x + 1)].mean((1, 2))
            if cell.max() >= threshold:
                found[int(cell.argmax())].append(feature[0, :, y, x].double().numpy())
    made = make_prototypes(model, photographs, threshold)
    spreads = []
    for k, pixels in found.items():
        if not pixels:
            assert made.mean_KC[k].isnan().all()
            continue
        mean = np.mean(pixels, 0)
        np.testing.assert_allclose(made.mean_KC[k], mean, rtol=1e-3, atol=1e-5)
        spreads.append(np.sqrt(np.mean(np.sum((np.array(pixels) - mean) ** 2, 1))))
    assert len(spreads) > 1 and made.spread == pytest.approx(np.mean(spreads), rel=1e-3)


def test_probabilities_are_weighed_and_sum_to_one(model: Model, photographs: DataSet) -> None:
    made, image = make_prototypes(model, photographs, 0.2), _tensor(photographs.frames[1].image)
    feature, scores = _inside(model, image)
    weights = torch.nn.functional.interpolate(log_weights(feature, made, 1.0), (64, 64), mode="bilinear")[:, :, :48]
    expected = scores.softmax(1) * weights.exp()
    expected = expected / expected.sum(1, keepdim=True)
    ours = Weighed(model, made, 1.0).logits(image).softmax(1)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
    assert (ours - scores.softmax(1)).abs().max() > 0.01
    indifferent = Weighed(model, made, 1e6).logits(image).softmax(1)
    torch.testing.assert_close(indifferent, scores.softmax(1), rtol=1e-3, atol=1e-4)


def test_labels_are_made_with_them_also_when_stopped(
    model: Model, photographs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = PseudoLabels(views=1, prototypes=1.0, threshold=0.2)
    label_dataset(model, photographs, tmp_path / "whole", how, 1.0, {"kind": "test"})
    reader = weighed(model, photographs, tmp_path / "own", 1.0, 0.2)
    calls, original = 0, Weighed.logits

    def stop(self: Weighed, image: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return original(self, image)

    monkeypatch.setattr(Weighed, "logits", stop)
    with pytest.raises(KeyboardInterrupt):
        label_dataset(model, photographs, tmp_path / "out", how, 1.0, {"kind": "test"})
    monkeypatch.setattr("simteacher.prototypes.make_prototypes", lambda *_: pytest.fail("they were kept"))
    label_dataset(model, photographs, tmp_path / "out", how, 1.0, {"kind": "test"})
    for frame in photographs.frames:
        label, _ = look(reader, np.asarray(Image.open(frame.image)), 1, "mean")
        for folder in ("whole", "out"):
            kept = np.asarray(Image.open(tmp_path / folder / "labels" / f"{frame.name}.png"))
            assert np.array_equal(kept, label)
    assert not (tmp_path / "out" / ".raw").exists()


def test_what_cannot_have_prototypes_is_told(model: Model, photographs: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hides them"):
        weighed(StubModel(), photographs, tmp_path, 1.0, 0.6)
    with pytest.raises(UserError, match="nowhere surer than 2"):
        weighed(model, photographs, tmp_path, 1.0, 2)
