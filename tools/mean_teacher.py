r"""Mean of the weights of teachers that went on from each other: ``python -m tools.mean_teacher NEWEST=3 OLDER=2``.

    python -m tools.mean_teacher runs/packed-a=2 runs/packed-b=2 src/simteacher/street=1 --data runs/other-streets

Each folder is what `tools/pack_teacher.py` writes. Such weights lie in one basin, where their mean reads better than
any of them (Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482). Batch-norm statistics are
averaged alike. What an older one lacks (learnt upsampling) is the mean of those that have it. The provenance is the
first one's, with the shares and what the others were made of besides.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.pack_teacher import FOLDER, WEIGHTS, store

from simteacher.errors import UserError
from simteacher.models.mean import mean_weights
from simteacher.models.store import read_card, read_weights


def mean_teacher(parts: list[tuple[Path, float]], data: str, out: Path = FOLDER) -> dict[str, Any]:
    """Write the mean of packed teachers, packed alike.

    Args:
        parts: Folders and shares; the first is the newest.
        data: Renders on which the stored form is compared with the unrounded mean.
        out: Where the package keeps it.

    Returns:
        As `pack_teacher.pack`.

    Raises:
        UserError: They are no packed teachers of one network and its classes, or rounding to bfloat16 changes too much.
    """
    cards = [read_card(folder) for folder, _ in parts]
    for (folder, _), card in zip(parts, cards, strict=True):
        layers = [{k: c.network.get(k) for k in ("encoder", "decoder", "decoder_options")} for c in (card, cards[0])]
        if layers[0] != layers[1] or card.space != cards[0].space:
            raise UserError("another network or other classes than the first one's", folder, "leave it out")
    told = [_told(folder) for folder, _ in parts]
    seen: set[str] = set()
    told[0], total = _once(told[0], seen), sum(share for _, share in parts)
    shares = [
        {"share": round(share / total, 4), "sha256": one["packed"]["sha256"]}
        | ({} if one["packed"]["sha256"] in seen else {"made of": _once(one, seen)})
        for (_, share), one in zip(parts, told, strict=True)
    ]
    card = replace(cards[0], miou=None, extra={**cards[0].extra, "mean_of": len(parts)})  # measured was the part alone
    whole = mean_weights([(read_weights(folder / WEIGHTS), share) for folder, share in parts])
    return store(whole, card, {**told[0], "mean of": shares}, data, out)


def _once(told: Any, seen: set[str]) -> Any:
    """A provenance in which whatever was told before, as ``seen`` by fingerprint, is its fingerprint alone."""
    if isinstance(told, list):
        return [_once(one, seen) for one in told]
    if not isinstance(told, dict):
        return told
    print_of = told["packed"]["sha256"] if isinstance(told.get("packed"), dict) else None
    if print_of in seen:
        return {"sha256": print_of}
    if print_of is not None:
        seen.add(print_of)
    return {key: _once(value, seen) for key, value in told.items()}


def _told(folder: Path) -> dict[str, Any]:
    """A packed teacher's provenance.

    Raises:
        UserError: There is none.
    """
    try:
        told: dict[str, Any] = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        told["packed"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise UserError(
            "no packed teacher", folder, "pack it first: python tools/pack_teacher.py RUN --out PACKED"
        ) from e
    return told


def _part(text: str) -> tuple[Path, float]:
    folder, _, share = text.rpartition("=")
    try:
        number = float(share)
    except ValueError:
        number = 0.0
    if not folder or not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': say FOLDER=SHARE, with a share above 0")
    return Path(folder), number


def main() -> int:
    """Average, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", type=_part, metavar="FOLDER=SHARE", help="share: a number above 0")
    parser.add_argument("--data", required=True, help="renders to compare on")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    try:
        print(json.dumps(mean_teacher(given.parts, given.data, given.out), indent=1))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
