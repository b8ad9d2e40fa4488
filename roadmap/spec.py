"""The spec: one network and its training recipe, as a frozen value.

A residual block is a tuple of units. A convolution unit is a convolution, an optional norm and an
optional activation. Its output width is one of three: `narrow` (the stage's width), `wide`
(`expansion` times the stage's width) or `same` (the width that comes in). In a strided block the
first convolution with a kernel above 1 has the stride (ResNet "v1.5"), or else the first one.

    ResNet-50    1×1 narrow → 3×3 narrow → 1×1 wide              each with BatchNorm and ReLU
    ConvNeXt     7×7 depthwise same → 1×1 wide → 1×1 narrow      LayerNorm after the first, GELU
                                                                 after the second

Between them can stand depthwise convolutions over groups of channels, squeeze-and-excitation, a
global response norm, and a user's own operation.

`steps` make specs; `plan` (shapes), `cost` and `network` (torch) read them. Every field has an
upper limit, far above what anyone trains, so that a wrong number is refused at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

import pydantic
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from roadmap.errors import Problem, quoted, shortened, unknown
from roadmap.kinds import ACTIVATIONS, NORMS, TORCH_ACTIVATIONS, is_activation
from roadmap.optimizers import OPTIMIZERS, check_options
from roadmap.tasks import Detection, GivenTask, Segmentation, TaskName, name_of
from roadmap.values import added, value


def _one_of(choices: Iterable[str]) -> Callable[[str], str]:
    """Return a check that a word is one of `choices`."""
    known = tuple(choices)

    def check(word: str) -> str:
        if word not in known:
            words = " or ".join(map(repr, known))
            raise PydanticCustomError("choice", "Input should be {words}", {"words": words})
        return word

    return check


def _policy(text: str) -> str:
    if not re.fullmatch(r"rand(-((m|n|inc|mmax)\d{1,3}|(p|mstd)\d{1,3}(\.\d+)?))*", text):
        parts = "m, n, inc and mmax with a whole number, p and mstd with a fraction"
        raise ValueError(f"must be written as timm does, as in rand-m9-mstd0.5-inc1: {parts}")
    return text


def _activation(word: str) -> str:
    if not is_activation(word):
        words = " or ".join(map(repr, ACTIVATIONS))
        raise PydanticCustomError(
            "choice",
            "Input should be {words}, {torch}, or a class such as timm.layers.HardMish",
            {"words": words, "torch": ", ".join(TORCH_ACTIVATIONS)},
        )
    return word


def _optimizer(name: str) -> str:
    if name not in OPTIMIZERS:
        raise ValueError(str(unknown("optimizer", name, OPTIMIZERS)))
    return name


Optimizer = Annotated[str, AfterValidator(_optimizer)]
Option = bool | int | float | str | tuple[float, ...] | None
Norm = Annotated[str, AfterValidator(_one_of(NORMS))]
Activation = Annotated[str, Field(max_length=200), AfterValidator(_activation)]
Width = Literal["narrow", "wide", "same"]
Positive = Annotated[int, Field(ge=1)]
Kernel = Annotated[int, Field(ge=1, le=1023)]
Channels = Annotated[int, Field(ge=1, le=2**20)]
Classes = Annotated[int, Field(ge=1, le=10**9)]
Depth = Annotated[int, Field(ge=1, le=500)]
Epochs = Annotated[int, Field(ge=1, le=10**6)]
Batch = Annotated[int, Field(ge=1, le=10**8)]
Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=0, le=10**6)]
Word = Annotated[str, Field(max_length=1000)]
Pattern = Annotated[str, Field(pattern=r"^[a-z0-9_.*?]+$", max_length=200)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


@value(strict=True)
class Convolution:
    """One convolution unit: a convolution, an optional norm, an optional activation."""

    kernel: Kernel = 1
    width: Width
    depthwise: bool = False
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even; a block's kernels are odd: 1, 3, 5, …")


@value(strict=True)
class Operation:
    """A user's own operation inside a block: (channels, height, width) in, the same out.

    `build(channels, **parameters)` returns the torch module. `cost(channels, height, width,
    **parameters)` returns a dict with `macs`, `params` and `activations`. `source` fingerprints the
    code, so that changed code makes a new spec. A spec loaded from JSON lacks the two functions.
    """

    operation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
    parameters: Annotated[dict[Word, int | float | bool | Word], Field(max_length=100)] = Field(
        default_factory=dict
    )
    source: Word = ""
    build: Annotated[Callable[..., Any] | None, Field(exclude=True, repr=False)] = None
    cost: Annotated[Callable[..., dict] | None, Field(exclude=True, repr=False)] = None


@value(strict=True)
class Branch:
    """A depthwise convolution over a share of the channels; its kernel is `kernel` × `columns`."""

    kernel: Kernel
    columns: Kernel | None = None
    share: Annotated[float, Field(gt=0, le=1)]

    def __post_init__(self) -> None:
        for name, side in (("kernel", self.kernel), ("columns", self.columns)):
            if side is not None and side % 2 == 0:
                raise ValueError(f"{name} {side} is even; a block's kernels are odd: 1, 3, 5, …")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the kernel; it is square if no columns are given."""
        return self.kernel, self.columns or self.kernel


