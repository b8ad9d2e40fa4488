"""What a trade-off figure shows: rows as points of accuracy and cost, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.figures.bars import PAPER, paper_bars
from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import notes, span
from analysis.tables.table import Table
from roadmap.cost import cost
from steps.roadmaps.load import load_roadmap

AREAS = (12.0, 80.0)  # of the smallest and the largest bubble, in square points
CROWD = 30  # points; of more the front and the references alone are labelled


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What accuracy is set against; `size` is the other measure that bubbles show."""

    title: str
    unit: float
    size: str
    more_is_better: bool = False


MEASURES = {
    "macs": Measure(title="GMACs", unit=1e9, size="params"),
    "params": Measure(title="parameters, M", unit=1e6, size="macs"),
    "speed": Measure(title="training images/s", unit=1.0, size="params", more_is_better=True),
}
SIZES = {"params": ("parameters", 1e6, "M"), "macs": ("MACs", 1e9, "G")}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row or reference: top-1 and its standard deviation in percent, and its measures."""

    label: str
    group: str
    top1: float
    std: float | None
    measures: Mapping[str, float]
    branch: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether it is a model that is no row."""
        return self.group == "reference"


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """The points of one figure, its title, and what its caption says of them."""

    title: str
    points: tuple[Point, ...]
    caption: str

    @property
    def shown(self) -> list[str]:
        """The measures that any point has."""
        return [name for name in MEASURES if any(name in each.measures for each in self.points)]


def front(points: Sequence[Point], name: str) -> list[Point]:
    """The points to which none is both cheaper and more accurate, the cheapest first.

    Of points that are equal in both the first counts.
    """
    sign = -1 if MEASURES[name].more_is_better else 1
    known = [each for each in points if name in each.measures]
    found: list[Point] = []
    for each in sorted(known, key=lambda each: (sign * each.measures[name], -each.top1)):
        if not found or each.top1 > found[-1].top1:
            found.append(each)
    return found


def of_table(table: Table) -> TradeOff:
    """The trade-off of our own runs."""
    known = [row for row in table.rows if row.top1 is not None]
    points = [
        Point(
            label=_called(row.row),
            group=row.group,
            top1=row.top1,
            std=row.std,
            measures={"macs": row.gmacs * 1e9, "params": float(row.params)}
            | ({"speed": row.images_per_second} if row.images_per_second else {}),
            branch=row.branch,
        )
        for row in known
    ]
    missing = [row.row for row in table.rows if row.top1 is None]
    slow = [row.row for row in known if not row.images_per_second]
    data = (table.data or "no data yet") + (f" ({table.sizes})" if table.sizes else "")
    parts = [
        f"{table.title}: top-1 accuracy on {data} against multiply-accumulates and parameters, "
        "counted, and training images per second, the median of what was measured, whatever else "
        f"the machine did; our own runs, last epoch. n = {span(row.n for row in known)}.",
        _legend(points),
        f"Without finished runs: {', '.join(missing)}." if missing else "",
        f"Without a measured speed: {', '.join(slow)}." if slow else "",
        f"Recipe: {table.recipe}." if table.recipe else "",
        sentences(notes(table)),
    ]
    return TradeOff(title=table.title, points=tuple(points), caption=" ".join(filter(None, parts)))


def _called(number: str) -> str:
    """A row's label: its number; `−gelu` is what a study calls `without-gelu`."""
    text = number.removeprefix(REFERENCE)
    return "−" + text.removeprefix("without-") if text.startswith("without-") else text


def of_paper(name: str) -> TradeOff:
    """The trade-off of the paper's printed accuracies and GFLOPs, with our count of parameters."""
    printed, path = paper_bars(name), load_roadmap(name)
    params = {row.number: cost(row.spec.network, 224).params for row in path}
    points = tuple(
        Point(
            label=bar.number or bar.title,
            group=bar.group,
            top1=bar.top1,
            std=bar.std,
            measures={"macs": bar.gmacs * 1e9}
            | ({"params": float(params[bar.number])} if bar.number in params else {}),
            branch=bar.branch,
        )
        for bar in printed.bars
        if bar.top1 is not None and bar.gmacs is not None
    )
    n = span(bar.n for bar in printed.bars)
    caption = (
        f"{printed.title}: top-1 accuracy on {printed.data} against multiply-accumulates, both "
        f"printed in {PAPER}, and parameters, counted from our specs. n = {n}. "
        f"{_legend(points)} Recipe: {printed.recipe}. {sentences(printed.notes)}"
    )
    return TradeOff(title=f"the paper: {printed.title}", points=points, caption=caption)


def _legend(points: Sequence[Point]) -> str:
    """What marks, line and labels mean, of what is there; nothing without points."""
    if not points:
        return ""
    sizes = [
        f"{title} ({min(found) / unit:.2g} {letter} to {max(found) / unit:.2g} {letter})"
        for name, (title, unit, letter) in SIZES.items()
        if (found := [each.measures[name] for each in points if name in each.measures])
    ]
    references = [each for each in points if each.is_reference]
    unknown = [each.label for each in references if set(SIZES) - set(each.measures)]
    parts = [
        f"Areas of bubbles: {' or '.join(sizes)}, none below "
        f"{100 * AREAS[0] / AREAS[1]:.0f} % of the largest.",
        "Line: Pareto front, the points to which none is both more accurate and cheaper (faster).",
        "Hollow: side branches." if any(each.branch for each in points) else "",
        "Diamonds: reference models." if references else "",
        f"Of unknown size, drawn smallest: {', '.join(unknown)}." if unknown else "",
        "−: without that step." if any(each.label.startswith("−") for each in points) else "",
        f"Labelled: the front{' and references' * bool(references)}, of {len(points)} points."
        if len(points) > CROWD
        else "",
        "Error bars: one standard deviation over runs; a bubble hides one that is shorter."
        if any(each.std is not None for each in points)
        else "No error bars, since no row has two runs.",
    ]
    return " ".join(filter(None, parts))
