"""What is evaluated: finished runs with their networks, and the images and measures asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import torch
from torch import nn

from experiments.data.splits import DataSet, Statistics
from experiments.measuring.own import Own
from experiments.training.checkpoint import check_identity
from experiments.training.weights import read_weights
from roadmap.errors import Problem, quoted
from roadmap.network import build
from roadmap.record import Record
from roadmap.spec import Network, Recipe, Reference, from_dict


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished run: its record, its network as a value, and its folder."""

    record: Record
    network: Network | Reference
    folder: Path

    @property
    def name(self) -> str:
        """The run in a line: `05 seed 0`."""
        return f"{self.record.label.row} seed {self.record.identity.seed}"

    @property
    def recipe(self) -> Recipe:
        """The recipe that it was trained by."""
        return from_dict(Recipe, self.record.spec["recipe"])

    def built(self, device: torch.device) -> nn.Module:
        """Return the trained network, ready to evaluate. Raises Problem without weights."""
        identity, weights = read_weights(self.folder)
        check_identity({"identity": identity}, self.record.identity, self.folder)
        network = build(self.network, self.recipe.image_size)
        network.load_state_dict(weights)
        network.requires_grad_(False)
        return network.to(device).to(memory_format=torch.channels_last).eval()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured, on the validation images of `data`. Networks know classes by these `names`.

    `image_size` and `crop` replace those of the recipe. `trained_on` is the data that the runs were
    trained on, where the recipe normalizes by its statistics.
    """

    data: DataSet
    names: Sequence[str]
    image_size: int | None = None
    crop: float | None = None
    own: Sequence[Own] = ()
    corruptions: Sequence[str] = ()
    trained_on: DataSet | None = None
    threads: int = 1

    def recipe(self, trained: Trained) -> Recipe:
        """Return the recipe of a run at the size and crop that are asked for."""
        recipe = trained.recipe
        size = self.image_size or recipe.image_size
        crop = recipe.evaluation_crop if self.crop is None else self.crop
        return replace(recipe, image_size=size, evaluation_crop=crop)

    def differences(self, trained: Trained) -> dict[str, str]:
        """Return what is not as in the run's own validation: parts of keys, with their words."""
        recipe, source = trained.recipe, self.data.source
        parts = {}
        if source.fingerprint != trained.record.identity.data:
            parts[re.sub(r"[^A-Za-z0-9._]+", "-", source.name).strip("-")] = f"on {source.name}"
        if self.image_size not in (None, recipe.image_size):
            parts[f"{self.image_size}px"] = f"at {self.image_size} px"
        if self.crop not in (None, recipe.evaluation_crop):
            parts[f"crop{self.crop:g}"] = f"with crop {self.crop:g}"
        return parts

    def suffix(self, trained: Trained) -> str:
        """Return what keys end with if images, size or crop are not those of the run: `@NAME`."""
        parts = self.differences(trained)
        return f"@{'-'.join(parts)}" if parts else ""

    def words(self, trained: Trained) -> str:
        """Return the same for labels: ` on NAME`."""
        return "".join(f" {words}" for words in self.differences(trained).values())

    def statistics(self, recipe: Recipe, trained: Trained) -> Statistics:
        """Return what the network's images are normalized by. Raises Problem if that is unknown."""
        if recipe.statistics == "imagenet":
            return Statistics()
        its_own = self.data.source.fingerprint == trained.record.identity.data
        data = self.data if its_own else self.trained_on
        if data is None or data.source.fingerprint != trained.record.identity.data:
            raise Problem(
                f"{trained.name} normalizes images by the statistics of its training images "
                f"({trained.record.data.get('name')}); name them with --trained-on"
            )
        return data.statistics(recipe)

    def done(self, trained: Trained) -> bool:
        """Return whether a record has all that is asked for, measured the same way."""
        has, suffix = trained.record.evaluations, self.suffix(trained)
        wanted = ["calibration_error", *(own.name for own in self.own)]
        wanted += [f"corrupted:{name}" for name in self.corruptions]
        sources = {own.name: own.source for own in self.own}
        return all(
            (there := has.get(key + suffix)) is not None
            and there.data == self.data.source.fingerprint
            and there.source == sources.get(key, "")
            for key in wanted
        )


def relabelled(data: DataSet, names: Sequence[str], trained: Sequence[str]) -> DataSet:
    """Return data whose labels are the places of its class names among those of the training.

    Raises Problem for a class that the training lacks.
    """
    unknown = [name for name in names if name not in set(trained)]
    if unknown:
        raise Problem(
            f"class {quoted(unknown[0])} of data {data.source.name} is none of the "
            f"{len(trained)} classes that the runs were trained on: {', '.join(trained[:10])}"
            + ", …"
            * (len(trained) > 10)
        )
    places = {name: place for place, name in enumerate(trained)}
    moved = numpy.array([places[name] for name in names])
    return replace(data, val=replace(data.val, labels=moved[data.val.labels]))
