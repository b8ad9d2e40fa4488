"""Figures as SVG within a page: with ids of their own, and colours that follow its theme."""

from __future__ import annotations

import html
import io
import re

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from analysis.colours import ON_DARK_PAPER
from analysis.figures.sheet.style import applied, cleaned
from analysis.report.contents import slug

_NAMED = {colour.upper(): f"--c{colour[1:].upper()}" for colour in ON_DARK_PAPER}
_FONTS = "'DejaVu Sans',Verdana,'Bitstream Vera Sans',Arial,sans-serif"


def inline(figure: Figure, name: str, title: str, *, most: float = 1.0) -> Markup:
    """Return the figure as an `<svg>`, as wide as its place, at most `most` times its own width.

    `name` is a prefix of its ids, so that the figures of one page do not share them. A screen
    reader reads `title`. Text stays text, to be searched and copied, in the figure's font or in a
    font that is not wider.
    """
    drawn = io.StringIO()
    with applied(), rc_context({"svg.fonttype": "none"}):
        cleaned(figure).savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    prefix = slug(name)
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # page.css has it once
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"#[0-9a-fA-F]{6}\b", _variable, text)
    text = text.replace("'DejaVu Sans'", _FONTS)
    text = re.sub(r'="[^"]*"', _rounded, text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    width, height = figure.get_size_inches()
    head = (
        f'<svg viewBox="0 0 {72 * width:g} {72 * height:g}" role="img" style="max-width: '
        f'{most * width:g}in" aria-label="{html.escape(title, quote=True)}" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return Markup(re.sub(r"<svg.*?>", lambda _: head, text, count=1, flags=re.DOTALL).strip())


def _rounded(attribute: re.Match[str]) -> str:
    """Round coordinates to a hundredth of a point, for a smaller page."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", attribute[0])


def _variable(match: re.Match[str]) -> str:
    """Return a colour by its name in the style of the page, if it has one."""
    colour = match[0].upper()
    return f"var({_NAMED[colour]})" if colour in _NAMED else match[0]


def themed(colour: str) -> str:
    """Return a colour for the style of the page, following its theme."""
    name = _NAMED.get(colour.upper())
    return f"var({name})" if name else colour


def variables() -> tuple[str, str]:
    """Return the colours of the page in CSS, for light and for dark."""
    light = "".join(f"{name}:{colour};" for colour, name in _NAMED.items())
    dark = "".join(f"{_NAMED[colour.upper()]}:{other};" for colour, other in ON_DARK_PAPER.items())
    return light, dark
