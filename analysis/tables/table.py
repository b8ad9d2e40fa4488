"""The table of a roadmap: one row per step, averaged over seeds, next to the paper's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, stdev

from analysis.comparable import stands_beside_paper
from analysis.measures import TOP1, Measure
from analysis.notes import finished, mixtures, one_recipe, recipes, skipped, starts
from analysis.precision import precision
from analysis.selection import Selection, select
from roadmap.heads import spec_cost
from roadmap.paper import printed
from roadmap.record import Record
from roadmap.rows import Roadmap, Row
from roadmap.spec import to_dict
from roadmap.speed import NONE, Speeds
from roadmap.text import counted
from roadmap.unfinished import Unfinished


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row; `mean` is the measure's over `n` finished runs, in the last epoch; None is missing.

    `std` is the sample standard deviation, None below two runs. `change` is the difference of means
    from the row this one starts from. `paper_mean` and `paper_std` are the paper's numbers for the
    same measure. `gmacs` (1e9 multiply-accumulates) and `params` are the network's own, for another
    task those of backbone and head at the task's `cost_size`.
    `images_per_second` is the median of what the runs recorded in training; it includes whatever
    else the machine did, and is in CSV and JSON only. `speed` is measured by `roadmap speed`: the
    median of training images/s.
    """

    row: str
    step: str
    title: str
    group: str
    branch: bool
    mean: float | None
    std: float | None
    n: int
    change: float | None
    paper_mean: float | None
    paper_std: float | None
    paper_gflops: float | None
    gmacs: float
    params: int
    images_per_second: float | None
    diverged: int
    speed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """The rows of a roadmap, then reference rows; `notes` say what was left out or is mixed.

    `precision` says how little the accuracies can tell. `beside_paper` says whether the paper's
    columns are shown; CSV and JSON always have them, so that a program finds the same columns.
    `unfinished` is by row number what the furthest run without a record has reached: `45.1 at 3/5`,
    the measure after 3 of 5 epochs.
    `sizes` (of the data) and `recipe` are in words, for captions; `legend` explains the columns.
    """

    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()
    title: str = ""
    data: str | None = None
    sizes: str = ""
    recipe: str = ""
    legend: str = ""
    measure: Measure = TOP1
    beside_paper: bool = True
    unfinished: Mapping[str, str] = field(default_factory=dict)

    @property
    def decimals(self) -> int:
        """Decimals of the measure; one more if most rows spread by less than 1.5 of the last."""
        spreads = [row.std for row in self.rows if row.std is not None]
        decimals = self.measure.decimals
        return decimals + 1 if spreads and median(spreads) < 1.5 / 10**decimals else decimals


def tabulate(
    roadmap: Roadmap,
    runs: Selection | Sequence[Record],
    *,
    data: str | None = None,
    measure: Measure = TOP1,
    paper: bool = False,
    speeds: Speeds = NONE,
) -> Table:
    """Return the table of a roadmap from a selection of its runs, or from records.

    `data` is the data set's name or fingerprint. The default is the roadmap's own, else the only
    one in the records. The paper's columns are shown if the data are the roadmap's, or with
    `paper`. `speeds` fill the column of speed. Raises Problem naming the data sets if the choice is
    open.
    """
    selection = select(roadmap, runs, data)
    rows: dict[str, TableRow] = {}
    for row in selection.roadmap:
        before = rows[row.before.number].mean if row.before else None
        chosen = selection.rows.get(row.number, ())
        rows[row.number] = _row(selection.roadmap, row, chosen, before, measure, speeds)
    references = tuple(_reference(runs, measure, speeds) for runs in selection.references.values())
    named = {name: runs for (name, _), runs in selection.references.items()}
    notes = (
        *_not_finished(selection),
        *_twice(references),
        *one_recipe(selection.roadmap),
        *starts({**selection.rows, **named}),
        *skipped(selection.runs),
        *mixtures(finished(selection.runs)),
    )
    measured = any(row.speed is not None for row in (*rows.values(), *references))
    speed_notes = speeds.notes if measured else ()
    return Table(
        rows=(*rows.values(), *references),
        notes=(*selection.notes, *notes, *speed_notes),
        precision=precision(selection.rows, measure),
        legend=_legend(selection.roadmap),
        title=roadmap.title,
        data=selection.data,
        sizes=selection.sizes,
        recipe=recipes(selection.roadmap, selection.runs),
        measure=measure,
        beside_paper=stands_beside_paper(roadmap, selection, asked=paper),
        unfinished={
            number: _reached(found, measure) for number, found in selection.unfinished.items()
        },
    )


