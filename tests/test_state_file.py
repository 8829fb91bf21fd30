"""Training state survives a file: tensors to the bit, numbers, keys that are numbers, nesting."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from simteacher.errors import UserError
from simteacher.files import PART
from simteacher.state_file import load_state, save_state


def test_round_trip_of_an_optimiser_to_the_bit(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, betas=(0.9, 0.98))
    for _ in range(3):
        layer(torch.rand(4, 3)).square().sum().backward()
        optimiser.step()
    before = optimiser.state_dict()
    save_state(tmp_path / "s.safetensors", {"step": 3, "optimiser": before})
    kept = load_state(tmp_path / "s.safetensors")
    assert kept["step"] == 3
    fresh = torch.optim.AdamW(layer.parameters(), lr=0.5)
    fresh.load_state_dict(kept["optimiser"])
    after = fresh.state_dict()
    assert after["state"].keys() == before["state"].keys() == {0, 1}
    for k, values in before["state"].items():
        for name, value in values.items():
            assert torch.equal(after["state"][k][name], value), name
    assert after["param_groups"][0]["lr"] == 0.1
    assert list(after["param_groups"][0]["betas"]) == [0.9, 0.98]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.uint8])
def test_types_and_odd_layouts(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.arange(48).reshape(2, 2, 3, 4).to(dtype)
    tree = {
        "plain": tensor,
        "channels last": tensor.to(memory_format=torch.channels_last),
        "part": tensor[:, 1],
        "empty": torch.zeros(0),
        "scalar": torch.tensor(2.5),
        "same twice": tensor,
        "other": [1, None, True, "x", 1.5e-300, {"deep": [{}]}],
    }
    save_state(tmp_path / "s.safetensors", tree)
    kept = load_state(tmp_path / "s.safetensors")
    assert kept.keys() == tree.keys() and kept["other"] == tree["other"]
    for name in ("plain", "channels last", "part", "empty", "scalar", "same twice"):
        assert kept[name].dtype == tree[name].dtype and torch.equal(kept[name], tree[name]), name
    assert kept["channels last"].stride() == tree["channels last"].stride() != kept["plain"].stride()


def test_a_fused_optimiser_of_a_channels_last_network_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    def build() -> tuple[torch.nn.Conv2d, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return layer, torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)

    def step(layer: torch.nn.Conv2d, optimiser: torch.optim.Optimizer, seed: int) -> None:
        image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        layer(image).square().mean().backward()
        optimiser.step()

    whole, parts = build(), build()
    for seed in range(4):
        step(*whole, seed)
        step(*parts, seed)
        save_state(tmp_path / "s.safetensors", {"layer": parts[0].state_dict(), "optimiser": parts[1].state_dict()})
        parts, kept = build(), load_state(tmp_path / "s.safetensors")
        parts[0].load_state_dict(kept["layer"])
        parts[1].load_state_dict(kept["optimiser"])
    assert torch.equal(whole[0].weight, parts[0].weight)


def test_a_saved_state_is_a_copy(tmp_path: Path) -> None:
    tensor = torch.zeros(3)
    save_state(tmp_path / "s.safetensors", {"t": tensor})
    tensor += 1
    assert load_state(tmp_path / "s.safetensors")["t"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("spoil", ["cut", "text", "other"])
def test_damage_is_the_users_to_mend(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "s.safetensors"
    save_state(path, {"t": torch.zeros(100)})
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif spoil == "text":
        path.write_text("hello")
    else:
        from safetensors.torch import save_file

        save_file({"t": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="not a readable training state") as caught:
        load_state(path)
    assert caught.value.where == str(path) and caught.value.fix


def test_an_interrupted_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.safetensors"
    save_state(path, {"step": 1})

    def stop(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    with pytest.raises(KeyboardInterrupt):
        save_state(path, {"step": 2})
    assert load_state(path) == {"step": 1}
    assert not list(tmp_path.glob(f"{PART}*"))
