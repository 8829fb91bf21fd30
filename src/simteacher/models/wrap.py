"""A network of one's own: any module that scores pixels becomes one that the rest of the package can train and use.

    simteacher.adapt("laptop", network=lambda classes: simteacher.models.wrap(MyNet(classes), classes), ...)
    model = simteacher.load("runs/laptop", network=the_same_function)

Recipes and model files name no code, so that neither can run any: such a model is made again in Python alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from simteacher.errors import UserError
from simteacher.models.anysize import score_any_size

Factory = Callable[[int], nn.Module]
KEY = "own"  # of a card's network section: the function's name, for people


class Wrapped(nn.Module):
    """Normalises, pads, runs the module, and brings its scores to the image's size; see `wrap`."""

    def __init__(
        self,
        module: nn.Module,
        classes: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        multiple: int,
    ) -> None:
        super().__init__()
        self.encoder = module  # trained with optimiser.lr; heads inside of it too
        self.multiple = multiple
        self.mean_C11: Tensor
        self.std_C11: Tensor
        self.register_buffer("mean_C11", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std_C11", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.bias_K: Tensor  # what `prior.tilt` moves, as the module's own last layer is not known
        self.register_buffer("bias_K", torch.zeros(classes))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        state.setdefault(f"{prefix}bias_K", self.bias_K)  # models of before it was
        super()._load_from_state_dict(state, prefix, *args)

    def scores(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """What the module answers, in the image's size; the auxiliary scores at a quarter of it (`anysize`)."""
        return score_any_size(image_BCHW, self.mean_C11, self.std_C11, self.multiple, lambda x: _two(self.encoder(x)))

    def forward(self, image_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Primary logits (B, K, H, W), auxiliary ones at a quarter of the size (`anysize`)."""
        main, aux = score_any_size(
            image_BCHW, self.mean_C11, self.std_C11, self.multiple, lambda x: _two(self.encoder(x))
        )
        return main + self.bias_K.to(main).view(-1, 1, 1), aux


def _two(out: Any) -> tuple[Tensor, Tensor]:
    """A module's answer as (main, aux): one tensor counts as both, a mapping is torchvision's ``out`` and ``aux``."""
    if isinstance(out, Mapping):
        return out["out"], out.get("aux", out["out"])
    return (out, out) if isinstance(out, Tensor) else (out[0], out[1])


def wrap(
    module: nn.Module,
    classes: int,
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
    std: tuple[float, float, float] = (0.229, 0.224, 0.225),
    multiple: int = 32,
) -> Wrapped:
    """Fit a module to the package's contract: RGB in [0, 1] in, logits out, the primary ones at the image's size.

    Args:
        module: Takes normalised images (B, 3, H, W); returns class scores (B, K, h, w) of any size, or a pair of them
            (primary, auxiliary), or a mapping with ``out`` and perhaps ``aux`` as torchvision's models do.
        classes: Number of classes K.
        mean: Of the module's pretraining, in [0, 1].
        std: Likewise.
        multiple: Height and width that the module sees are multiples of this; images are padded.

    Raises:
        UserError: The module fails on a small image, or answers in another shape.
    """
    wrapped = Wrapped(module, classes, mean, std, multiple)
    before = module.training
    wrapped.eval()
    try:
        with torch.no_grad():
            answers = wrapped.scores(torch.zeros(1, 3, 2 * multiple, 3 * multiple))
        shapes = [tuple(y.shape[:2]) for y in answers]
    except Exception as e:
        raise UserError(
            f"the network fails on an image of {3 * multiple}x{2 * multiple}: {type(e).__name__}: {e}",
            type(module).__name__,
            "it takes (B, 3, H, W) and returns scores (B, K, h, w), a pair of them, or {'out': …, 'aux': …}",
        ) from e
    wrapped.train(before)
    if shapes != [(1, classes)] * 2:
        raise UserError(
            f"the network answers {shapes[0][1]} and {shapes[1][1]} classes, {classes} are wanted",
            type(module).__name__,
            "make it with the number of classes that the function is given",
        )
    return wrapped


def make(factory: Factory, classes: int) -> Wrapped:
    """Call a user's function; a plain module is wrapped with ImageNet's normalisation.

    Raises:
        UserError: It returns no module, or as of `wrap`.
    """
    made: Any = factory(classes)
    if not isinstance(made, nn.Module):
        name = getattr(factory, "__qualname__", type(factory).__name__)
        raise UserError(f"the function returns {type(made).__name__}, not a module", name, "return the network")
    return made if isinstance(made, Wrapped) else wrap(made, classes)


def layers_of(factory: Factory, classes: int) -> str:
    """Hash of the names and shapes of all layers that a user's function makes: 16 hex digits."""
    layers = make(factory, classes).encoder.state_dict(prefix="encoder.")
    shapes = [(name, tuple(value.shape)) for name, value in layers.items()]
    return hashlib.sha256(repr(shapes).encode()).hexdigest()[:16]


def name_of(factory: Factory) -> dict[str, Any]:
    """What a card says of such a network."""
    return {KEY: f"{getattr(factory, '__module__', '?')}.{getattr(factory, '__qualname__', type(factory).__name__)}"}
