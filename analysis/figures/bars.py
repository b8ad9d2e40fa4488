"""What a roadmap figure shows, from the paper's numbers or from a table of our own runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from analysis.notes import sentences
from analysis.selection import REFERENCE
from analysis.tables.cells import notes as remarks
from analysis.tables.table import Table
from roadmap.paper import RECIPE, PaperRow, paper_rows
from steps.roadmaps.load import load_roadmap

FEW = 8  # rows with another number of runs that a caption names
PAPER = 'Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545v2'


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of a roadmap: top-1 in percent with its standard deviation over n runs, and GMACs.

    `top1`, `std` and `gmacs` are None where missing; `number` is empty for a reference.
    """

    number: str
    title: str
    group: str
    branch: bool = False
    top1: float | None = None
    std: float | None = None
    n: int = 0
    gmacs: float | None = None
    diverged: int = 0

    @property
    def is_reference(self) -> bool:
        """True for a model that is no row of the roadmap."""
        return self.group == "reference"


@dataclass(frozen=True, kw_only=True)
class Bars:
    """All bars of one figure from top to bottom, and what its caption has to say."""

    bars: tuple[Bar, ...]
    title: str
    data: str
    recipe: str
    source: str
    decimals: int
    notes: tuple[str, ...] = ()

    @property
    def reference(self) -> Bar | None:
        """The reference to compare with: the best where there are several."""
        known = [bar for bar in self.bars if bar.is_reference and bar.top1 is not None]
        return max(known, key=lambda bar: bar.top1, default=None)

    @property
    def caption(self) -> str:
        """What the figure shows, with n, data and recipe."""
        parts = [
            f"{self.title}: top-1 accuracy on {self.data} and cost (GMACs, 1e9 multiply-accumulates"
            f" per image) of every row of the roadmap; {self.source}.",
            f"n = {_counts(self.bars)}.",
            "Error bars: one standard deviation over runs; none where there is one run."
            if any(bar.std is not None for bar in self.bars)
            else "No error bars, since no row has two runs.",
            "Hatched: side branches of the row whose number they bear, from the row before it."
            if any(bar.branch for bar in self.bars)
            else "",
            f"Recipe: {self.recipe}." if self.recipe else "",
            sentences(self.notes),
        ]
        return " ".join(part for part in parts if part)


def paper_bars(table: str) -> Bars:
    """The paper's own roadmap, `resnet50` (its Table 10) or `resnet200` (Table 11)."""
    roadmap, printed = load_roadmap(table), paper_rows(table)
    name = {"resnet50": "Swin-T", "resnet200": "Swin-B"}[table]
    bars = [_paper_bar(printed[row.number], row.number, row.title, row.group) for row in roadmap]
    return Bars(
        bars=(*bars, _paper_bar(printed["swin"], "", name, "reference")),
        title=roadmap.title,
        data="ImageNet-1K",
        recipe=RECIPE,
        source=f"printed in {PAPER}, Table {10 if table == 'resnet50' else 11}",
        decimals=2,
        notes=tuple(f"row {row.row}: {row.note}" for row in printed.values() if row.note),
    )


def _paper_bar(row: PaperRow, number: str, title: str, group: str) -> Bar:
    return Bar(
        number=number,
        title=title,
        group=group,
        branch="-" in number,
        top1=row.top1,
        std=row.std,
        n=row.n,
        gmacs=row.gflops,
    )


def table_bars(table: Table) -> Bars:
    """The bars of our own runs."""
    bars = [
        Bar(
            number="" if row.group == "reference" else row.row,
            title=row.row.removeprefix(REFERENCE) if row.group == "reference" else row.title,
            group=row.group,
            branch=row.branch,
            top1=row.top1,
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
        data=(table.data or "no data yet") + (f" ({table.sizes})" if table.sizes else ""),
        recipe=table.recipe,
        source="our own runs, last epoch",
        decimals=table.decimals,
        notes=remarks(table),
    )


def aligned(left: Bars, right: Bars) -> tuple[Bars, Bars]:
    """Both with the same rows, so that they can stand side by side; what one lacks is missing.

    Rows are the same where number and title are; references stand at the end.
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
    return tuple(
        replace(each, bars=tuple(known.get(key) or _absent(key, left, right) for key in keys))
        for each, known in ((each, {_key(bar): bar for bar in each.bars}) for each in (left, right))
    )


def _key(bar: Bar) -> tuple[str, str]:
    return bar.number, bar.title


def _absent(key: tuple[str, str], left: Bars, right: Bars) -> Bar:
    known = next(bar for bar in (*left.bars, *right.bars) if _key(bar) == key)
    return replace(known, top1=None, std=None, n=0, gmacs=None, diverged=0)


def _counts(bars: tuple[Bar, ...]) -> str:
    """`3 (00: 1)`: the usual number of runs, then the rows with another."""
    counts = Counter(bar.n for bar in bars if bar.n)
    usual = counts.most_common(1)[0][0] if counts else 0
    others = [f"{bar.number or bar.title}: {bar.n}" for bar in bars if bar.n != usual]
    if len(others) > FEW:
        others = [f"{bar.number or bar.title}: {bar.n}" for bar in bars if bar.n not in (0, usual)]
        others.append("others: 0")
    return f"{usual} ({', '.join(others)})" if others else str(usual)