def _reached(runs: Sequence[Unfinished], measure: Measure) -> str:
    """Return the measure and the epochs of the run that is furthest."""
    run = max(runs, key=lambda each: len(each.history))
    number = run.history[-1].get(measure.key) if run.history else None
    return f"{'–' if number is None else f'{number:.{measure.decimals}f}'} at {run.progress}"


def _row(
    roadmap: Roadmap,
    row: Row,
    runs: Sequence[Record],
    before: float | None,
    measure: Measure,
    speeds: Speeds,
) -> TableRow:
    own = spec_cost(row.spec)
    paper = printed(roadmap.paper, row.number, row.step)
    same = paper if measure.in_paper else None
    numbers = measure.values(runs)
    return TableRow(
        row=row.number,
        step=row.step,
        title=row.title,
        group=row.group,
        branch=row.is_branch,
        mean=_mean(numbers),
        std=_std(numbers),
        n=len(numbers),
        change=None if before is None or not numbers else fmean(numbers) - before,
        paper_mean=same.top1 if same else None,
        paper_std=same.std if same else None,
        paper_gflops=paper.gflops if paper else None,
        gmacs=own.macs / 1e9,
        params=own.params,
        images_per_second=_speed(runs),
        diverged=_diverged(runs),
        speed=speeds.training(to_dict(row.spec)),
    )


def _reference(runs: Sequence[Record], measure: Measure, speeds: Speeds) -> TableRow:
    label, numbers = runs[0].label, measure.values(runs)
    return TableRow(
        row=label.row,
        step=label.step,
        title=label.title,
        group="reference",
        branch=False,
        mean=_mean(numbers),
        std=_std(numbers),
        n=len(numbers),
        change=None,
        paper_mean=None,
        paper_std=None,
        paper_gflops=None,
        gmacs=runs[0].macs / 1e9,
        params=runs[0].params,
        images_per_second=_speed(runs),
        diverged=_diverged(runs),
        speed=speeds.training(runs[0].spec),
    )


def _mean(numbers: Sequence[float]) -> float | None:
    return fmean(numbers) if numbers else None


def _std(numbers: Sequence[float]) -> float | None:
    return stdev(numbers) if len(numbers) > 1 else None


def _speed(runs: Iterable[Record]) -> float | None:
    speeds = [run.images_per_second for run in runs if run.status == "finished"]
    return median(speeds) if speeds else None


def _diverged(runs: Iterable[Record]) -> int:
    return sum(run.status == "diverged" for run in runs)


def _not_finished(selection: Selection) -> list[str]:
    """Return a note that names the unfinished runs of each row."""
    rows = [
        f"{number} ({', '.join(f'seed {run.begun.identity.seed}: {run.progress}' for run in runs)})"
        for number, runs in selection.unfinished.items()
    ]
    return [f"not finished, not averaged (epochs done): {', '.join(rows)}"] if rows else []


def _twice(references: Sequence[TableRow]) -> list[str]:
    counts = Counter(row.row for row in references)
    return [
        f"{name} stands there {count} times, with different settings of the model"
        for name, count in counts.items()
        if count > 1
    ]


def _legend(roadmap: Roadmap) -> str:
    """Explain the columns in a line or two."""
    last = roadmap.rows[-1].spec
    size, classes = str(last.recipe.image_size), last.network.classes
    if last.recipe.task is not None:
        size = "{} × {}".format(*last.recipe.task.cost_size)
    whose = "ours" if last.recipe.task is None else "backbone and head"
    text = f"GMACs, parameters: {whose}, at {size} pixels, {counted(classes, 'class')}. "
    text += "Change: from the row before"
    before = sorted({row.before.number for row in roadmap if row.is_branch and row.before})
    return text + (f"; of side branches from row {', '.join(before)}." if before else ".")
