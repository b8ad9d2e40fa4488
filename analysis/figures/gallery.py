"""All figures, in order. A new figure is one file and one line in FIGURES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.figures.block import block_drawings
from analysis.figures.cost import cost_drawings
from analysis.figures.curves import curve_drawings
from analysis.figures.effects import effect_drawings
from analysis.figures.receptive_field import field_drawings
from analysis.figures.roadmap import roadmap_drawings
from analysis.figures.sheet.style import Drawing
from analysis.figures.trade_off import trade_off_drawings
from analysis.subject import Subject
from roadmap.errors import unknown


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of figure: its name, what it needs in words, and the function that draws it.

    `draw` returns no drawing of our own runs if what it `needs` is missing. `of_runs` says whether
    runs can change it.
    """

    name: str
    needs: str
    draw: Callable[[Subject], list[Drawing]]
    of_runs: bool = True


_KINDS = (
    Kind(name="roadmap", needs="a roadmap", draw=roadmap_drawings),
    Kind(
        name="effects",
        needs="finished runs of a row and of the row it starts from",
        draw=effect_drawings,
    ),
    Kind(name="trade-off", needs="finished runs", draw=trade_off_drawings),
    Kind(name="block", needs="a roadmap", draw=block_drawings, of_runs=False),
    Kind(name="cost", needs="a roadmap", draw=cost_drawings, of_runs=False),
    Kind(name="curves", needs="runs with a history", draw=curve_drawings),
    Kind(name="receptive-field", needs="a run with a receptive field", draw=field_drawings),
)
FIGURES = {kind.name: kind for kind in _KINDS}
NEED_NO_RUNS = {kind.name for kind in _KINDS if not kind.of_runs}


def drawings(figure: str, subject: Subject) -> list[Drawing]:
    """Return the drawings of one of FIGURES; a study other than a path adds its name to theirs.

    The list is empty if there is nothing to draw. Raises Problem for an unknown figure.
    """
    if figure not in FIGURES:
        raise unknown("figure", figure, FIGURES)
    kind = FIGURES[figure]
    source = f"{subject.specs}, {subject.runs}" if kind.of_runs else subject.specs
    suffix = "" if subject.is_path else f"-{subject.study.name}"
    return [
        replace(drawing, name=drawing.name + suffix, source=drawing.source or source)
        for drawing in kind.draw(subject)
    ]
