"""Notes in words: how runs differ in provenance, and the recipes of a roadmap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from roadmap.optimizers import title
from roadmap.record import Provenance, Record
from roadmap.rows import Roadmap
from roadmap.spec import Recipe, Spec
from roadmap.text import difference


def finished(runs: Sequence[Record]) -> list[Record]:
    """Return the runs that finished."""
    return [run for run in runs if run.status == "finished"]


def sentences(notes: Iterable[str]) -> str:
    """Return notes as running text, for a caption."""
    return " ".join(f"{note[0].upper()}{note[1:]}." for note in notes)


def skipped(runs: Sequence[Record]) -> list[str]:
    """Return a note if all runs lack the same number of training images."""
    (number, *others) = {run.data.get("skipped", 0) for run in runs} or {0}
    if others or not number:
        return []
    return [f"without {number:,} training images that cannot be opened (--broken skip)"]


def starts(rows: Mapping[str, Sequence[Record]]) -> list[str]:
    """Return a note on what the runs of each row started from, if any has weights to start from."""
    shares: dict[str, dict[str, float]] = {}
    for number, runs in rows.items():
        for start in (run.weights for run in runs if run.weights is not None):
            source = f"{start.source} ({start.fingerprint})"
            shares.setdefault(source, {})[number] = start.share
    notes = [
        f"started from weights {source}: "
        + ", ".join(f"{number} ({share:g} % of parameters)" for number, share in own.items())
        for source, own in shares.items()
    ]
    taken = {number for own in shares.values() for number in own}
    random = ", ".join(number for number, runs in rows.items() if runs and number not in taken)
    if notes and random:
        notes.append(f"trained from random weights, not from these: {random}")
    return notes


def one_recipe(roadmap: Roadmap) -> list[str]:
    """Return a note on each step that changes the recipe, if the recipe of a task replaces it."""
    if roadmap.task is None:
        return []
    return [
        f"{row.number} {row.title}: the recipe is that of the task in all rows, so the row differs "
        f"from {row.before.number} by {', '.join(_changed(row.before.spec, row.spec)) or 'nothing'}"
        for row in roadmap
        if row.step == "training_recipe"
        and row.before
        and row.before.spec.recipe == row.spec.recipe
    ]


def _changed(before: Spec, after: Spec) -> list[str]:
    """Return the lines that a spec has after a change, in words: `drop path 0.05`."""
    lines = (line for line in difference(before, after) if line.startswith("+"))
    return [line.removeprefix("+").strip().replace(": ", " ", 1) for line in lines]


def mixtures(runs: Sequence[Record]) -> list[str]:
    """Return one note per circumstance in which the runs differ: it may change rounding."""
    circumstances = {
        "hardware": [run.provenance.hardware for run in runs],
        "commit": [run.provenance.commit or "unknown" for run in runs],
        "threads": [str(run.provenance.threads) for run in runs],
        "precision": [run.provenance.precision for run in runs],
        "devices": [str(_devices(run.provenance)) for run in runs],
        "micro-batches": [_micro_batches(run.provenance) for run in runs],
        "compiling": [str(run.provenance.compiled) for run in runs],
        "images left out": [str(run.data.get("skipped", 0)) for run in runs],
    }
    for library in sorted({name for run in runs for name in run.provenance.versions}):
        versions = [run.provenance.versions.get(library, "unknown") for run in runs]
        circumstances[f"versions of {library}"] = versions
    return [
        f"the runs differ in {what}: {_by_row(runs, values)}"
        for what, values in circumstances.items()
        if len(set(values)) > 1
    ]


def _devices(provenance: Provenance) -> int:
    return provenance.devices * provenance.nodes


def _micro_batches(provenance: Provenance) -> str:
    synced = " with BatchNorm over all" if provenance.sync_batchnorm else ""
    return f"{_devices(provenance) * provenance.accumulate}{synced}"


def _by_row(runs: Sequence[Record], values: Sequence[str]) -> str:
    """Return `1 in 12 runs, 2 in 1 run (05)`: runs per value, with rows for all but the first."""
    counts = Counter(values).most_common()
    parts = []
    for value, count in counts:
        rows = sorted(
            {run.label.row for run, own in zip(runs, values, strict=True) if own == value}
        )
        listed = ", ".join(rows) if len(rows) < 7 else f"of {len(rows)} rows"
        named = f" ({listed})" if value != counts[0][0] else ""
        parts.append(f"{value} in {count} run{'s' * (count > 1)}{named}")
    return ", ".join(parts)


def recipes(roadmap: Roadmap, runs: Sequence[Record] = ()) -> str:
    """Return the recipes of a roadmap in words, each with its rows.

    The number of steps is that of the runs, if all have equally many training images.
    """
    sizes = {run.data.get("train") for run in runs}
    images = sizes.pop() if len(sizes) == 1 else None
    rows = [row for row in roadmap if not row.is_branch]
    parts = []
    for recipe, group in groupby(rows, key=lambda row: row.spec.recipe):
        numbers = [row.number for row in group]
        name = f"row {numbers[0]}" if len(numbers) == 1 else f"rows {numbers[0]}–{numbers[-1]}"
        parts.append(f"{name}: {_in_words(recipe, images)}")
    return "; ".join(parts)


def _in_words(recipe: Recipe, images: int | None) -> str:
    optimizer = title(recipe.optimizer)
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    if images:
        epochs += f" ({recipe.epochs * (images // recipe.batch):,} steps)"
    rate = recipe.learning_rate * recipe.batch / recipe.base_batch
    return (
        f"{optimizer}, learning rate {rate:g}, {epochs}, batch {recipe.batch}, "
        f"{recipe.image_size} px"
    )
