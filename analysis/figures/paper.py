"""What a paper printed, as bars and as points; only where the measure is the paper's."""

from __future__ import annotations

from analysis.figures.bars import Bar, Bars
from analysis.figures.points import Point, TradeOff
from analysis.measures import TOP1
from analysis.notes import sentences
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.paper import Paper, PaperRow
from roadmap.rows import Roadmap


def paper_bars(path: Roadmap) -> Bars:
    """Return the bars of a roadmap whose rows its paper prints, then those of other models."""
    paper = _paper(path)
    numbers = {row.number for row in path}
    own = [_bar(paper.rows.get(row.number), row.number, row.title, row.group) for row in path]
    others = [
        _bar(row, "", row.title or row.row, "reference")
        for number, row in paper.rows.items()
        if number not in numbers
    ]
    return Bars(
        bars=(*own, *others),
        title=path.title,
        measure=TOP1,
        data=paper.data,
        recipe=paper.recipe,
        source=f"printed in {paper.source}",
        decimals=paper.decimals,
        notes=tuple(f"row {row.row}: {row.note}" for row in paper.rows.values() if row.note),
    )


def _paper(path: Roadmap) -> Paper:
    if path.paper is None:
        raise Problem(f"roadmap {path.name!r} names no table of a paper")
    return path.paper


def _bar(row: PaperRow | None, number: str, title: str, group: str) -> Bar:
    if row is None:
        return Bar(number=number, title=title, group=group, branch="-" in number)
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
    printed, paper = paper_bars(path), _paper(path)
    params = {row.number: float(cost(row.spec.network, paper.image_size).params) for row in path}
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
        f"printed in {paper.paper}, and parameters, counted from our specs",
        notes=f"Recipe: {printed.recipe}. {sentences(printed.notes)}",
    )
