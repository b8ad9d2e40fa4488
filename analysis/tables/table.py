"""The table of a roadmap: one row per step, averaged over seeds, beside the paper's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from analysis.notes import finished, mixtures, recipes, skipped
from analysis.selection import select
from roadmap.cost import cost
from roadmap.paper import printed
from roadmap.record import Record
from roadmap.rows import Roadmap


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


def _legend(roadmap: Roadmap) -> str:
    """What the columns count, in a line or two."""
    last = roadmap.rows[-1].spec
    size, classes = last.recipe.image_size, last.network.classes
    text = (
        f"GMACs, parameters: ours, at {size} pixels, {classes} classes. Change: from the row before"
    )
    before = sorted({row.before.number for row in roadmap if row.is_branch and row.before})
    return text + (f"; of side branches from row {', '.join(before)}." if before else ".")
