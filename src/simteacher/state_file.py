"""Nested training state <-> one safetensors file. Loading runs no code; no half-written file has the final name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from simteacher.errors import UserError
from simteacher.files import atomic_write


def _flatten(tree: Any, prefix: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Replace tensors by references; everything else must be JSON."""
    if isinstance(tree, torch.Tensor):
        order = sorted(range(tree.ndim), key=lambda d: -tree.stride()[d])
        tensors[prefix] = tree.detach().cpu().permute(order).contiguous().clone()
        return {"__tensor__": prefix, "order": order}
    if isinstance(tree, dict):
        return {"__dict__": [[k, _flatten(v, f"{prefix}/{k}", tensors)] for k, v in tree.items()]}
    if isinstance(tree, (list, tuple)):
        return [_flatten(v, f"{prefix}/{i}", tensors) for i, v in enumerate(tree)]
    return tree


def _build(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, dict) and "__tensor__" in tree:
        tensor = tensors[tree["__tensor__"]]
        order = tree.get("order", range(tensor.ndim))
        # the order in memory comes back too: fused optimisers go through moments and weights side by side as they lie
        # there, and would take moments in another order than the (channels-last) weights without a word
        return tensor.permute([list(order).index(d) for d in range(tensor.ndim)])
    if isinstance(tree, dict):
        return {k: _build(v, tensors) for k, v in tree["__dict__"]}
    return [_build(v, tensors) for v in tree] if isinstance(tree, list) else tree


def save_state(path: Path, tree: dict[str, Any]) -> None:
    """Write a nested dict of tensors, numbers and strings."""
    tensors: dict[str, torch.Tensor] = {}
    shape = json.dumps(_flatten(tree, "", tensors))
    atomic_write(path, save(tensors, metadata={"tree": shape}))


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote.

    Raises:
        UserError: Damaged, or another file.
    """
    try:
        with safe_open(path, "pt") as f:
            tree = json.loads((f.metadata() or {})["tree"])
            loaded = _build(tree, {k: f.get_tensor(k) for k in f.keys()})  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, KeyError, ValueError) as e:
        raise UserError(
            f"not a readable training state ({type(e).__name__})", path, "delete it; the stage starts again"
        ) from e
    assert isinstance(loaded, dict)
    return loaded
