"""Small versions of any roadmap: fewer channels and blocks, smaller images, a shorter recipe.

A scale changes every row in the same way after its steps, so what a step does stays visible. It
says nothing about the accuracy of the full size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roadmap.edit import replace
from roadmap.spec import Network, Recipe, Spec, Stage

MULTIPLE = 8  # of channels


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Factors of width, depth and drop path, and what replaces a recipe's values.

    A stage keeps at least 1 and at most `deepest` blocks. `rates` are learning rates by optimizer,
    for a batch of `batch` images; other optimizers keep theirs for their own base batch. Parts of a
    recipe that are off stay off: `mildest` are the largest values of those that are on.
    """

    name: str
    width: float
    depth: float
    deepest: int
    drop_path: float
    image_size: int
    epochs: int
    batch: int
    rates: Mapping[str, float]
    mildest: Mapping[str, float] = field(default_factory=dict)
    randaugment: str = "rand-m3-mstd0.5-inc1"
    data: str | None = None
    classes: int

    def apply(self, spec: Spec) -> Spec:
        """Return a small version of a spec; one of timm's models stays as it is."""
        network = spec.network
        if isinstance(network, Network):
            stages = tuple(map(self._stage, network.stages))
            scale = None if network.layer_scale is None else 1.0  # from 1e-6 it cannot grow
            network = replace(
                network, stages=stages, layer_scale=scale, classes=self.classes,
                drop_path=network.drop_path * self.drop_path, initialization="kaiming_normal",
            )  # fmt: skip
        return replace(spec, network=network, recipe=self._recipe(spec.recipe))

    def _stage(self, stage: Stage) -> Stage:
        width = max(MULTIPLE, round(stage.width * self.width / MULTIPLE) * MULTIPLE)
        depth = min(self.deepest, max(1, round(stage.depth * self.depth)))
        return replace(stage, width=width, depth=depth)

    def _recipe(self, recipe: Recipe) -> Recipe:
        share = self.epochs / recipe.epochs
        changes: dict[str, Any] = {
            "epochs": self.epochs,
            "image_size": self.image_size,
            "batch": self.batch,
            "warmup_epochs": min(1.0, recipe.warmup_epochs) if self.epochs > 1 else 0.0,
            "step_epochs": recipe.step_epochs * share,
            "milestones": tuple(epoch * share for epoch in recipe.milestones),
            "crop_scale": recipe.crop_scale and (0.35, 1.0),
            "evaluation_crop": 1.0,
        }
        if recipe.optimizer in self.rates:
            changes |= {"learning_rate": self.rates[recipe.optimizer], "base_batch": self.batch}
        for name, most in self.mildest.items():
            changes[name] = min(getattr(recipe, name), most)
        if recipe.randaugment:
            changes["randaugment"] = self.randaugment
        return replace(recipe, **changes)


MILD = {"mixup": 0.1, "cutmix": 0.2, "erasing": 0.1, "ema": 0.98}
SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            name="tiny", width=0.25, depth=2 / 3, deepest=6, drop_path=0.5, image_size=48,
            epochs=5, batch=64, rates={"sgd": 0.025, "adamw": 2e-3}, mildest=MILD,
            data="fractals", classes=20,
        ),
        Scale(
            name="cifar", width=0.5, depth=2 / 3, deepest=6, drop_path=1.0, image_size=64,
            epochs=100, batch=256, rates={"sgd": 0.1, "adamw": 1e-3},
            mildest={"mixup": 0.2, "ema": 0.9995}, randaugment="rand-m5-mstd0.5-inc1",
            classes=10,
        ),
    )
}  # fmt: skip
