"""What a trade-off figure shows: rows as points of a measure and of cost, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.figures.sheet.units import mac_unit
from analysis.measures import Measure
from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import notes, span
from analysis.tables.table import Table, TableRow
from roadmap.text import counted

AREAS = (12.0, 80.0)  # of the smallest and the largest bubble, in square points
CROWD = 30  # points; of more, only the front and the references are labelled


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A cost that the measure is set against; `size` is the other cost, which bubbles show."""

    title: str
    unit: float
    size: str
    more_is_better: bool = False


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row or reference: the mean of the measure with its standard deviation, and its costs."""

    label: str
    group: str
    value: float
    std: float | None
    costs: Mapping[str, float]
    branch: bool = False
    n: int = 0

    @property
    def is_reference(self) -> bool:
        """Whether it is a model that is not a row."""
        return self.group == "reference"


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """The points of one figure, its title, what it is about, and notes for its caption."""

    title: str
    measure: Measure
    points: tuple[Point, ...]
    about: str = ""
    notes: str = ""

    @property
    def axes(self) -> dict[str, Axis]:
        """The costs that any point has, by key; not the measure itself."""
        name, unit = mac_unit(point.costs["macs"] for point in self.points if "macs" in point.costs)
        axes = {
            "macs": Axis(title=name, unit=unit, size="params"),
            "params": Axis(title="parameters, M", unit=1e6, size="macs"),
            "speed": Axis(title="training images/s", unit=1.0, size="params", more_is_better=True),
        }
        if self.measure.key == "images_per_second":
            del axes["speed"]
        return {
            key: axis
            for key, axis in axes.items()
            if any(key in point.costs for point in self.points)
        }

    def front(self, key: str) -> list[Point]:
        """Return the points to which none is both cheaper and better, the cheapest first.

        Of points that are equal in both, the first counts.
        """
        dear = -1 if self.axes[key].more_is_better else 1
        good = 1 if self.measure.better == "higher" else -1
        known = [point for point in self.points if key in point.costs]
        ahead: list[Point] = []
        for point in sorted(known, key=lambda p: (dear * p.costs[key], -good * p.value)):
            if not ahead or good * point.value > good * ahead[-1].value:
                ahead.append(point)
        return ahead

    def size(self, key: str, number: float) -> str:
        """Return a cost that bubbles show, in words."""
        name, unit = {"macs": mac_unit([number]), "params": ("M", 1e6)}[key]
        return f"{number / unit:.2g} {name}"

    @property
    def summary(self) -> str:
        """What the figure shows, and from how many runs."""
        return f"{self.title}: {self.about}. n = {span(point.n for point in self.points)}."

    @property
    def details(self) -> str:
        """What marks, line and labels mean, and notes."""
        points = self.points
        sizes = []
        for key, title in {"params": "parameters", "macs": "multiply-accumulates"}.items():
            counts = [point.costs[key] for point in points if key in point.costs]
            if counts:
                ends = (self.size(key, min(counts)), self.size(key, max(counts)))
                sizes.append(f"{title} ({ends[0]} to {ends[1]})")
        references = [point for point in points if point.is_reference]
        unknown = [point.label for point in references if {"params", "macs"} - set(point.costs)]
        parts = [
            f"Areas of bubbles: {' or '.join(sizes)}, none below "
            f"{100 * AREAS[0] / AREAS[1]:.0f} % of the largest.",
            "Line: Pareto front, the points to which none is both better and cheaper (faster).",
            "Hollow: side branches." if any(point.branch for point in points) else "",
            "Diamonds: reference models." if references else "",
            f"Of unknown size, drawn smallest: {', '.join(unknown)}." if unknown else "",
            "−: without that step." if any(point.label[0] == "−" for point in points) else "",
            f"Labelled: the front{' and references' * bool(references)}, of "
            f"{counted(len(points), 'point')}."
            if len(points) > CROWD
            else "",
            "Error bars: one standard deviation over runs; a bubble hides one that is shorter."
            if any(point.std is not None for point in points)
            else "No error bars, since no row has two runs.",
            self.notes,
        ]
        return " ".join(part for part in parts if part)


def table_points(table: Table) -> TradeOff:
    """Return the trade-off of our own runs."""
    missing = [row.row for row in table.rows if row.mean is None]
    slow = [row.row for row in table.rows if row.mean is not None and not row.speed]
    timed = any(row.speed for row in table.rows)
    data = (table.data or "no data yet") + (f" ({table.sizes})" if table.sizes else "")
    remarks = [
        "Speed: training images/s by `roadmap speed`, median of rounds." if timed else "",
        f"Without finished runs: {', '.join(missing)}." if missing else "",
        f"Without a measured speed: {', '.join(slow)}." if timed and slow else "",
        f"Recipe: {table.recipe}." if table.recipe else "",
        sentences(notes(table)),
    ]
    return TradeOff(
        title=table.title,
        measure=table.measure,
        points=tuple(_point(row, row.mean) for row in table.rows if row.mean is not None),
        about=f"{table.measure.words} on {data} against multiply-accumulates, parameters"
        f"{' and training speed' * timed}; our own runs, last epoch",
        notes=" ".join(remark for remark in remarks if remark),
    )


def _point(row: TableRow, value: float) -> Point:
    speed = {"speed": row.speed} if row.speed else {}
    return Point(
        label=_called(row.row),
        group=row.group,
        value=value,
        std=row.std,
        costs={"macs": row.gmacs * 1e9, "params": float(row.params), **speed},
        branch=row.branch,
        n=row.n,
    )


def _called(number: str) -> str:
    """Return the label of a row: its number, or `−gelu` for the variant `without-gelu`."""
    text = number.removeprefix(REFERENCE)
    return "−" + text.removeprefix("without-") if text.startswith("without-") else text
