"""Measure more of trained networks: on any images, at any size, by built-in and own measures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from experiments.data.source import Progress
from experiments.host.limits import memory_limit
from experiments.host.lock import lock_of
from experiments.loading.views import Evaluated
from experiments.measuring.asked import Asked, Trained
from experiments.measuring.corruptions.table import CORRUPTIONS, SEVERITIES, Corrupted
from experiments.measuring.numbers import Number, all_numbers
from experiments.measuring.own import Own
from roadmap.evaluation import Evaluation, pack_scores
from roadmap.record import Record, read_record, write_record

AT_ONCE = 8  # networks that see a batch before the next one is made
BATCH = 128
RECORDED = ("top1", "top5", "loss")  # a run's record has these for its own validation images


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


@torch.no_grad()
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
            copied = copy.deepcopy(network)  # what one measure changes, no other sees
            those.append(_own_number(own, copied, own_logits, labels, Batches(views, device)))
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
