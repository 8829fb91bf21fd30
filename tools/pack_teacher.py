r"""Make the teacher that comes with the tool out of a finished run: ``python tools/pack_teacher.py runs/street``.

The run is one of renders alone, all 19 Cityscapes classes, no rounds:

    simteacher render runs/streets --frames 3000 --size 480x360 --seed 401
    simteacher render runs/other-streets --frames 150 --size 480x360 --seed 402
    simteacher adapt teacher --source runs/streets --target runs/other-streets --out runs/street \
        --set eval_data=runs/other-streets
    python tools/pack_teacher.py runs/street

or, to go on from the one that ships, with ``--set network.weights=street`` besides: then ``provenance.json`` keeps what
that one was made of, too.

Weights of more than one dimension are stored as bfloat16, which is how a processor with bf16 uses them, all others
(norms and their statistics, biases) as they are: no answer changes there, where float16 changed 0.3 % of the pixels of
easy pictures and 1.4 % of hard ones. A processor that reads in float32 sees the rounding, about as much as it sees of
bf16 elsewhere. Before anything is written, both forms read the target's renders to prove it. Writes
``model.safetensors``, ``model.json`` and ``provenance.json`` to ``src/simteacher/street``; prints what was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors.torch import save
from torch import Tensor

from simteacher.data.images import read_image
from simteacher.data.open import open_dataset
from simteacher.dense import probabilities
from simteacher.errors import UserError
from simteacher.files import atomic_path, atomic_write
from simteacher.guard import sample
from simteacher.models.store import Model, ModelCard, load, read_weights
from simteacher.precision import has_bf16
from simteacher.shipped import FOLDER, NAME, WEIGHTS

LARGEST = 10_000_000  # bytes
KEPT = ("seed", "started", "python", "processors", "versions", "git_commit", "data", "images")  # of provenance.json
# Share of the pixels with equal answers where the network runs in bf16 (not all of them, as another processor may sum
# in another order), and where it runs in float32.
AGREE = {True: 0.9999, False: 0.98}
IMAGES = 48


def pack(run: Path, out: Path = FOLDER) -> dict[str, Any]:
    """Write the shipped form of a run's teacher.

    Args:
        run: A finished run folder.
        out: Where the package keeps it.

    Returns:
        ``{"bytes", "sha256", "agreement", "largest_difference", "images"}``: share of equal answers, and the largest
        change of a probability, on so many renders.

    Raises:
        UserError: The run saw anything but renders, or bfloat16 changes too much, or the file is too large.
    """
    facts = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    whole = load(run)
    origins = _only_renders(run, whole, recipe)
    trained = {k: _named(v) for k, v in whole.card.trained_on.items()}
    card = replace(whole.card, trained_on=trained, miou=_named(whole.card.miou))
    told = {
        "what": "trained on renders alone, from ImageNet weights of the encoder; no photograph of a street, no target",
        **_before(recipe),
        "command": " ".join(_named(word) for word in facts["command"].split()),
        **{k: facts[k] for k in KEPT},
        "renders": origins,
        "recipe": _named(recipe),
    }
    return store(read_weights(whole.path), card, told, recipe["target"], out)


def store(weights: dict[str, Tensor], card: ModelCard, told: dict[str, Any], data: str, out: Path) -> dict[str, Any]:
    """Round weights to bfloat16, see what that changes, write them with card and provenance.

    Args:
        weights: As trained.
        card: Of the model.
        told: Its provenance; gets what was measured as ``packed``.
        data: Renders on which both forms are compared.
        out: Folder to write.

    Returns:
        As `pack`.

    Raises:
        UserError: bfloat16 changes too much, or the file is too large. Nothing is written then.
    """
    rounded = {k: v.bfloat16() if v.is_floating_point() and v.ndim > 1 else v for k, v in weights.items()}
    content = save(rounded, metadata={"card": card.to_json()})
    if len(content) > LARGEST:
        raise UserError(f"{len(content)} bytes, over {LARGEST}", out, "train a smaller network")
    with tempfile.TemporaryDirectory() as folder:
        forms = {"whole": save(weights), "stored": content}
        for name, form in forms.items():
            (Path(folder) / name).mkdir()
            (Path(folder) / name / WEIGHTS).write_bytes(form)
            (Path(folder) / name / "model.json").write_text(card.to_json(), encoding="utf-8")
        measured = _compare(*(load(Path(folder) / name) for name in forms), data)
    if measured["agreement"] < AGREE[has_bf16("cpu")]:
        raise UserError(f"bfloat16 changes {1 - measured['agreement']:.3%} of the pixels", out, "train another")
    measured |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    packed = {**measured, "precision": "bfloat16 where a tensor has more than one dimension, else as trained"}
    atomic_write(out / "provenance.json", json.dumps({**told, "packed": packed}, indent=1) + "\n")
    atomic_write(out / "model.json", card.to_json() + "\n")
    with atomic_path(out / WEIGHTS) as part:
        part.write_bytes(content)
    return measured


def _only_renders(run: Path, model: Model, recipe: dict[str, Any]) -> dict[str, Any]:
    """What `render` wrote of each set that the run saw.

    Raises:
        UserError: One of them is no render, or the run did more than train a teacher.
    """
    fix = "train it with: simteacher adapt teacher --source RENDER --target OTHER_RENDER --out RUN"
    if recipe["labelled"] is not None or recipe["rounds"]["count"] or recipe["teacher"]["weights"] is not None:
        raise UserError("this run did more than train a teacher on a source", run, fix)
    if recipe["network"]["weights"] not in ("imagenet", NAME):
        raise UserError(f"nothing is known of the renders behind {recipe['network']['weights']}", run, fix)
    if model.card.space.name != "cityscapes19":
        raise UserError(f"its classes are {model.card.space.name}", run, fix)
    origins = {}
    for role in ("source", "target"):
        place = Path(str(recipe[role]).removeprefix("folder:"))
        try:
            origin = yaml.safe_load((place / "dataset.yaml").read_text(encoding="utf-8")).get("origin") or {}
        except OSError:
            origin = {}
        if origin.get("made by") != "simteacher render":
            raise UserError(f"the {role} is no render of this tool", place, fix)
        origins[role] = {**origin, "images": len(open_dataset(place))}
    return origins


def _before(recipe: dict[str, Any]) -> dict[str, Any]:
    """What the teacher that ships was made of, where the run went on from it."""
    if recipe["network"]["weights"] != NAME:
        return {}
    told = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))
    return {"went on from": {k: v for k, v in told.items() if k not in ("what", "versions", "python", "processors")}}


def _named(value: Any) -> Any:
    """The same without the folders of this machine in absolute paths."""
    if isinstance(value, dict):
        return {k: _named(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_named(v) for v in value]
    return re.sub(r"(?<![\w.])/(?:[^\s/=]+/)*", "", value) if isinstance(value, str) else value


def _compare(one: Model, other: Model, data: str) -> dict[str, Any]:
    """How far two models' answers differ on some pictures."""
    equal, largest, frames = [], 0.0, sample(open_dataset(data), IMAGES, 0).frames
    for frame in frames:
        image = read_image(frame.image)
        a, b = (probabilities(m, image) for m in (one, other))
        equal.append(float((a.argmax(0) == b.argmax(0)).mean()))
        largest = max(largest, float(np.abs(a - b).max()))
    return {"agreement": float(np.mean(equal)), "largest_difference": largest, "images": len(frames)}


def main() -> int:
    """Pack, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args()
    try:
        measured = pack(given.run, given.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(measured, indent=1))
    print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
