"""The spec: one network and its training recipe, as a frozen value.

A residual block is a tuple of units. A convolution unit is a convolution, then a norm or none, then
an activation or none; its output is `narrow` (the stage's width), `wide` (`expansion` times it) or
the `same` width that comes in. Where a block strides, the stride sits on its first convolution with
a kernel larger than 1 (ResNet "v1.5"), else on its first convolution.

    ResNet-50    1×1 narrow → 3×3 narrow → 1×1 wide              each with BatchNorm and ReLU
    ConvNeXt     7×7 depthwise same → 1×1 wide → 1×1 narrow      LayerNorm after the first, GELU
                                                                 after the second

Specs are made by `steps` and read by `plan` (shapes), `cost` and `network` (torch).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

import pydantic
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from roadmap.errors import Problem, unknown
from roadmap.kinds import ACTIVATIONS, NORMS

T = TypeVar("T")


def _one_of(choices: Iterable[str]) -> Callable[[str], str]:
    """Return a check that a word is one of `choices`."""
    known = tuple(choices)

    def check(word: str) -> str:
        if word not in known:
            words = " or ".join(map(repr, known))
            raise PydanticCustomError("choice", "Input should be {words}", {"words": words})
        return word

    return check


Norm = Annotated[str, AfterValidator(_one_of(NORMS))]
Activation = Annotated[str, AfterValidator(_one_of(ACTIVATIONS))]
Width = Literal["narrow", "wide", "same"]
Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


def _policy(text: str) -> str:
    if not re.fullmatch(r"rand(-((m|n|inc|mmax)\d{1,3}|(p|mstd)\d{1,3}(\.\d+)?))*", text):
        parts = "m, n, inc and mmax with a whole number, p and mstd with a fraction"
        raise ValueError(f"must be written as timm does, as rand-m9-mstd0.5-inc1: {parts}")
    return text


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def value(cls: type[T]) -> type[T]:
    """Make a class a frozen, validated value: strict types, no unknown keys, finite numbers."""
    config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=config)(cls)


@value
class Convolution:
    """One convolution unit: convolution, norm or none, activation or none."""

    kernel: Positive = 1
    width: Width
    depthwise: bool = False
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} is even; a block's kernels are odd: 1, 3, 5, …")


@value
class Operation:
    """A user's own operation inside a block: (channels, height, width) in, the same out.

    `build(channels, **parameters)` returns the torch module; `cost(channels, height, width,
    **parameters)` returns a dict with `macs`, `params` and `activations`. `source` fingerprints the
    code, so that changing it makes a new spec. Loaded from JSON, the two functions are missing.
    """

    operation: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    parameters: dict[str, int | float | bool | str] = Field(default_factory=dict)
    source: str = ""
    build: Annotated[Callable[..., Any] | None, Field(exclude=True, repr=False)] = None
    cost: Annotated[Callable[..., dict] | None, Field(exclude=True, repr=False)] = None


Unit = Convolution | Operation


@value
class Block:
    """A residual block: units on the branch, a shortcut, an activation after the addition.

    The shortcut is the identity, or where the shape changes a 1×1 projection with `shortcut_norm`.
    """

    units: Annotated[tuple[Unit, ...], Field(min_length=1)]
    expansion: Positive = 4
    shortcut_norm: Norm | None = None
    activation: Activation | None = None

    def __post_init__(self) -> None:
        if not any(isinstance(unit, Convolution) for unit in self.units):
            raise ValueError("a block needs a convolution among its units")


@value
class Stage:
    """`depth` blocks of one kind at one resolution; `width` is the narrow width in channels."""

    depth: Positive
    width: Positive
    block: Block


@value
class Stem:
    """The first convolution, as wide as the first stage; `final_norm` closes the stem."""

    kernel: Positive
    stride: Positive
    bias: bool = False
    norm: Norm | None = None
    activation: Activation | None = None
    max_pool: bool = False
    final_norm: Norm | None = None


@value
class Downsampling:
    """A norm and a strided convolution of its own before every stage but the first."""

    kernel: Positive = 2
    norm: Norm | None = "layer"
    bias: bool = True


@value
class Network:
    """A whole network: stem, stages, global average pool, `head_norm`, linear classifier.

    `downsampling` None means that the first block of every later stage strides. `layer_scale` is
    the initial value of a learned factor per channel at the end of each branch. `drop_path` is the
    rate of stochastic depth at the last block, growing linearly from 0 at the first.
    """

    stem: Stem
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    downsampling: Downsampling | None = None
    head_norm: Norm | None = None
    layer_scale: Rate | None = None
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initialization: Literal["kaiming_normal", "truncated_normal"] = "kaiming_normal"
    classes: Positive = 1000


@value
class Reference:
    """Any timm model in the place of a network: a reference row (`timm:swin_tiny…`)."""

    timm: str
    classes: Positive = 1000
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0


@value
class Recipe:
    """How a network is trained. Learning rates are for a batch of `base_batch` images.

    The rate in use is `learning_rate × batch / base_batch`. Schedules move at every step. Decay and
    warm-up are in epochs; `drop_path` and the initialization belong to the network. `ema` is the
    decay of an average of the weights, which is then what is validated; 0 is none. Images are
    normalized by the `statistics` of ImageNet or of the training data. Without a `crop_scale`
    training images are cut as those of the evaluation are: no augmentation but mixup.
    """

    epochs: Positive
    image_size: Positive
    batch: Annotated[int, Field(ge=2)]
    optimizer: Literal["sgd", "adamw"]
    learning_rate: Annotated[float, Field(gt=0)]
    base_batch: Positive
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: Rate
    decay_norms_and_biases: bool = False
    schedule: Literal["step", "cosine"]
    step_epochs: Rate = 30.0
    step_factor: Fraction = 0.1
    warmup_epochs: Rate = 0.0
    final_learning_rate: Rate = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Rate = 0.0
    cutmix: Rate = 0.0
    mixup_switch: Fraction = 0.5
    randaugment: Annotated[str, AfterValidator(_policy)] | None = None
    erasing: Fraction = 0.0
    crop_scale: tuple[Fraction, Fraction] | None = (0.08, 1.0)
    flip: Fraction = 0.5
    interpolation: Literal["bilinear", "bicubic"]
    evaluation_crop: Annotated[float, Field(gt=0, le=1)] = 0.875
    statistics: Literal["imagenet", "data"] = "imagenet"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs:g} must be below epochs {self.epochs}"
            )
        if (self.mixup or self.cutmix) and self.batch % 2:
            raise ValueError(f"batch {self.batch} must be even for mixup and cutmix")
        if self.schedule == "step" and self.step_epochs == 0:
            raise ValueError("step_epochs 0 must be above 0 for schedule 'step'")
        if self.crop_scale is None:
            if self.flip or self.randaugment or self.erasing:
                raise ValueError(
                    "crop_scale null is for no augmentation: flip, randaugment, erasing 0"
                )
        elif self.crop_scale[0] > self.crop_scale[1] or self.crop_scale[0] == 0:
            raise ValueError(f"crop_scale {list(self.crop_scale)} must rise and stay above 0")


@value
class Spec:
    """A network and its recipe: all of a run but its data and its seed."""

    network: Network | Reference
    recipe: Recipe

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits that differ wherever any field does."""
        return fingerprint(self)