@value(strict=True)
class Parallel:
    """Depthwise convolutions over groups of channels, next to each other.

    Each branch takes its share of the channels, rounded down, in order from the last channels.
    The first channels, which no branch takes, pass unchanged. A norm and an activation follow.
    """

    branches: Annotated[tuple[Branch, ...], Field(min_length=1, max_length=20)]
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        if sum(branch.share for branch in self.branches) > 1:
            raise ValueError("branches take more than all channels: their shares add up to over 1")


@value(strict=True)
class SqueezeExcitation:
    """A factor per channel from the mean of all channels (Hu et al., 2018).

    The hidden width is `squeeze` times the channels, rounded to a multiple of `divisor`.
    """

    squeeze: Annotated[float, Field(gt=0, le=1)]
    divisor: Annotated[int, Field(ge=1, le=1024)] = 8

    def hidden(self, channels: int) -> int:
        """Return the hidden width for so many channels."""
        rounded = int(channels * self.squeeze + self.divisor / 2) // self.divisor * self.divisor
        return max(self.divisor, rounded)


@value(strict=True)
class ResponseNorm:
    """Global response normalization over all positions (Woo et al., 2023), with `epsilon`."""

    epsilon: Annotated[float, Field(gt=0, le=1)]


Unit = Convolution | Parallel | SqueezeExcitation | ResponseNorm | Operation


@value(strict=True)
class Block:
    """A residual block: units on the branch, a shortcut, an activation after the addition.

    The shortcut is the identity. If the shape changes, it is a 1×1 projection with `shortcut_norm`.
    The projection strides, or with `average_pool` a 2×2 average before it does. In a strided block
    the first convolution with a kernel above 1 has the stride, or the `first` one of any kernel.
    """

    units: Annotated[tuple[Unit, ...], Field(min_length=1, max_length=100)]
    expansion: Annotated[int, Field(ge=1, le=1000)] = 4
    shortcut_norm: Norm | None = None
    activation: Activation | None = None
    shortcut: Literal["projection", "average_pool"] = added("projection")
    stride_at: Literal["spatial", "first"] = added("spatial")
    shortcut_bias: bool = added(False)

    def __post_init__(self) -> None:
        if not any(isinstance(unit, Convolution) for unit in self.units):
            raise ValueError("a block needs a convolution among its units")


@value(strict=True)
class Stage:
    """`depth` equal blocks; `width` is the narrow width in channels.

    The stage divides the resolution by `stride`: None is 1 for the first stage and 2 for later
    ones. Without a layer between the stages, its `first` or `last` block strides.
    """

    depth: Depth
    width: Channels
    block: Block
    stride: Kernel | None = added(None)
    stride_in: Literal["first", "last"] = added("first")


