"""The recipe: all settings of a run as one strict model, written out in each run's ``config.yaml``.

How a file becomes one: `recipe_file`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from simteacher.errors import UserError, nearest


class Strict(BaseModel):
    """Base of all recipe parts: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)) and kind is not Any:
            raise ValueError(f"a number or a word is wanted, not {str(value).lower()}")
        return value


class Budget(Strict):
    """What a run may spend, the same for every method compared.

    ``size`` is (width, height) of a whole view after scaling; ``crop`` what a step sees of it, multiples of 32.
    """

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    size: tuple[int, int]
    crop: tuple[int, int]

    @field_validator("size")
    @classmethod
    def _some(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 1:
            raise ValueError("must be a width and a height of at least 1 pixel")
        return size

    @field_validator("crop")
    @classmethod
    def _whole_cells(cls, crop: tuple[int, int]) -> tuple[int, int]:
        if min(crop) < 32 or crop[0] % 32 or crop[1] % 32:
            raise ValueError("must be multiples of 32, as the encoder halves the image five times")
        return crop


BUDGETS: dict[str, Budget] = {
    "smoke": Budget(steps=8, batch=2, size=(128, 96), crop=(96, 64)),
    "demo": Budget(steps=320, batch=4, size=(320, 240), crop=(288, 224)),
    "quick": Budget(steps=400, batch=4, size=(480, 360), crop=(448, 320)),
    "laptop": Budget(steps=3600, batch=4, size=(480, 360), crop=(448, 320)),
    "paper": Budget(steps=40000, batch=4, size=(1024, 512), crop=(512, 512)),
}


DECODER_OPTIONS: dict[str, dict[str, Any]] = {
    "fpn": {"decoder_pyramid_channels": 128, "decoder_segmentation_channels": 64},  # half its usual width
    "pspnet": {"encoder_depth": 5, "output_stride": 8},
    "fcn": {"output_stride": 8},
    "deeplabv2": {"output_stride": 8},
}

BUILT = "a network that is built already"  # the context in which options are taken as they are


class Network(Strict):
    """Segmentation network: an encoder, a decoder, an auxiliary head on the encoder's last features but one.

    Encoders: any of timm with feature maps, ``mit_b0`` to ``mit_b5``, the DRNs such as ``drn_d_22`` (with ``fcn`` or
    ``deeplabv2``), and for ``light`` any vision transformer of timm.
    """

    # a plain name: with "hf-hub:…" or "local-dir:…" timm would fetch and unpickle what a model file of somebody names
    encoder: str = Field("tf_efficientnet_lite0", pattern=r"^\w[\w.]*$")
    decoder: Literal[
        "fpn", "unet", "deeplabv3", "deeplabv3plus", "pspnet", "segformer", "upernet", "linknet", "manet",
        "fcn", "deeplabv2", "light",
    ] = "fpn"  # fmt: skip
    decoder_options: dict[str, Any] = {}  # of that decoder's class, over its DECODER_OPTIONS; null: the library's own
    weights: str = "imagenet"  # imagenet, none, or a model of this network: a run, a file, or street
    freeze: int = Field(2, ge=0)  # encoder stages that keep their weights (the stem counts with the first)

    @model_validator(mode="before")
    @classmethod
    def _usual_options(cls, given: Any, info: ValidationInfo) -> Any:
        """Options belong to a decoder; another one would not understand them."""
        if not isinstance(given, dict):
            return given
        usual: dict[str, Any] = DECODER_OPTIONS.get(str(given.get("decoder", "fpn")), {})
        options = given.get("decoder_options", {})
        if not isinstance(options, dict) or (info.context == BUILT and "decoder_options" in given):
            return given
        return {**given, "decoder_options": {**usual, **options}}

    @property
    def options(self) -> dict[str, Any]:
        """The decoder's options as its class takes them."""
        return {name: value for name, value in self.decoder_options.items() if value is not None}

    @classmethod
    def of_card(cls, section: dict[str, Any]) -> Network:
        """The network of a model's card: with the options that it was built with, and none of today's."""
        return cls.model_validate(section, context=BUILT)

    @staticmethod
    def said_of(section: dict[str, Any]) -> dict[str, Any]:
        """What a recipe has to say as ``decoder_options`` for the network of a card: also which of today's it lacks."""
        usual: dict[str, Any] = DECODER_OPTIONS.get(str(section.get("decoder")), {})
        return {**dict.fromkeys(usual), **(section.get("decoder_options") or {})}


class Optimiser(Strict):
    """AdamW with linear warm-up and polynomial decay (power 0.9)."""

    lr: float = Field(4e-4, gt=0)
    head_lr: float = Field(2e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.05, ge=0, lt=1)  # share of the stage's steps
    clip: float = Field(5.0, gt=0)  # gradient norm
    accumulate: int = Field(1, ge=1)  # optimiser step after so many batches, which are what a budget's steps count
    # decay, by batch, of the averaged weights that a stage ends with; 0 keeps the last
    ema: float = Field(0.99, ge=0, lt=1)


class Augment(Strict):
    """Random changes of training images; geometry moves labels alike."""

    scale: tuple[float, float] = (0.7, 1.8)
    flip: float = Field(0.5, ge=0, le=1)
    colour: float = Field(1.0, ge=0, le=1)  # strength: gains, gamma, contrast, saturation, channel mixing
    grey: float = Field(0.1, ge=0, le=1)
    blur: float = Field(0.3, ge=0, le=1)
    noise: float = Field(0.3, ge=0, le=1)
    match_target: float = Field(0.0, ge=0, le=1)  # chance that a source image takes a target image's colour statistics

    @field_validator("scale")
    @classmethod
    def _from_small_to_large(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not 0 < scale[0] <= scale[1]:
            raise ValueError("must be two zooms above 0, the smaller first")
        return scale


class Objectives(Strict):
    """Weights of the named losses of a stage; 0 leaves one out. They compose freely."""

    aux: float = Field(0.4, ge=0)  # cross-entropy of the auxiliary head, relative to the primary (source: method table)
    adversarial: float = Field(0.0, ge=0)  # primary head's output maps against a discriminator (AdaptSegNet)
    adversarial_aux: float = Field(0.0, ge=0)  # the auxiliary head's
    entropy_maps: bool = False  # the discriminator sees weighted self-information (ADVENT) instead of softmax maps
    agreement: float = Field(0.0, ge=0)  # symmetric KL between both heads on target images (MRNet)
    min_entropy: float = Field(0.0, ge=0)  # mean normalised entropy on target images
    masked: float = Field(0.0, ge=0)  # masked image consistency with the EMA teacher (MIC)
    two_views: float = Field(0.0, ge=0)  # two strong views learn the EMA teacher's reading of the plain one (UniMatch)
    rotation: float = Field(0.0, ge=0)  # self-supervision: by which quarter turn a photograph was turned
    feature_distance: float = Field(0.0, ge=0)  # things' features stay near the pretrained encoder's (DAFormer)
    contrast: float = Field(0.0, ge=0)  # pixels against class prototypes, on the encoder's features


class TeacherStage(Strict):
    """Supervised training on the source, or on the labelled target where there is no source."""

    share: float = Field(0.5, gt=0, le=1)  # of the budget's steps, when rounds follow; all of them otherwise
    weights: str | None = None  # take this run's or model's teacher instead of training one
    class_weight: float = Field(0.5, ge=0, le=1)  # exponent of inverse class frequency in the loss
    rare_sampling: float = Field(0.5, ge=0, le=1)  # chance that an image is drawn for a rare class it holds
    lr_factor: float = Field(1.0, gt=0)  # of both learning rates; less where network.weights is trained already
    # share of network.weights, where it is a model that knows all classes, in the mean that the stage ends as (WiSE-FT)
    keep: float = Field(0.0, ge=0, lt=1)
    objectives: Objectives = Objectives()
    augment: Augment = Augment()


class PseudoLabels(Strict):
    """How a model labels photographs."""

    views: int = Field(3, ge=1, le=6)  # augmented views that are read; `combine` says how they are joined
    combine: Literal["max", "mean"] = "mean"
    select: Literal["threshold", "balanced"] = "balanced"
    threshold: float = Field(0.6, ge=0, le=1)  # select: threshold; and of the pixels that make prototypes
    # select: balanced; kept share of each class, by round (the last repeats)
    portion: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((0.5, 0.6), min_length=1)
    floor: float = Field(0.0, ge=0, le=1)  # select: balanced; confidence under which nothing is kept
    prototypes: float = Field(0.0, ge=0)  # temperature of the weights by distance to class prototypes (ProDA); 0: none


class Rounds(Strict):
    """Self-training: label the target, train a student, let it label again."""

    count: int = Field(2, ge=0)
    source_share: float = Field(0.5, ge=0, le=1)  # of a student's batch
    # of the source's places, for labelled photographs where there are some; one image of a batch at least
    labelled_share: float = Field(0.5, ge=0, le=1)
    mix: Literal["none", "classmix", "cutmix"] = "classmix"  # source pasted into pseudo-labelled target images
    # a box of each labelled photograph pasted into a source image (Domain CutMix), or into a pseudo-labelled one
    mix_labelled: Literal["none", "source", "pseudo"] = "none"
    rectified: bool = False  # pseudo-labels count less where the two heads disagree (Zheng and Yang 2021)
    online: bool = False  # labels from the EMA teacher at every step, instead of the stored ones
    class_weight: float = Field(0.5, ge=0, le=1)
    rare_sampling: float = Field(0.5, ge=0, le=1)
    start: Literal["teacher", "scratch"] = "teacher"
    lr_factor: float = Field(0.5, gt=0)
    # share of its teacher's weights, where a student starts from these, in the mean that it ends as (WiSE-FT)
    keep: float = Field(0.0, ge=0, lt=1)
    objectives: Objectives = Objectives()
    augment: Augment = Augment()
    pseudo: PseudoLabels = PseudoLabels()

    def places(self, batch: int, labels: bool) -> tuple[int, int, int]:
        """Images of the source, labelled photographs (where there are ``labels``) and other photographs in a batch."""
        shared = min(round(batch * self.source_share), batch - 1)  # one photograph at least
        labelled = max(1, round(shared * self.labelled_share)) if labels else 0
        source = max(0, shared - labelled)
        return source, labelled, max(1, batch - source - labelled)


class Guard(Strict):
    """When a round counts as collapsed; all of it is measured without labels."""

    images: int = Field(48, ge=2)
    vanish: float = Field(0.3, ge=0, le=1)  # a class under this fraction of its share before has vanished
    min_share: float = Field(0.002, ge=0, le=1)  # classes under this share before are too small to judge
    drift: float = Field(0.3, ge=0, le=1)  # share of pixels that may change class in one round
    agreement_drop: float = Field(0.05, ge=0, le=1)  # loss of agreement between augmented views


class Recipe(Strict):
    """One run. See ``recipes/`` for files that use it."""

    seed: int = Field(1, ge=0, lt=2**31)
    budget: str | Budget = "laptop"
    source: str | None = None
    target: str | None = None
    labelled: int | str | None = None
    target_split: str | None = None  # default: train where the set has one
    eval_data: str | None = None  # labelled photographs measured at each stage's end; never used to choose
    eval_split: str | None = None
    classes: str = "auto"  # a label space; auto: the target's where it names one, else the source's
    network: Network = Network()
    optimiser: Optimiser = Optimiser()
    teacher: TeacherStage = TeacherStage()
    rounds: Rounds = Rounds()
    guard: Guard = Guard()
    # share of the target's batch-norm statistics in the teacher that labels and in each student; 0: as trained
    batchnorm: float = Field(0.0, ge=0, le=1)
    views: int = Field(3, ge=1, le=3)  # in which its models read photographs, unless one says otherwise
    untilt: float = Field(1.0, ge=0, le=1)  # how much of class_weight's tilt is taken from the class scores afterwards
    cache_gib: float = Field(2.0, ge=0)  # decoded images kept in memory
    log_every: int = Field(10, ge=1)
    save_seconds: float = Field(60.0, gt=0)
    with_labels: dict[str, Any] = {}  # keys that have other values where `labelled` names photographs

    @field_validator("labelled")
    @classmethod
    def _number(cls, labelled: int | str | None) -> int | str | None:
        """As the command line gives it, or a recipe: the same run."""
        return int(labelled) if isinstance(labelled, str) and labelled.isdecimal() else labelled

    @model_validator(mode="before")
    @classmethod
    def _where_there_are_labels(cls, tree: Any) -> Any:
        """Put `with_labels` in its place; what is left of it waits for labels (`experiment labels`)."""
        if isinstance(tree, dict) and tree.get("labelled") is not None and isinstance(tree.get("with_labels"), dict):
            return {**merged(tree, tree["with_labels"]), "with_labels": {}}
        return tree

    @property
    def resolved_budget(self) -> Budget:
        """The budget's numbers, also where the recipe gives a name."""
        if isinstance(self.budget, Budget):
            return self.budget
        if self.budget not in BUDGETS:
            raise UserError(
                f"unknown budget '{self.budget}'{nearest(self.budget, BUDGETS)}",
                "budget",
                f"use one of {', '.join(BUDGETS)} or a mapping of steps, batch, size, crop",
            )
        return BUDGETS[self.budget]


def merged(tree: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A copy of ``tree`` with the values of ``over``, mapping by mapping."""
    out = dict(tree)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``."""
    if isinstance(tree, dict) and tree:
        return {k: v for key, sub in tree.items() for k, v in flat(sub, f"{prefix}{key}.").items()}
    return {prefix.rstrip("."): tree}
