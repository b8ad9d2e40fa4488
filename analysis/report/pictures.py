"""The figures of the report as SVG, numbered; each is drawn once, for one column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from analysis.figures.drawn import Images, key_of
from analysis.figures.gallery import drawings
from analysis.figures.sheet.style import Drawing
from analysis.notes import finished, mixtures, sentences
from analysis.report.inline import inline
from analysis.subject import Subject

WIDTH, LARGER = "one-column", 1.6  # on a screen than on paper
# The figures of the page in their order; of a study, its effects alone.
SHOWN = ("roadmap", "effects", "trade-off", "curves", "receptive-field", "cost", "block")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, with what it shows and how to read it."""

    name: str
    number: int
    title: str
    image: Markup
    summary: str
    details: str


def pictures(
    subject: Subject, cache: Images, names: Sequence[str] = SHOWN, *, first: int = 1
) -> list[Picture]:
    """Return figures numbered from `first`; of our runs first, then the paper's.

    A figure of a comparison stands for those that it is made of, except the roadmap's own.
    """
    chosen = [drawing for name in names for drawing in _chosen(name, subject)]
    mixed = mixtures(finished(subject.selection.runs))  # commits, versions: in provenance
    unsaid = [sentences([note]) for note in mixed]
    return [
        _picture(drawing, key_of(drawing, subject), number, cache, unsaid)
        for number, drawing in enumerate(chosen, first)
    ]


def _chosen(name: str, subject: Subject) -> Iterator[Drawing]:
    drawn = [one for one in drawings(name, subject) if not one.name.startswith("block-")]
    comparing = [one for one in drawn if one.compares]
    if name == "roadmap":
        yield from [one for one in drawn if one.compares or not one.name.startswith("paper-")]
        yield from [] if comparing else [one for one in drawn if one.name.startswith("paper-")]
        return
    own = [one for one in drawn if not one.name.startswith("paper-")]
    yield from comparing or own or drawn


def _picture(
    drawing: Drawing, key: object, number: int, cache: Images, unsaid: Sequence[str]
) -> Picture:
    """Return a figure for the page, without the sentences `unsaid` in its details."""
    title = f"figure {number}: {drawing.name.replace('-', ' ')}"

    def draw() -> Markup:
        return inline(drawing.draw(width=WIDTH), drawing.name, title, most=LARGER)

    details = drawing.details
    for sentence in unsaid:
        details = details.replace(sentence, "").strip()
    return Picture(
        name=f"figure-{drawing.name}",
        number=number,
        title=title,
        image=cache.get([number, key], draw),
        summary=drawing.summary.replace(" (above in one column)", " (above)")
        .replace("Left (above)", "Above")
        .replace("Right (below)", "Below"),
        details=details.replace("Left: ", "Above: ").replace("Right: ", "Below: "),
    )