@value(strict=True)
class StemConvolution:
    """A convolution before the stem's last one; it has `share` of the first stage's width."""

    kernel: Kernel
    stride: Kernel = 1
    share: Annotated[float, Field(gt=0, le=16)] = 1.0
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None


@value(strict=True)
class Stem:
    """A convolution as wide as the first stage, after those in `before`.

    `final_norm` is the stem's last layer.
    """

    kernel: Kernel
    stride: Kernel
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None
    max_pool: bool = False
    final_norm: Norm | None = None
    before: Annotated[tuple[StemConvolution, ...], Field(max_length=10)] = added(())


@value(strict=True)
class Downsampling:
    """A norm and a strided convolution of their own before every stage except the first."""

    kernel: Kernel = 2
    norm: Norm | None = "layer"
    bias: bool = True


@value(strict=True)
class HeadMlp:
    """A hidden layer before the classifier, `expansion` times as wide as the last stage."""

    expansion: Annotated[int, Field(ge=1, le=1000)] = 3
    activation: Activation | None = "gelu"
    norm: Literal["layer"] | None = "layer"


@value(strict=True)
class Network:
    """A whole network: stem, stages, global average pool, `head_norm`, linear classifier.

    `head_mlp` and dropout with the rate `head_dropout` stand before the classifier. If
    `downsampling` is None, a block of every later stage strides. `layer_scale` is the
    initial value of a learned factor per channel at the end of each branch. `drop_path` is the
    rate of stochastic depth at the last block; it grows linearly from 0 at the first block.
    """

    stem: Stem
    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=12)]
    downsampling: Downsampling | None = None
    head_norm: Norm | None = None
    layer_scale: Rate | None = None
    drop_path: BelowOne = 0.0
    initialization: Literal["kaiming_normal", "truncated_normal"] = "kaiming_normal"
    classes: Classes = 1000
    head_mlp: HeadMlp | None = added(None)
    head_dropout: BelowOne = added(0.0)


@value(strict=True)
class Reference:
    """A timm model in place of a network: a reference row (`timm:swin_tiny…`)."""

    timm: Word
    classes: Classes = 1000
    drop_path: BelowOne = 0.0


