"""Measure more of trained networks: on any images, at any size, by built-in and own measures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.data.source import Progress
from experiments.data.splits import DataSet, Statistics
from experiments.host.limits import memory_limit
from experiments.host.lock import lock_of
from experiments.loading.views import Evaluated
from experiments.measuring.corruptions.table import CORRUPTIONS, SEVERITIES, Corrupted
from experiments.measuring.numbers import Number, all_numbers
from experiments.measuring.own import Own
from experiments.training.checkpoint import check_identity
from experiments.training.weights import read_weights
from roadmap.errors import Problem
from roadmap.evaluation import Evaluation, pack_scores
from roadmap.network import build
from roadmap.record import Record, read_record, write_record
from roadmap.spec import Network, Recipe, Reference, from_dict

AT_ONCE = 8  # networks that see a batch before the next one is made
BATCH = 128
RECORDED = ("top1", "top5", "loss")  # a run's record has these for its own validation images


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
        return network.to(device=device, memory_format=torch.channels_last).eval()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured, on the validation images of `data`, whose classes have these `names`.

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


@dataclass
class Batches:
    """Batches of images and labels on a device, as often as they are iterated."""

    views: Evaluated
    device: torch.device
    count: Callable[[], None] = field(default=lambda: None)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        total = len(self.views.split)
        for start in range(0, total, BATCH):
            images, labels = self.views[list(range(start, min(start + BATCH, total)))]
            moved = images.to(self.device).contiguous(memory_format=torch.channels_last)
            yield moved, labels.to(self.device)
        self.count()


def evaluate(
    runs: Sequence[Trained], asked: Asked, progress: Progress, say: Callable[[str], None]
) -> list[Record]:
    """Measure runs and write the numbers into their records; return the new records.

    A record is written as soon as its run is measured, so that a stopped command loses little.
    """
    torch.set_num_threads(asked.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    passes = 1 + SEVERITIES * len(asked.corruptions)
    groups = list(_groups(runs, asked))
    done, total = 0, passes * len(groups)

    def count() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    records = []
    for group in groups:
        numbers = _measured(group, asked, device, count, say)
        for trained, those in zip(group, numbers, strict=True):
            records.append(_written(trained, asked, those))
    return records


def _groups(runs: Sequence[Trained], asked: Asked) -> Iterator[list[Trained]]:
    """Yield runs that see the same images, a few at a time."""
    alike: dict[tuple[object, ...], list[Trained]] = {}
    for trained in runs:
        recipe = asked.recipe(trained)
        statistics = asked.statistics(recipe, trained)
        key = (recipe.image_size, recipe.evaluation_crop, recipe.interpolation, statistics)
        alike.setdefault(key, []).append(trained)
    for group in alike.values():
        for start in range(0, len(group), AT_ONCE):
            yield group[start : start + AT_ONCE]


@torch.inference_mode()
def _measured(
    group: Sequence[Trained],
    asked: Asked,
    device: torch.device,
    count: Callable[[], None],
    say: Callable[[str], None],
) -> list[list[Number]]:
    """Return the numbers of each run of a group."""
    recipe, split = asked.recipe(group[0]), asked.data.val
    statistics = asked.statistics(recipe, group[0])
    networks = [trained.built(device) for trained in group]
    hold = 3 * recipe.image_size**2 * len(split) < memory_limit() / 8
    views = Evaluated(split, recipe, statistics, hold=hold)
    logits, labels = _logits(networks, Batches(views, device, count))
    numbers = []
    for trained, network, own_logits in zip(group, networks, logits, strict=True):
        those = all_numbers(own_logits, labels, asked.names)
        _compare(trained, those, asked, say)
        for own in asked.own:
            those.append(_own_number(own, network, own_logits, labels, Batches(views, device)))
        numbers.append(those)
    for name in asked.corruptions:
        shares = torch.zeros(len(group), len(split))
        for severity in range(1, SEVERITIES + 1):
            corrupted = Corrupted(views, CORRUPTIONS[name], name, severity)
            made, _ = _logits(networks, Batches(corrupted, device, count))
            shares += torch.stack([(one.argmax(1) == labels).float() for one in made])
        for those, share in zip(numbers, shares / SEVERITIES, strict=True):
            those.append(_robustness(f"corrupted:{name}", f"top-1 under {name}", share, SEVERITIES))
    if set(asked.corruptions) == set(CORRUPTIONS):
        for those in numbers:
            parts = [one.scores for one in those if one.key.startswith("corrupted:")]
            total = SEVERITIES * len(CORRUPTIONS)
            mean = torch.stack([part for part in parts if part is not None]).mean(0)
            those.append(_robustness("corrupted", "top-1 under 15 corruptions", mean, total))
    return numbers


def _robustness(key: str, label: str, scores: Tensor, parts: int) -> Number:
    value = 100 * float(scores.mean(dtype=torch.float64))
    return Number(key=key, label=label, value=value, unit="%", scores=scores, parts=parts)


def _logits(networks: Sequence[nn.Module], batches: Batches) -> tuple[list[Tensor], Tensor]:
    """Return the logits of each network, (images, classes), and the labels."""
    made: list[list[Tensor]] = [[] for _ in networks]
    labels = []
    for images, truth in batches:
        labels.append(truth.cpu())
        for network, logits in zip(networks, made, strict=True):
            logits.append(network(images).float().cpu())
    return [torch.cat(logits) for logits in made], torch.cat(labels)


def _own_number(
    own: Own, network: nn.Module, logits: Tensor, labels: Tensor, batches: Batches
) -> Number:
    given = {
        "logits": (logits.clone(), labels.clone()),
        "network": (network,),
        "batches": (network, batches),
    }
    result = own.call(*given[own.gets])
    scale = 100 if own.unit == "%" else 1
    per_image = result.dim() == 1 and len(result) == len(labels) > 1
    value = scale * float(result.mean()) if per_image else float(result.sum())
    return Number(
        key=own.name,
        label=own.label,
        value=value,
        unit=own.unit,
        better=own.better,
        decimals=3,
        scores=result if per_image else None,
    )


def _compare(
    trained: Trained, numbers: Sequence[Number], asked: Asked, say: Callable[[str], None]
) -> None:
    """Say if the run's own validation images give another accuracy than its record has."""
    recorded = trained.record.top1
    top1 = next(number.value for number in numbers if number.key == "top1")
    if not asked.suffix(trained) and recorded is not None and abs(top1 - recorded) > 0.005:
        say(
            f"{trained.name}: top-1 is {top1:.2f} % here and {recorded:.2f} % in its record "
            "(rounding on another device or precision changes a few images)"
        )


def _written(trained: Trained, asked: Asked, numbers: Sequence[Number]) -> Record:
    """Add the numbers to the run's record, as it is in its file now."""
    suffix, recipe, source = asked.suffix(trained), asked.recipe(trained), asked.data.source
    sources = {own.name: own.source for own in asked.own}
    metrics, evaluations = {}, {}
    for number in numbers:
        if number.key in RECORDED and not suffix:
            continue
        key = number.key + suffix
        metrics[key] = float(f"{number.value:.9g}")
        evaluations[key] = Evaluation(
            label=number.label + asked.words(trained),
            unit=number.unit,
            better=number.better,
            decimals=number.decimals,
            data=source.fingerprint,
            data_name=source.name,
            images=len(asked.data.val) if number.scores is None else len(number.scores),
            image_size=recipe.image_size,
            crop=recipe.evaluation_crop,
            source=sources.get(number.key, ""),
            scores=""
            if number.scores is None
            else pack_scores(number.scores.tolist(), parts=number.parts),
        )
    path = trained.folder / "record.json"
    with lock_of(trained.folder):
        record = read_record(path)
        record = replace(
            record,
            metrics={**record.metrics, **metrics},
            evaluations={**record.evaluations, **evaluations},
        )
        write_record(record, path)
    return record
