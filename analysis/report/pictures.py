"""The figures of the report: as SVG for wide and for narrow screens, numbered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analysis.figures.gallery import drawings
from analysis.figures.sheet.style import Drawing
from analysis.report.inline import inline
from analysis.subject import Subject

LARGER = 1.4  # on a screen than on paper
# The figures of the page in their order; of a study, its effects alone.
SHOWN = ("roadmap", "effects", "trade-off", "curves", "receptive-field", "cost", "block")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, with what it shows and how to read it."""

    name: str
    number: int
    title: str
    wide: Markup
    narrow: Markup
    summary: str
    details: str


def pictures(subject: Subject, names: Sequence[str] = SHOWN, *, first: int = 1) -> list[Picture]:
    """Return figures numbered from `first`. One that compares stands for those it is made of."""
    chosen = [drawing for name in names for drawing in _chosen(name, subject)]
    return [_picture(drawing, number) for number, drawing in enumerate(chosen, first)]


def _chosen(name: str, subject: Subject) -> Iterator[Drawing]:
    drawn = [
        drawing for drawing in drawings(name, subject) if not drawing.name.startswith("block-")
    ]
    comparing = [drawing for drawing in drawn if drawing.compares]
    yield from comparing or drawn


def _picture(drawing: Drawing, number: int) -> Picture:
    title = f"figure {number}: {drawing.name.replace('-', ' ')}"
    return Picture(
        name=f"figure-{drawing.name}",
        number=number,
        title=title,
        wide=inline(drawing.draw(width="two-column"), drawing.name, title, most=LARGER),
        narrow=inline(drawing.draw(width="one-column"), f"{drawing.name}-narrow", title),
        summary=drawing.summary,
        details=drawing.details,
    )
