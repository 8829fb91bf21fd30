"""Models on disk: ``model.safetensors`` with ``model.json`` beside it, and how any accepted path becomes a `Model`.

Nothing here runs code from a file: weights are safetensors (or ONNX), the card is JSON.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from simteacher.config import Network
from simteacher.errors import UserError, nearest
from simteacher.files import atomic_path, atomic_write
from simteacher.labels import LabelSpace
from simteacher.models.wrap import KEY, Factory, make
from simteacher.precision import autocast
from simteacher.shipped import NAME, WEIGHTS, place
from simteacher.typed import typed

MEBIBYTE = 1 << 20
LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
NOT_LOADED = "copy it again; other weight formats are not loaded as they can run code"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one must know to use a model.

    Attributes:
        network: The recipe's ``network`` section as a dict.
        space: The classes it tells apart.
        size: (width, height) of a whole view in training.
        normalisation: {"mean": [...], "std": [...]} in [0, 1], applied inside the network.
        trained_on: Data sets, stage, steps, seed.
        miou: Where it was measured, else None.
        extra: Anything else worth keeping.
        views: In how many views it reads unless one says otherwise: 1 to 3 (`dense`).
    """

    network: dict[str, Any]
    space: LabelSpace
    size: tuple[int, int]
    normalisation: dict[str, list[float]] = field(default_factory=dict)
    trained_on: dict[str, Any] = field(default_factory=dict)
    miou: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    views: int = 3

    def to_json(self) -> str:
        """As written to model.json."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str, where: str | Path) -> ModelCard:
        """Read model.json.

        Raises:
            UserError: Not a card.
        """
        try:
            tree = json.loads(text)
            s = tree["space"]
            names = dict(s["aliases"]), dict(s.get("learned_as") or {})
            space = LabelSpace(s["name"], tuple(s["classes"]), tuple(tuple(c) for c in s["colors"]), *names)
            if not len(set(space.classes)) == len(space.classes) == len(space.colors):
                raise ValueError("its classes are not distinct, each with a colour")
            width, height = (int(side) for side in tree["size"])
            if min(width, height) < 1:
                raise ValueError(f"a size of {width}x{height}")
            return ModelCard(
                dict(tree["network"]),
                space,
                (width, height),
                tree["normalisation"],
                tree["trained_on"],
                tree["miou"],
                dict(tree["extra"] or {}),
                min(max(int(tree.get("views", 3)), 1), 3),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as e:
            raise UserError(
                f"not a model card ({type(e).__name__}: {e})", where, "take model.json from the same run folder"
            ) from e


@dataclass(slots=True)
class Model:
    """A network ready to use. ``network`` is None for an ONNX model."""

    card: ModelCard
    network: nn.Module | None
    path: Path
    session: Any = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @torch.inference_mode()
    def logits(self, image_BCHW: Tensor) -> Tensor:
        """Class scores (B, K, H, W), float32, of the primary head.

        Args:
            image_BCHW: RGB in [0, 1].
        """
        if self.session is not None:
            name = self.session.get_inputs()[0].name
            return torch.from_numpy(self.session.run(None, {name: image_BCHW.float().cpu().numpy()})[0])
        assert self.network is not None
        image_BCHW = image_BCHW.to(self.device).contiguous(memory_format=torch.channels_last)
        with autocast(self.device.type):
            main, _ = self.network(image_BCHW)
        return torch.as_tensor(main.float())

    def predict(self, image_HWC: Any, views: int | None = None, scale: float = 1.0) -> Any:
        """Label one uint8 RGB image of any size; returns ``Prediction(label_HW, confidence_HW)``.

        Args:
            image_HWC: The image.
            views: 3 averages with two closer views, 2 with the first of them; 1 takes a seventh of the time. None: as
                the card says.
            scale: 1 sees things as large as in training, 2 twice as close.

        Raises:
            UserError: It is no such image.
        """
        from simteacher.dense import read_one

        return read_one(self, image_HWC, scale=scale, views=views)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Load a safetensors file.

    Raises:
        UserError: Missing, truncated or another format.
    """
    try:
        return load_file(path)
    except FileNotFoundError as e:
        raise UserError("no such weights file", path, "give a model.safetensors, a run folder or a stage of one") from e
    except (SafetensorError, OSError) as e:
        raise UserError(
            f"not a readable safetensors file ({e})",
            path,
            NOT_LOADED,
        ) from e