@value(strict=True)
class Recipe:
    """How a network is trained. Learning rates are for a batch of `base_batch` images.

    The rate in use is `learning_rate × batch / base_batch`. Schedules move at every step. Decay and
    warm-up are in epochs. `drop_path` and the initialization belong to the network. `ema` is the
    decay of an average of the weights, which is then what is validated; 0 turns it off. Images are
    normalized by the `statistics` of ImageNet or of the training data. If `crop_scale` is None,
    training images are cropped like evaluation images and only mixup and cutmix augment them.
    `optimizer` is one of timm's, with options of its own. Parameters that `no_decay` names have no
    weight decay. Each image is in an epoch `repeats` times, differently augmented, and so many
    others are not in it. Validation images have `evaluation_size` pixels, by default as many as
    training images.
    `layer_decay` multiplies the learning rate once for every layer group below the classifier.
    `head_init_scale` multiplies the first weights of a new classifier. `freeze` names the
    parameters that are not trained: see `experiments.weights.freezing`.
    Balanced `sampling` shows each class equally often. Balanced `class_weights` weigh the loss of a
    class by the inverse of its number of images. Both together would balance twice. `mixup_per` is
    "step" for one ratio of mixup and cutmix a step, or the number of images that share one.
    `task` is detection or segmentation instead of classification: its own value says how images are
    cropped, and of the augmentation above only `flip` applies. The schedule `multistep` multiplies
    the rate by `step_factor` at each of `milestones` (epochs); `poly` lets it fall to
    `final_learning_rate` with the given `power`.
    """

    epochs: Epochs
    image_size: Annotated[int, Field(ge=1, le=2**16)]
    batch: Annotated[int, Field(ge=2, le=10**8)]
    optimizer: Optimizer
    learning_rate: Annotated[float, Field(gt=0, le=1e100)]
    base_batch: Batch
    momentum: BelowOne = 0.9
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    weight_decay: Rate
    decay_norms_and_biases: bool = False
    schedule: Literal["step", "multistep", "poly", "cosine"]
    step_epochs: Rate = 30.0
    step_factor: Fraction = 0.1
    warmup_epochs: Rate = 0.0
    final_learning_rate: Rate = 0.0
    label_smoothing: BelowOne = 0.0
    mixup: Rate = 0.0
    cutmix: Rate = 0.0
    mixup_switch: Fraction = 0.5
    randaugment: Annotated[str, Field(max_length=200), AfterValidator(_policy)] | None = None
    erasing: Fraction = 0.0
    crop_scale: tuple[Fraction, Fraction] | None = (0.08, 1.0)
    flip: Fraction = 0.5
    interpolation: Literal["bilinear", "bicubic"]
    evaluation_crop: Annotated[float, Field(gt=0, le=1)] = 0.875
    statistics: Literal["imagenet", "data"] = "imagenet"
    ema: BelowOne = 0.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    head_init_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    freeze: Annotated[tuple[Pattern, ...], Field(max_length=100)] = ()
    sampling: Literal["uniform", "balanced"] = "uniform"
    class_weights: Literal["none", "balanced"] = "none"
    mixup_per: Literal["step"] | Annotated[int, Field(ge=2, le=10**8)] = added("step")
    optimizer_options: Annotated[dict[Word, Option], Field(max_length=50)] | None = added(None)
    no_decay: Annotated[tuple[Pattern, ...], Field(max_length=100)] = added(())
    loss: Literal["cross_entropy", "binary_cross_entropy"] = added("cross_entropy")
    target_threshold: Fraction | None = added(None)
    repeats: Annotated[int, Field(ge=1, le=100)] = added(1)
    color_jitter: Fraction = added(0.0)
    evaluation_size: Annotated[int, Field(ge=1, le=2**16)] | None = added(None)
    task: GivenTask | None = added(None)
    milestones: Annotated[tuple[Rate, ...], Field(max_length=100)] = added(())
    power: Annotated[float, Field(gt=0, le=100)] = added(1.0)

    @property
    def task_name(self) -> TaskName:
        """What the network is trained for."""
        return name_of(self.task)

    @property
    def evaluated_size(self) -> int:
        """Pixels of a side of validation images."""
        return self.evaluation_size or self.image_size

    def __post_init__(self) -> None:
        if isinstance(self.task, Segmentation):
            self._check_segmentation(self.task)
        if self.optimizer_options:
            check_options(self.optimizer, self.optimizer_options)
        if self.loss == "binary_cross_entropy" and self.class_weights == "balanced":
            raise ValueError("class_weights balanced is for loss cross_entropy")
        if self.repeats > self.batch:
            raise ValueError(f"repeats {self.repeats} must be at most batch {self.batch}")
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs:g} must be below epochs {self.epochs}"
            )
        if self.sampling == "balanced" and self.class_weights == "balanced":
            raise ValueError("sampling and class_weights are both 'balanced': set one of them")
        if self.class_weights == "balanced" and self.loss != "cross_entropy":
            raise ValueError("class_weights 'balanced' needs loss 'cross_entropy'")
        if (self.mixup or self.cutmix) and self.batch % 2:
            raise ValueError(f"batch {self.batch} must be even for mixup and cutmix")
        if self.mixup_per != "step" and (self.mixup_per % 2 or self.batch % self.mixup_per):
            raise ValueError(
                f"mixup_per {self.mixup_per} must be even and divide batch {self.batch}"
            )
        if (self.schedule == "multistep") != bool(self.milestones):
            raise ValueError("milestones and schedule 'multistep' need each other")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones {list(self.milestones)} must rise")
        if self.milestones and self.milestones[-1] >= self.epochs:
            raise ValueError(
                f"milestones {list(self.milestones)} must be below epochs {self.epochs}"
            )
        if self.schedule == "step" and self.step_epochs == 0:
            raise ValueError("step_epochs 0 must be above 0 for schedule 'step'")
        if self.crop_scale is None:
            if self.flip or self.randaugment or self.erasing or self.color_jitter:
                raise ValueError(
                    "crop_scale null is for no augmentation: flip, randaugment, erasing, "
                    "color_jitter 0"
                )
        elif self.crop_scale[0] > self.crop_scale[1] or self.crop_scale[0] == 0:
            raise ValueError(f"crop_scale {list(self.crop_scale)} must rise and stay above 0")

    def _check_segmentation(self, task: Segmentation) -> None:
        stride = task.window_stride
        if stride is not None and stride > self.image_size:
            raise ValueError(
                f"task.window_stride {stride} must be at most image_size {self.image_size}: "
                "the windows would leave out pixels"
            )


