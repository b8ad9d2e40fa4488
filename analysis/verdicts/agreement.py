"""Analysis/verdicts/agreement.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.verdicts.paper import paper_cells
from analysis.verdicts.statistics import (
    Cell,
    difference,
    rank_correlation,
)
from analysis.verdicts.verdict import Agreement, Verdict
from roadmap.paper import printed
from steps.studies.study import Study


def find_agreements(
    study: Study, cells: Mapping[str, Cell], verdicts: Sequence[Verdict]
) -> tuple[Agreement, ...]:
    """Rank correlations with the paper's table: of rows, and of what each step adds."""
    table = study.roadmap.paper
    known = paper_cells(table) if table else {}
    paper = {  # rows of the paper's are those with its number and its step
        row.number: known[row.number]
        for row in study.roadmap
        if printed(table, row.number, row.step) is not None
    }
    rows = [number for number in cells if number in paper]
    contrasts = {each.step: each for each in study.contrasts}
    steps = [
        (each.difference, difference(paper, contrasts[each.step].weights).value)
        for each in verdicts
        if each.difference is not None
        and all(name in paper for name in contrasts[each.step].weights)
    ]
    pairs = {
        "rows": ([cells[number].mean for number in rows], [paper[number].mean for number in rows]),
        "what steps add": ([one for one, _ in steps], [other for _, other in steps]),
    }
    found = []
    for name, (ours, paper_values) in pairs.items():
        if (ranked := rank_correlation(ours, paper_values)) is not None:
            correlation, interval = ranked
            low, high = interval if interval and name != "rows" else (None, None)
            found.append(
                Agreement(of=name, correlation=correlation, low=low, high=high, pairs=len(ours))
            )
    return tuple(found)
