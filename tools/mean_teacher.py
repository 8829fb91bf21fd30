r"""Mean of the weights of teachers that went on from each other: ``python -m tools.mean_teacher NEWEST=3 OLDER=2``.

    python -m tools.mean_teacher runs/packed-a=2 runs/packed-b=2 src/simteacher/street=1 --data runs/other-streets

Each folder is what `tools/pack_teacher.py` writes. Such weights lie in one basin, where their mean reads better than
any of them (Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482). Batch-norm statistics are
averaged alike. What an older one lacks (learnt upsampling) is the mean of those that have it. The provenance is the
first one's, with the shares and what the others were made of besides.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save, save_file
from tools.pack_teacher import AGREE, FOLDER, WEIGHTS, compare
from torch import Tensor

from simteacher.errors import UserError
from simteacher.files import atomic_path, atomic_write
from simteacher.models.store import load, read_weights
from simteacher.precision import has_bf16


def mean_weights(parts: list[tuple[dict[str, Tensor], float]]) -> dict[str, Tensor]:
    """Weighted mean of weights by name, in float32; integers and names are the first one's.

    Args:
        parts: Weights and their share, each above 0.

    Returns:
        The first one's names, each with the mean over those parts that have it in the same shape.
    """
    out: dict[str, Tensor] = {}
    for name, first in parts[0][0].items():
        if not first.is_floating_point():
            out[name] = first
            continue
        found = [(w[name].float(), share) for w, share in parts if name in w and w[name].shape == first.shape]
        out[name] = torch.stack([w * share for w, share in found]).sum(0) / sum(share for _, share in found)
    return out


def mean_teacher(parts: list[tuple[Path, float]], data: str, out: Path = FOLDER) -> dict[str, Any]:
    """Write the mean of packed teachers, packed alike.

    Args:
        parts: Folders and shares; the first is the newest.
        data: Renders on which the stored form is compared with the unrounded mean.
        out: Where the package keeps it.

    Returns:
        As `pack_teacher.pack`.

    Raises:
        UserError: Rounding to bfloat16 changes too much.
    """
    told = [json.loads((folder / "provenance.json").read_text(encoding="utf-8")) for folder, _ in parts]
    card = load(parts[0][0]).card
    whole = mean_weights([(read_weights(folder / WEIGHTS), share) for folder, share in parts])
    content = save(
        {k: v.bfloat16() if v.is_floating_point() and v.ndim > 1 else v for k, v in whole.items()},
        metadata={"card": card.to_json()},
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("whole", "stored"):
            (Path(folder) / name).mkdir()
            (Path(folder) / name / "model.json").write_text(card.to_json(), encoding="utf-8")
        save_file(whole, Path(folder) / "whole" / WEIGHTS)
        (Path(folder) / "stored" / WEIGHTS).write_bytes(content)
        measured = compare(load(Path(folder) / "whole"), load(Path(folder) / "stored"), data)
    if measured["agreement"] < AGREE[has_bf16("cpu")]:
        raise UserError(f"bfloat16 changes {1 - measured['agreement']:.3%} of the pixels", data, "use other shares")
    measured |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    known = json.dumps(told[0])
    total = sum(share for _, share in parts)
    shares = [
        {"share": round(share / total, 4), "sha256": one["packed"]["sha256"]}
        | ({} if one["packed"]["sha256"] in known else {"made of": one})
        for (_, share), one in zip(parts, told, strict=True)
    ]
    whole_story = {**told[0], "packed": {**told[0]["packed"], **measured}, "mean of": shares}
    atomic_write(out / "provenance.json", json.dumps(whole_story, indent=1) + "\n")
    atomic_write(out / "model.json", card.to_json() + "\n")
    with atomic_path(out / WEIGHTS) as part:
        part.write_bytes(content)
    return measured


def main() -> int:
    """Average, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", metavar="FOLDER=SHARE")
    parser.add_argument("--data", required=True, help="renders to compare on")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    parts = [(Path(folder), float(share)) for folder, _, share in (p.rpartition("=") for p in given.parts)]
    try:
        print(json.dumps(mean_teacher(parts, given.data, given.out), indent=1))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
