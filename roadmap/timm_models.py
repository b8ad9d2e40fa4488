"""Rows as models of timm: `import roadmap.timm_models` registers every row of the shipped roadmaps.

    timm.create_model("roadmap_resnet50_08", num_classes=10, features_only=True, out_indices=(1, 2))

A name is `roadmap_<roadmap>_<row>`: the number of a row of a path (`roadmap_resnet50_08_k5`), the
name of a row of a family (`roadmap_convnext_family_tiny`). No model has published weights here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from roadmap.edit import replace
from roadmap.errors import Problem
from roadmap.network import RoadmapNetwork
from roadmap.plan import plan
from roadmap.rows import Roadmap, Row
from roadmap.spec import Network, Spec
from steps.roadmaps.load import SHIPPED, load_roadmap

__all__: list[str] = []  # timm adds the names of the models


class RowModel(RoadmapNetwork):
    """A row's network with what timm asks of its own models for fine-tuning."""

    def no_weight_decay(self) -> set[str]:
        """Return the parameters without weight decay: layer scale and response norms."""
        words = ("layer_scale.", "response_norm_")
        return {name for name, _ in self.named_parameters() if any(map(name.__contains__, words))}


def model_name(roadmap: str, row: Row) -> str:
    """Return the name of a row among timm's models."""
    label = row.step if row.group == "family" else row.number
    return f"roadmap_{roadmap}_{label}".replace("-", "_")


def _first_convolution(network: Network) -> str:
    return "stem.convolution_0" if network.stem.before else "stem.convolution"


def _config(spec: Spec) -> dict[str, Any]:
    """Return timm's description of a row: sizes, normalization, names of the ends."""
    assert isinstance(spec.network, Network)
    recipe = spec.recipe
    size = recipe.image_size
    return {
        "url": "",
        "num_classes": spec.network.classes,
        "input_size": (3, size, size),
        "pool_size": plan(spec.network, size).head[0].inputs[1:],
        "crop_pct": recipe.evaluation_crop,
        "interpolation": recipe.interpolation,
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "first_conv": _first_convolution(spec.network),
        "classifier": "head.classifier",
    }


def _build(
    network: Network,
    *,
    num_classes: int = 1000,
    in_chans: int = 3,
    global_pool: str = "avg",
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
) -> RowModel:
    """Return a row's network with timm's options; None keeps the rate of the row."""
    changes: dict[str, Any] = {"classes": max(num_classes, 1)}
    if drop_rate is not None:
        changes["head_dropout"] = float(drop_rate)
    if drop_path_rate is not None:
        changes["drop_path"] = float(drop_path_rate)
    model = RowModel(replace(network, **changes))
    if in_chans != 3:
        _replace_first(model, in_chans)
    if num_classes == 0 or global_pool != "avg":
        model.reset_classifier(num_classes, global_pool)
    return model


def _replace_first(model: RowModel, channels: int) -> None:
    """Put a first convolution for images of so many channels in place."""
    name = _first_convolution(model.spec).removeprefix("stem.")
    old = model.stem.get_submodule(name)
    assert isinstance(old, nn.Conv2d)
    window: dict[str, Any] = {
        "kernel_size": old.kernel_size,
        "stride": old.stride,
        "padding": old.padding,
    }
    new = nn.Conv2d(channels, old.out_channels, bias=old.bias is not None, **window)
    setattr(model.stem, name, new)
    model.initialize()


def _entry(name: str, network: Network) -> Callable[..., nn.Module]:
    """Return the function that timm calls to make a row's model."""

    def create(pretrained: bool = False, **options: Any) -> nn.Module:
        if pretrained:
            raise Problem(f"{name} has no published weights; use load_timm for those of timm")
        features = {"out_indices": tuple(range(len(network.stages))), "feature_cls": "getter"}
        make: Any = partial(_build, network)
        return build_model_with_cfg(make, name, False, feature_cfg=features, **options)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = "Return a row of a roadmap as a model of timm."
    return create


def _register(roadmap: Roadmap) -> None:
    for row in roadmap:
        name = model_name(roadmap.name, row)
        assert isinstance(row.spec.network, Network)
        entry = _entry(name, row.spec.network)
        default_cfgs.update(generate_default_cfgs({name: _config(row.spec)}))
        setattr(sys.modules[__name__], name, register_model(entry))


default_cfgs: dict[str, Any] = {}  # timm looks here when a model is registered
for shipped in SHIPPED:
    _register(load_roadmap(shipped))