def to_dict(thing: Any) -> dict:
    """Plain JSON data of a spec or a part of one, fields at their default left out.

    Leaving defaults out keeps fingerprints when a later version adds a field.
    """
    return pydantic.TypeAdapter(type(thing)).dump_python(thing, mode="json", exclude_defaults=True)


def from_dict(kind: Any, data: Any) -> Any:
    """A validated `kind` (Spec, Recipe, int, …) from plain data; a Problem names the key."""
    try:
        return pydantic.TypeAdapter(kind).validate_json(json.dumps(data), strict=True)
    except pydantic.ValidationError as error:
        raise problem_of(error, kind) from None
    except (TypeError, ValueError):
        raise Problem(f"{data!r} is no plain value") from None


def fingerprint(thing: Any) -> str:
    """12 hexadecimal digits over the canonical JSON of any part of a spec, or of plain data."""
    data = to_dict(thing) if dataclasses.is_dataclass(thing) else thing
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def problem_of(error: pydantic.ValidationError, kind: Any) -> Problem:
    """One line for the first fault of a pydantic error: key, fault, valid keys."""
    unexpected = ("unexpected_keyword_argument", "extra_forbidden")
    fault = min(error.errors(), key=lambda fault: fault["type"] not in unexpected)
    unions = ("Network", "Reference", "Convolution", "Operation")
    keys = tuple(part for part in fault["loc"] if part not in unions)
    key = ".".join(str(part) for part in keys)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in unexpected:
        if dataclasses.is_dataclass(kind) and len(keys) == 1:
            return unknown("key", key, [field.name for field in dataclasses.fields(kind)])
        text = f"unknown key {key!r}"
    elif fault["type"] in ("missing", "missing_argument"):
        text, keys = f"key {key!r} is missing", keys[:-1]
    elif fault["type"] == "value_error":  # ours, of several fields, begin with the offender's name
        text = f"{key}: {message}" if key else message
        keys = (*keys, message.partition(" ")[0])
    else:
        text = f"{message[0].lower()}{message[1:]}, got {fault['input']!r}"
        text = f"{key}: {text}" if key else text
    return Problem(text, keys=keys)