def save_model(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write ``model.json`` and then ``model.safetensors`` into ``folder``: the weights mark completion."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / "model.json", card.to_json())
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    atomic_write(folder / "model.safetensors", save(tensors, metadata={"card": card.to_json()}))


def _header(file: BinaryIO, path: Path) -> dict[str, Any]:
    """Read the header of a safetensors file: names, types, shapes and places of the tensors that follow it."""
    length = int.from_bytes(file.read(8), "little")
    try:
        if length > LONGEST_HEADER:
            raise ValueError
        return dict(json.loads(file.read(length)))
    except (ValueError, TypeError):
        raise UserError("not a readable safetensors file (no header)", path, NOT_LOADED) from None


def copy_model(file: Path, folder: Path, card: ModelCard) -> None:
    """Write a model into another folder, as `save_model` does, with another card; its tensors are copied as they lie.

    Args:
        file: Its ``model.safetensors``.
        folder: Where to.
        card: What to say of it there, beside the weights and inside.

    Raises:
        UserError: It is damaged, or the disk is full.
    """
    atomic_write(folder / "model.json", card.to_json())
    with open(file, "rb") as source:
        header = {**_header(source, file), "__metadata__": {"card": card.to_json()}}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # tensors begin at whole words
        with atomic_path(folder / "model.safetensors") as part, open(part, "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            shutil.copyfileobj(source, out, MEBIBYTE)


def weights_print(path: Path) -> str:
    """Hash of what training takes from a model, its tensors and their meaning, wherever it lies: 16 hex digits.

    Raises:
        UserError: There is none, or it is damaged.
    """
    file = weights_file(path)
    digest = hashlib.sha256()
    if not bare_weights(file):
        card = read_card(file)
        network = {k: v for k, v in card.network.items() if k != "weights"}
        digest.update(f"{json.dumps(network, sort_keys=True)} {card.space} {card.views}".encode())
    with open(file, "rb") as source:
        header = {k: v for k, v in _header(source, file).items() if k != "__metadata__"}
        digest.update(json.dumps(header, sort_keys=True).encode())
        while block := source.read(MEBIBYTE):
            digest.update(block)
    return digest.hexdigest()[:16]


def weights_file(path: Path) -> Path:
    """The weights file that a MODEL argument means.

    Raises:
        UserError: There is none.
    """
    path = place(path.expanduser())
    if path.is_file():
        return path
    if path.is_dir():
        if (path / WEIGHTS).is_file():
            return path / WEIGHTS
        if (path / "dataset.yaml").is_file():
            raise UserError(
                "is a data set and no model", path, "give a run folder or a model file first, then the data"
            )
        raise UserError(
            "holds no model.safetensors",
            path,
            "wait for the run to finish, or name a finished stage such as RUN/teacher",
        )
    fix = f"give a run folder, a stage of one, a model.safetensors, a .onnx file, or {NAME}, which comes with the tool"
    raise UserError(f"no such model{nearest(str(path), (NAME,))}", path, fix)


def read_card(path: str | Path) -> ModelCard:
    """The card of a model that is not needed itself; beside its weights file, else inside it.

    Raises:
        UserError: As of `load`.
    """
    file = weights_file(Path(path))
    if file.suffix.lower() == ".onnx":
        return _load_onnx(file).card
    beside = file.with_suffix(".json")
    if beside.is_file():
        try:
            return ModelCard.from_json(beside.read_text(encoding="utf-8"), beside)
        except UnicodeDecodeError:
            fix = "take model.json from the same run folder"
            raise UserError("not a model card (it is no text)", beside, fix) from None
    text = _card_inside(file)
    if text is None:
        raise UserError("no model.json beside it and no card inside it", file, "keep model.json with the weights")
    return ModelCard.from_json(text, file)


def _card_inside(file: Path) -> str | None:
    """The card that `save_model` puts into the weights too."""
    from safetensors import safe_open

    try:
        with safe_open(file, "pt") as f:
            return (f.metadata() or {}).get("card")
    except (SafetensorError, OSError) as e:
        raise UserError(f"not a readable safetensors file ({e})", file, NOT_LOADED) from e


def bare_weights(path: str | Path) -> bool:
    """Whether a file holds weights and nothing says of what: another program wrote it."""
    file = weights_file(Path(path))
    return file.suffix.lower() != ".onnx" and not file.with_suffix(".json").is_file() and _card_inside(file) is None


@typed
def load(path: str | Path, network: Factory | None = None) -> Model:
    """Load a model from a run folder, a stage of one, a ``model.safetensors`` or a ``.onnx`` file.

    Args:
        path: The model, or ``street``: the teacher that comes with the tool.
        network: The function that `adapt` was given, where the model is a network of one's own.

    Raises:
        UserError: Nothing there, the file is damaged, or the weights do not fit the card's network.
    """
    from simteacher.models.build import load_weights

    file = weights_file(Path(path))
    if file.suffix.lower() == ".onnx":
        return _load_onnx(file)
    beside = file.with_suffix(".json")
    weights = read_weights(file)
    card = read_card(file)
    classes = len(card.space.classes)
    if KEY in card.network and network is None:
        raise UserError(
            f"this model has a network of your own, made by {card.network[KEY]}",
            beside,
            "load it in Python, simteacher.load(path, network=that_function), and evaluate or predict with the result",
        )
    try:
        made = make(network, classes) if network else _built(Network.of_card(card.network), classes)
    except ValidationError as e:
        raise UserError("its network section is not valid", beside, "take model.json from the same run folder") from e
    load_weights(made, weights, str(file))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    made = made.to(device).to(memory_format=torch.channels_last).eval()
    return Model(card, made, file.absolute(), device=device)  # files are looked for beside it after a chdir, too


def _built(spec: Network, classes: int) -> nn.Module:
    from simteacher.models.build import build_network

    return build_network(spec, classes, pretrained=False)


def _load_onnx(file: Path) -> Model:
    try:
        import onnxruntime
    except ImportError as e:
        raise UserError("reading ONNX needs onnxruntime", file, "pip install 'simteacher[onnx]'") from e
    try:
        session = onnxruntime.InferenceSession(str(file), providers=onnxruntime.get_available_providers())
    except Exception as e:
        raise UserError(f"not a readable ONNX model ({type(e).__name__})", file, "export it again") from e
    text = session.get_modelmeta().custom_metadata_map.get("card")
    if text is None:
        raise UserError("this ONNX file carries no simteacher card", file, "export it with 'simteacher export'")
    return Model(ModelCard.from_json(text, file), None, file.absolute(), session=session)
