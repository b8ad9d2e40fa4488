"""What a roadmap figure shows: a bar for each row, with what its caption says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from analysis.figures.sheet.units import mac_unit
from analysis.measures import Measure
from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import notes as remarks
from analysis.tables.table import Table

FEW = 8  # rows with another number of runs that a caption names
WIDE = 0.4  # of the largest value: differences of that range are visible from zero


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of a roadmap: the mean of a measure with its standard deviation, and GMACs.

    `value`, `std` and `gmacs` are None if missing. `n` counts runs. `number` is empty for a
    reference.
    """

    number: str
    title: str
    group: str
    branch: bool = False
    value: float | None = None
    std: float | None = None
    n: int = 0
    gmacs: float | None = None
    diverged: int = 0

    @property
    def is_reference(self) -> bool:
        """True for a model that is not a row of the roadmap."""
        return self.group == "reference"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """All bars of one figure from top to bottom, and the facts for its caption."""

    bars: tuple[Bar, ...]
    title: str
    measure: Measure
    data: str
    recipe: str
    source: str
    decimals: int
    notes: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[tuple[float, float], ...]:
        """The low and the high end of each value with its standard deviation."""
        return tuple(
            (bar.value - (bar.std or 0), bar.value + (bar.std or 0))
            for bar in self.bars
            if bar.value is not None
        )

    @property
    def from_zero(self) -> bool:
        """Whether the differences are visible on an axis that starts at zero."""
        if not self.ends:
            return True
        low, high = min(low for low, _ in self.ends), max(high for _, high in self.ends)
        return low >= 0 and (len(self.ends) == 1 or high - low > WIDE * high)

    @property
    def reference(self) -> tuple[str, float] | None:
        """Title and value of the reference to compare with, the best if there are several."""
        known = [
            (bar.title, bar.value)
            for bar in self.bars
            if bar.is_reference and bar.value is not None
        ]
        best = max if self.measure.better == "higher" else min
        return best(known, key=lambda pair: pair[1], default=None)

    @property
    def mac_unit(self) -> tuple[str, float]:
        """Name and size of the unit of cost."""
        return mac_unit(1e9 * bar.gmacs for bar in self.bars if bar.gmacs is not None)

    @property
    def summary(self) -> str:
        """What the figure shows, and from how many runs."""
        shown = f"{self.measure.words} on {self.data} and cost" if self.ends else "cost"
        runs = f" n = {_counts(self.bars)}."
        return f"{self.title}: {shown} of every row of the roadmap; {self.source}.{runs}"

    @property
    def caption(self) -> str:
        """Summary and details."""
        return f"{self.summary} {self.details}"

    @property
    def details(self) -> str:
        """How to read the figure, recipe and notes."""
        unit, size = self.mac_unit
        spread = any(bar.std is not None for bar in self.bars)
        parts = [
            f"Cost: {unit}, 1e{len(str(int(size))) - 1} multiply-accumulates per image.",
            "" if self.from_zero else "The axis does not start at zero.",
            "Error bars: one standard deviation over runs; none for a row with one run."
            if spread
            else "No error bars, since no row has two runs.",
            f"{'Hatched' if self.from_zero else 'Hollow'}: side branches. They start from the row "
            "before the one whose number they have."
            if any(bar.branch for bar in self.bars)
            else "",
            f"Recipe: {self.recipe}." if self.recipe else "",
            sentences(self.notes),
        ]
        return " ".join(part for part in parts if part)


def table_bars(table: Table) -> Bars:
    """Return the bars of our own runs."""
    bars = [
        Bar(
            number="" if row.group == "reference" else row.row,
            title=row.row.removeprefix(REFERENCE) if row.group == "reference" else row.title,
            group=row.group,
            branch=row.branch,
            value=row.mean,
            std=row.std,
            n=row.n,
            gmacs=row.gmacs,
            diverged=row.diverged,
        )
        for row in table.rows
    ]
    return Bars(
        bars=tuple(bars),
        title=table.title,
        measure=table.measure,
        data=(table.data or "no data yet") + (f" ({table.sizes})" if table.sizes else ""),
        recipe=table.recipe,
        source="our own runs, last epoch",
        decimals=table.decimals,
        notes=remarks(table),
    )


def aligned(left: Bars, right: Bars) -> tuple[Bars, Bars]:
    """Return both with the same rows; a row that one side lacks is missing there.

    Rows are the same if number and title are. References are at the end.
    """
    keys = [_key(bar) for bar in left.bars]
    position = 0
    for bar in right.bars:
        key = _key(bar)
        if key in keys:
            position = keys.index(key)
        else:
            position = len(keys) if bar.is_reference else position
            keys.insert(position, key)
        position += 1
    either = {_key(bar): bar for bar in (*right.bars, *left.bars)}

    def with_all(side: Bars) -> Bars:
        own = {_key(bar): bar for bar in side.bars}
        return replace(side, bars=tuple(own.get(key) or _absent(either[key]) for key in keys))

    return with_all(left), with_all(right)


def _key(bar: Bar) -> tuple[str, str]:
    return bar.number, bar.title


def _absent(bar: Bar) -> Bar:
    return replace(bar, value=None, std=None, n=0, gmacs=None, diverged=0)


def _counts(bars: tuple[Bar, ...]) -> str:
    """`3 (00: 1)`: the usual number of runs, then the rows with another."""
    counts = Counter(bar.n for bar in bars if bar.n)
    usual = counts.most_common(1)[0][0] if counts else 0
    others = [f"{bar.number or bar.title}: {bar.n}" for bar in bars if bar.n != usual]
    if len(others) > FEW:
        others = [f"{bar.number or bar.title}: {bar.n}" for bar in bars if bar.n not in (0, usual)]
        others.append("others: 0")
    return f"{usual} ({', '.join(others)})" if others else str(usual)
