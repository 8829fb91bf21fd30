"""Two-level alignment: the binary cross-entropies of the papers, and who learns from which of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from simteacher.models.discriminator import output_discriminator
from simteacher.objectives.adversarial import discriminate, domain_loss, fool
from tests.tiny import state

K = 3


@pytest.fixture
def judges() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {head: nn.Sequential(*output_discriminator(K, width=4)) for head in ("main", "aux")}  # in float32


def _logits(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {h: torch.randn(2, K, 64, 128, generator=generator, requires_grad=True) for h in ("main", "aux")}


def _maps(logits: torch.Tensor, entropy: bool) -> torch.Tensor:
    p = softmax(logits.detach().double().numpy(), axis=1)
    maps = -p * np.log2(p) / np.log2(K) if entropy else p
    return torch.from_numpy(maps.reshape(2, K, 32, 2, 64, 2).mean((3, 5))).float()  # half the size


def _bce(score: torch.Tensor, source: bool) -> float:
    x = score.detach().double().numpy() * (1 if source else -1)
    return float(np.log1p(np.exp(-x)).mean())


def test_domain_loss_is_log_one_plus_exp() -> None:
    score = torch.randn(2, 1, 3, 4) * 4
    for source in (True, False):
        assert domain_loss(score, source).item() == pytest.approx(_bce(score, source), rel=1e-5)


@pytest.mark.parametrize("entropy", [False, True])
def test_the_network_wants_to_pass_as_source(judges: dict[str, nn.Module], entropy: bool) -> None:
    made = state(None, None, judges, adversarial=0.001, adversarial_aux=0.0002, entropy_maps=entropy)
    target = _logits(1)
    losses = fool(made, target)
    for head, weight in (("main", 0.001), ("aux", 0.0002)):
        expected = weight * _bce(judges[head](_maps(target[head], entropy)), True)
        assert losses[f"adversarial_{head}"].item() == pytest.approx(expected, rel=1e-4)
    torch.stack(list(losses.values())).sum().backward()
    assert all(t.grad is not None and t.grad.any() for t in target.values())
    assert not any(p.grad is not None for j in judges.values() for p in j.parameters()), "the judge learnt to be fooled"


@pytest.mark.parametrize("entropy", [False, True])
def test_the_judges_tell_the_domains_apart(judges: dict[str, nn.Module], entropy: bool) -> None:
    made = state(None, None, judges, adversarial=0.001, adversarial_aux=0.0002, entropy_maps=entropy)
    source, target = _logits(0), _logits(1)
    fool(made, target)  # must not leave them frozen
    losses = discriminate(made, source, target)
    for head in ("main", "aux"):
        real, fake = (judges[head](_maps(x[head], entropy)) for x in (source, target))
        expected = (_bce(real, True) + _bce(fake, False)) / 2
        assert losses[f"discriminator_{head}"].item() == pytest.approx(expected, rel=1e-4)
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for j in judges.values() for p in j.parameters())
    assert not any(t.grad is not None for t in (*source.values(), *target.values())), "the network learnt to be judged"


def test_a_judge_learns_to_tell_maps_that_differ(judges: dict[str, nn.Module]) -> None:
    made = state(None, None, {"main": judges["main"]}, adversarial=0.001)
    source, target = {"main": torch.zeros(2, K, 32, 64)}, {"main": torch.zeros(2, K, 32, 64)}
    source["main"][:, 0], target["main"][:, 1] = 5.0, 5.0
    optimiser = torch.optim.Adam(judges["main"].parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = discriminate(made, source, target)["discriminator_main"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(2), abs=0.1) and losses[-1] < 0.1


def test_weights_of_zero_ask_for_no_judge() -> None:
    assert fool(state(None), {}) == {} and discriminate(state(None), {}, {}) == {}
