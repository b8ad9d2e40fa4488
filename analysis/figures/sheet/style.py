"""One style for every figure: sizes, type, files. Colours are in `analysis.colours`."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.figures.sheet.text import printable
from analysis.figures.sheet.themes import THEMES, darken
from roadmap.errors import unknown
from roadmap.files import put_bytes, put_text

# Widths in inches, of one column and of the whole text of a two-column paper; type in points.
WIDTHS = {"one-column": 3.35, "two-column": 7.0}
TYPE = {"one-column": 6.0, "two-column": 7.5}

INK, FAINT, GRID = "#222222", "#777777", "#DDDDDD"

# No dates and no version of matplotlib in a file: the same figure is the same bytes.
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

_SOURCE = {"pdf": "Subject", "svg": "Source", "png": "Source"}  # the format's name for it


def applied() -> AbstractContextManager:
    """Return the style as a context, for drawing and for saving, without the user's own settings.

    DejaVu Sans comes with matplotlib, so figures are equal on all machines. PDF embeds it as
    TrueType (type 42), which publishers ask for. SVG draws its text as paths, since a web page or
    an editor may not have the font.
    """
    return matplotlib.rc_context(
        matplotlib.rcParamsDefault
        | {
            "font.family": "DejaVu Sans",
            "text.color": INK,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.linewidth": 0.6,
            "axes.axisbelow": True,
            "xtick.color": FAINT,
            "xtick.labelcolor": INK,
            "ytick.color": FAINT,
            "ytick.labelcolor": INK,
            "xtick.major.width": 0.6,
            "xtick.major.size": 2.5,
            "hatch.linewidth": 0.8,
            "pdf.fonttype": 42,
            "text.parse_math": False,  # a $ in a title is a $
            "svg.fonttype": "path",
            "svg.hashsalt": "roadmap",
            "savefig.dpi": 200,
        }
    )


def width_of(width: str) -> float:
    """Return the inches of one of WIDTHS. Raises Problem for an unknown name."""
    if width not in WIDTHS:
        raise unknown("width", width, WIDTHS)
    return WIDTHS[width]


class Draw(Protocol):
    """A function that draws a figure for one of WIDTHS."""

    def __call__(self, *, width: str) -> Figure:
        """Return the figure. Raises Problem for an unknown width."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure that can be drawn for every width: its name, its caption, and how.

    `summary` says in a sentence or two what the figure shows, `details` how to read it and where
    its numbers come from. `source` is the fingerprint of what it shows; the files carry it. A
    drawing with `compares` shows two sides that are also figures of their own.
    """

    name: str
    summary: str
    draw: Draw
    details: str = ""
    source: str = ""
    compares: bool = False

    @property
    def caption(self) -> str:
        """The whole caption, for a paper."""
        return printable(f"{self.summary} {self.details}".strip())


def cleaned(figure: Figure) -> Figure:
    """Replace the control characters in all texts of a figure, in place."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(printable(text.get_text()))
    return figure


def save(
    drawing: Drawing, folder: Path, *, width: str = "two-column", theme: str = "light"
) -> list[Path]:
    """Write `name`.pdf, .svg, .png (200 dpi) and the caption as .txt; return their paths.

    Raises Problem for an unknown width or theme.
    """
    check_look(width, theme)
    figure = drawing.draw(width=width)
    folder.mkdir(parents=True, exist_ok=True)
    *images, caption = paths_of(drawing, folder)
    with applied():
        cleaned(figure)
        if theme == "dark":
            darken(figure)
        for path, (kind, metadata) in zip(images, _METADATA.items(), strict=True):
            drawn = io.BytesIO()
            source = {_SOURCE[kind]: drawing.source} if drawing.source else {}
            figure.savefig(drawn, format=kind, metadata=metadata | source)
            put_bytes(path, drawn.getbuffer())
    put_text(caption, drawing.caption + "\n")
    return [*images, caption]


def check_look(width: str, theme: str) -> None:
    """Raise Problem for an unknown width or theme."""
    width_of(width)
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)


def paths_of(drawing: Drawing, folder: Path) -> list[Path]:
    """Return the files of a figure, the caption last."""
    return [folder / f"{drawing.name}.{kind}" for kind in (*_METADATA, "txt")]
