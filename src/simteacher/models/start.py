"""The network that a stage starts from: new, with ImageNet weights, or continuing a model (`network.weights`).

A model is a run, a model file, or ``street``, the teacher that comes with the tool. Its classes may be others than the
run's: then its last layers are matched by name (`models.rehead`), and where no name fits they are new and only the
features are taken.
"""

from __future__ import annotations

import json
from pathlib import Path

from torch import nn

from simteacher.config import Network
from simteacher.errors import UserError
from simteacher.labels import IGNORE, LabelSpace
from simteacher.models.build import build_network, load_weights
from simteacher.models.rehead import new_class, rehead
from simteacher.models.store import ModelCard, bare_weights, read_card, read_weights, weights_file
from simteacher.progress import say

NOT_MODELS = ("imagenet", "none")


def differences(card: ModelCard, spec: Network) -> list[tuple[str, str]]:
    """What a model's network and a recipe's have not in common, as (key, what both say)."""
    said = card.network.get("decoder_options") or {}
    there = {**card.network, "decoder_options": {k: v for k, v in said.items() if v is not None}}
    wanted = {**spec.model_dump(), "decoder_options": spec.options}
    keys = [k for k in ("encoder", "decoder", "decoder_options") if there.get(k) != wanted[k]]
    return [(k, f"{k}: {there.get(k)} there, {wanted[k]} in the recipe") for k in keys]


def to_have(card: ModelCard, differ: list[tuple[str, str]]) -> str:
    """Keys of ``--set`` that give a recipe the network of a card."""
    fix = " ".join(f"network.{k}={card.network.get(k)}" for k, _ in differ if k != "decoder_options")
    return fix or f"'network.decoder_options={json.dumps(Network.said_of(card.network))}'"  # JSON is YAML too


def trainable_card(place: str | Path) -> ModelCard:
    """The card of a model that training can continue.

    Raises:
        UserError: No such model, or an ONNX file.
    """
    card = read_card(place)
    if weights_file(Path(place)).suffix.lower() == ".onnx":
        raise UserError("an ONNX model cannot be trained further", place, "name the run that it was exported from")
    return card


def check_start(spec: Network) -> ModelCard | None:
    """Look at what ``network.weights`` names before a run folder is made; None where it is no model, or weights alone.

    Raises:
        UserError: No such model, no trainable one, or one of another network than the recipe's.
    """
    if spec.weights in NOT_MODELS or bare_weights(spec.weights):
        return None
    card = trainable_card(spec.weights)
    differ = differences(card, spec)
    if differ:
        fix = to_have(card, differ)
        raise UserError(
            f"network.weights names a model of another network ({'; '.join(said for _, said in differ)})",
            spec.weights,
            f"--set network.weights=imagenet to start this network afresh, or --set {fix}",
        )
    return card


def knows(spec: Network, space: LabelSpace) -> bool:
    """Whether ``network.weights`` is a model that has scores for every class of the run."""
    card = check_start(spec)
    return card is not None and (
        card.space.classes == space.classes or set(range(len(space))) <= set(new_class(card.space, space).tolist())
    )


def start(spec: Network, space: LabelSpace) -> nn.Module:
    """Make the recipe's network with its starting weights.

    Args:
        spec: The recipe's ``network`` section.
        space: The run's classes.

    Raises:
        UserError: As of `check_start` and `build_network`.
    """
    card = check_start(spec)
    if card is None:
        network = build_network(spec, len(space))
        if spec.weights not in NOT_MODELS:  # of this very network, as nothing says how to match them
            load_weights(network, read_weights(Path(spec.weights)), spec.weights)
        return network
    file = weights_file(Path(spec.weights))
    fresh = build_network(spec, len(space), pretrained=False)
    if card.space.classes != space.classes and (new_class(card.space, space) == IGNORE).all():
        say(f"{spec.weights}: no class of {space.name} is one of its own; its features are taken, the last layers new")
        own, weights = fresh.state_dict(), read_weights(file)
        load_weights(fresh, {k: weights[k] if weights[k].shape == v.shape else v for k, v in own.items()}, str(file))
        return fresh
    if card.space.classes == space.classes:
        load_weights(fresh, read_weights(file), str(file))
        return fresh
    network = build_network(spec, len(card.space), pretrained=False)
    load_weights(network, read_weights(file), str(file))
    unknown = rehead(network, card.space, space)
    say(f"{spec.weights}: its {len(card.space)} classes ({card.space.name}) are matched by name to {space.name}")
    if unknown:
        say(f"  it does not know {', '.join(unknown)}: that is learnt from the source alone")
    return network