@value(strict=True)
class Spec:
    """A network and its recipe: all of a run except its data and its seed.

    `weights` is the fingerprint of the weights that training starts from; None draws random ones.
    """

    network: Network | Reference
    recipe: Recipe
    weights: Hash | None = None

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ if any field differs."""
        return fingerprint(self)

    @cached_property
    def network_fingerprint(self) -> str:
        """The same of the network alone."""
        return fingerprint(self.network)

    @cached_property
    def recipe_fingerprint(self) -> str:
        """The same of the recipe alone."""
        return fingerprint(self.recipe)


def to_dict(thing: Any) -> dict:
    """Return a spec or a part of one as plain JSON data, without fields at their default.

    Without defaults, fingerprints stay the same when a later version adds a field.
    """
    return pydantic.TypeAdapter(type(thing)).dump_python(thing, mode="json", exclude_defaults=True)


def from_dict(kind: Any, data: Any) -> Any:
    """Return a validated `kind` (Spec, Recipe, int, …) from plain data; a Problem names the key."""
    try:
        return from_json(kind, json.dumps(data))
    except (TypeError, ValueError):
        raise Problem(f"{quoted(data)} is no plain value") from None


def from_json(kind: Any, text: str) -> Any:
    """Return a validated `kind` from JSON text; a Problem names the key.

    Raises ValueError if the text is not JSON.
    """
    try:
        return pydantic.TypeAdapter(kind).validate_json(text, strict=True)
    except pydantic.ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise ValueError(error.errors()[0]["msg"]) from None
        raise problem_of(error, kind) from None


def fingerprint(thing: Any) -> str:
    """Return 12 hexadecimal digits over the canonical JSON of a part of a spec, or plain data."""
    data = to_dict(thing) if dataclasses.is_dataclass(thing) else thing
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def problem_of(error: pydantic.ValidationError, kind: Any) -> Problem:
    """Return one line for the first fault of a pydantic error: key, fault, valid keys."""
    unexpected = ("unexpected_keyword_argument", "extra_forbidden")
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unexpected)
    kinds = (Network, Reference, Detection, Segmentation, *get_args(Unit))
    unions = {kind.__name__: kind for kind in kinds}
    keys = tuple(part for part in fault["loc"] if part not in unions)
    key = ".".join(shortened(str(part)) for part in keys)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in unexpected:
        owner = unions.get(str(fault["loc"][-2])) if len(fault["loc"]) > 1 else kind
        if dataclasses.is_dataclass(owner):
            made = unknown("key", key, [field.name for field in dataclasses.fields(owner)])
            return Problem(str(made), keys=keys)
        text = f"unknown key {key!r}"
    elif fault["type"] in ("missing", "missing_argument"):
        text, keys = f"key {key!r} is missing", keys[:-1]
        if isinstance(fault["loc"][-1], int):
            text = f"{'.'.join(map(str, keys))}: value {fault['loc'][-1] + 1} is missing"
    elif fault["type"] == "value_error":  # our own messages begin with the name of the wrong field
        text = f"{key}: {message}" if key else message
        keys = (*keys, *message.partition(" ")[0].split("."))
    else:
        text = f"{message[0].lower()}{message[1:]}, got {quoted(fault['input'])}"
        text = f"{key}: {text}" if key else text
    return Problem(text, keys=keys)
