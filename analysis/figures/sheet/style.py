"""One style for every figure: sizes, type, files. Colours are in `analysis.colours`."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from analysis.figures.sheet.themes import THEMES, darken
from roadmap.errors import unknown
from roadmap.files import put_bytes, put_text

# Widths in inches, of one column and of the whole text of a two-column paper; type in points.
WIDTHS = {"one-column": 3.35, "two-column": 7.0}
TYPE = {"one-column": 6.0, "two-column": 7.5}

INK, FAINT, GRID = "#222222", "#777777", "#DDDDDD"


def applied() -> AbstractContextManager:
    """The style, for drawing and for saving, and nothing of the user's own settings.

    DejaVu Sans comes with matplotlib, so that figures are equal everywhere. PDF embeds it as
    TrueType, which publishers ask for (type 42); SVG draws its text as paths, since a web page or
    an editor need not have the font.
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
    """Inches of one of WIDTHS; raises Problem for another."""
    if width not in WIDTHS:
        raise unknown("width", width, WIDTHS)
    return WIDTHS[width]


# No dates and no version of matplotlib in a file: the same figure is the same bytes.
_METADATA = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}

_SOURCE = {"pdf": "Subject", "svg": "Source", "png": "Source"}  # the format's name for it


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure that can be drawn: its name, its caption and how, for each width that it has.

    `draw` takes the width by that name. `source` is the fingerprint of what it shows; its files
    carry it.
    """

    name: str
    caption: str
    draw: Callable[..., Figure]
    widths: Collection[str] = tuple(WIDTHS)
    source: str = ""


def save(
    drawing: Drawing, folder: Path, *, width: str = "two-column", theme: str = "light"
) -> list[Path]:
    """Write its `name`.pdf, .svg, .png (200 dpi) and the caption as .txt; returns their paths.

    A figure without this width is drawn for the one that it has. Raises Problem for a width or a
    theme that is none.
    """
    width_of(width)
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)
    figure = drawing.draw(width=width if width in drawing.widths else next(iter(drawing.widths)))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with applied():
        if theme == "dark":
            darken(figure)
        for kind, metadata in _METADATA.items():
            paths.append(folder / f"{drawing.name}.{kind}")
            drawn = io.BytesIO()
            told = {_SOURCE[kind]: drawing.source} if drawing.source else {}
            figure.savefig(drawn, format=kind, metadata=metadata | told)
            put_bytes(paths[-1], drawn.getbuffer())
    paths.append(folder / f"{drawing.name}.txt")
    put_text(paths[-1], drawing.caption.strip() + "\n")
    return paths
