"""What the paper printed, as bars and as points; only where the measure is the paper's."""

from __future__ import annotations

from analysis.figures.bars import Bar, Bars
from analysis.figures.points import Point, TradeOff
from analysis.measures import TOP1
from analysis.notes import sentences
from roadmap.cost import cost
from roadmap.paper import RECIPE, PaperRow, paper_rows
from roadmap.rows import Roadmap

PAPER = 'Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545v2'
TABLES = {"resnet50": (10, "Swin-T"), "resnet200": (11, "Swin-B")}  # and the model compared with


def paper_bars(path: Roadmap) -> Bars:
    """Return the bars of the roadmap that is one of the paper's tables."""
    printed = paper_rows(path.name)
    table, swin = TABLES[path.name]
    bars = [_bar(printed[row.number], row.number, row.title, row.group) for row in path]
    return Bars(
        bars=(*bars, _bar(printed["swin"], "", swin, "reference")),
        title=path.title,
        measure=TOP1,
        data="ImageNet-1K",
        recipe=RECIPE,
        source=f"printed in {PAPER}, Table {table}",
        decimals=2,
        notes=tuple(f"row {row.row}: {row.note}" for row in printed.values() if row.note),
    )


def _bar(row: PaperRow, number: str, title: str, group: str) -> Bar:
    return Bar(
        number=number,
        title=title,
        group=group,
        branch="-" in number,
        value=row.top1,
        std=row.std,
        n=row.n,
        gmacs=row.gflops,
    )


def paper_points(path: Roadmap) -> TradeOff:
    """Return the trade-off of the printed accuracies and GFLOPs, with our count of parameters."""
    printed = paper_bars(path)
    params = {row.number: float(cost(row.spec.network, 224).params) for row in path}
    points = [
        Point(
            label=bar.number or bar.title,
            group=bar.group,
            value=bar.value,
            std=bar.std,
            costs={"macs": bar.gmacs * 1e9}
            | ({"params": params[bar.number]} if bar.number in params else {}),
            branch=bar.branch,
            n=bar.n,
        )
        for bar in printed.bars
        if bar.value is not None and bar.gmacs is not None
    ]
    return TradeOff(
        title=f"the paper: {printed.title}",
        measure=TOP1,
        points=tuple(points),
        about=f"{printed.measure.words} on {printed.data} against multiply-accumulates, both "
        f"printed in {PAPER}, and parameters, counted from our specs",
        notes=f"Recipe: {printed.recipe}. {sentences(printed.notes)}",
    )
