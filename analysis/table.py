"""The table of a roadmap: one row per step, averaged over seeds, beside the paper's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, median, stdev

from analysis.selection import select
from roadmap.cost import cost
from roadmap.paper import printed
from roadmap.record import Provenance, Record
from roadmap.spec import Recipe
from steps.path import Roadmap


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row; accuracies are percentages of the last epoch, None is missing.

    `std` is the sample standard deviation over `n` finished runs, None below two. `change` is the
    difference of means from the row this one starts from. `gmacs` (1e9 multiply-accumulates) and
    `params` are the network's own, `images_per_second` is the median and counts training images.
    """

    row: str
    step: str
    title: str
    group: str
    branch: bool
    top1: float | None
    std: float | None
    n: int
    change: float | None
    paper_top1: float | None
    paper_std: float | None
    paper_gflops: float | None
    gmacs: float
    params: int
    images_per_second: float | None
    diverged: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a roadmap, then reference rows; `notes` say what was left out or is mixed.

    `sizes` (of the data) and `recipe` are in words, for captions; `legend` explains the columns.
    """

    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    title: str = ""
    data: str | None = None
    sizes: str = ""
    recipe: str = ""
    legend: str = ""

    @property
    def decimals(self) -> int:
        """Decimals of an accuracy that the spread allows: two where it is mostly below 0.15."""
        spreads = [row.std for row in self.rows if row.std is not None]
        return 2 if spreads and median(spreads) < 0.15 else 1


def tabulate(roadmap: Roadmap, records: Sequence[Record], *, data: str | None = None) -> Table:
    """The table of a roadmap from the records of its runs on one data set.

    `data` is the data set's name (or fingerprint), by default the roadmap's own, else the only one
    there is. Raises Problem naming the data sets where the choice is open.
    """
    chosen = select(roadmap, records, data)
    if chosen.classes is not None:
        roadmap = roadmap.with_classes(chosen.classes)
    rows: dict[str, TableRow] = {}
    for row in roadmap:
        runs = chosen.rows.get(row.number, ())
        own = cost(row.spec.network, row.spec.recipe.image_size)
        before = rows[row.before.number].top1 if row.before else None
        paper = printed(roadmap.paper, row.number, row.step)
        mean = _mean(run.top1 for run in finished(runs))
        rows[row.number] = TableRow(
            row=row.number,
            step=row.step,
            title=row.title,
            group=row.group,
            branch=row.is_branch,
            change=None if mean is None or before is None else mean - before,
            paper_top1=paper.top1 if paper else None,
            paper_std=paper.std if paper else None,
            paper_gflops=paper.gflops if paper else None,
            gmacs=own.gmacs,
            params=own.params,
            **_statistics(runs),
        )
    references = tuple(_reference(runs) for runs in chosen.references.values())
    runs = [run for group in (chosen.rows, chosen.references) for each in group.values()
            for run in each]  # fmt: skip
    return Table(
        rows=(*rows.values(), *references),
        notes=(*chosen.notes, *_twice(references), *skipped(runs), *mixtures(finished(runs))),
        legend=_legend(roadmap),
        title=roadmap.title,
        data=chosen.data,
        sizes=chosen.sizes,
        recipe=recipes(roadmap),
    )


def _reference(runs: Sequence[Record]) -> TableRow:
    label = runs[0].label
    return TableRow(
        row=label.row,
        step=label.step,
        title=label.title,
        group="reference",
        branch=False,
        change=None,
        paper_top1=None,
        paper_std=None,
        paper_gflops=None,
        gmacs=runs[0].macs / 1e9,
        params=runs[0].params,
        **_statistics(runs),
    )


def _statistics(runs: Sequence[Record]) -> dict:
    """What the runs of one row say together; diverged ones are counted, never averaged."""
    averaged = finished(runs)
    top1 = [run.top1 for run in averaged]
    return {
        "top1": _mean(top1),
        "std": stdev(top1) if len(top1) > 1 else None,
        "n": len(top1),
        "images_per_second": _median(run.images_per_second for run in averaged),
        "diverged": len(runs) - len(averaged),
    }


def finished(runs: Sequence[Record]) -> list[Record]:
    """Those that have an accuracy."""
    return [run for run in runs if run.status == "finished"]


def _median(numbers) -> float | None:
    numbers = list(numbers)
    return median(numbers) if numbers else None


def _mean(numbers) -> float | None:
    numbers = list(numbers)
    return fmean(numbers) if numbers else None


def _twice(references: Sequence[TableRow]) -> list[str]:
    counts = Counter(row.row for row in references)
    return [
        f"{name} stands there {count} times, with different settings of the model"
        for name, count in counts.items()
        if count > 1
    ]


def sentences(notes: Iterable[str]) -> str:
    """Notes as running text, for a caption."""
    return " ".join(f"{note[0].upper()}{note[1:]}." for note in notes)


def skipped(runs: Sequence[Record]) -> list[str]:
    """A note where all runs lack the same number of training images."""
    (number, *others) = {run.data.get("skipped", 0) for run in runs} or {0}
    if others or not number:
        return []
    return [f"without {number:,} training images that cannot be opened (--broken skip)"]


def mixtures(runs: Sequence[Record]) -> list[str]:
    """One note per circumstance in which the runs differ; rounding, and so accuracy, may too."""
    circumstances = {"hardware": [run.provenance.hardware for run in runs],
                     "commit": [run.provenance.commit or "unknown" for run in runs],
                     "threads": [str(run.provenance.threads) for run in runs],
                     "precision": [run.provenance.precision for run in runs],
                     "devices": [str(_devices(run.provenance)) for run in runs],
                     "portions of a batch": [_portions(run.provenance) for run in runs],
                     "compiling": [str(run.provenance.compiled) for run in runs],
                     "images left out": [str(run.data.get("skipped", 0)) for run in runs],
                     }  # fmt: skip
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


def _portions(provenance: Provenance) -> str:
    synced = " with BatchNorm over all" if provenance.sync_batchnorm else ""
    return f"{_devices(provenance) * provenance.accumulate}{synced}"


def _by_row(runs: Sequence[Record], values: Sequence[str]) -> str:
    """`1 in 12 runs, 2 in 1 run (05)`: how many runs have each value; of all but most, the rows."""
    counts = Counter(values).most_common()
    parts = []
    for value, count in counts:
        rows = sorted(
            {run.label.row for run, its in zip(runs, values, strict=True) if its == value}
        )
        listed = ", ".join(rows) if len(rows) < 7 else f"of {len(rows)} rows"
        named = f" ({listed})" if value != counts[0][0] else ""
        parts.append(f"{value} in {count} run{'s' * (count > 1)}{named}")
    return ", ".join(parts)


def _legend(roadmap: Roadmap) -> str:
    """What the columns count, in a line or two."""
    last = roadmap.rows[-1].spec
    size, classes = last.recipe.image_size, last.network.classes
    text = (
        f"GMACs, parameters: ours, at {size} pixels, {classes} classes. Change: from the row before"
    )
    before = sorted({row.before.number for row in roadmap if row.is_branch and row.before})
    return text + (f"; of side branches from row {', '.join(before)}." if before else ".")


def recipes(roadmap: Roadmap) -> str:
    """The recipes of a roadmap in words, each with the rows it is for."""
    rows = [row for row in roadmap if not row.is_branch]
    parts = []
    for recipe, group in groupby(rows, key=lambda row: row.spec.recipe):
        numbers = [row.number for row in group]
        name = f"row {numbers[0]}" if len(numbers) == 1 else f"rows {numbers[0]}–{numbers[-1]}"
        parts.append(f"{name}: {_in_words(recipe)}")
    return "; ".join(parts)


def _in_words(recipe: Recipe) -> str:
    optimizer = {"sgd": "SGD", "adamw": "AdamW"}[recipe.optimizer]
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    return f"{optimizer}, {epochs}, batch {recipe.batch}, {recipe.image_size} px"
