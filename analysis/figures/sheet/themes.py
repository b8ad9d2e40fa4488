"""Dark paper: a finished figure with every colour exchanged for the one that goes with it."""

from __future__ import annotations

from typing import Any

import numpy
from matplotlib.colors import to_hex, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from analysis.colours import ON_DARK_PAPER

THEMES = ("light", "dark")
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def darken(figure: Figure) -> None:
    """Exchange the colours of everything in a figure that is drawn for light paper."""
    figure.draw_without_rendering()  # so that all ticks are there
    found = figure.findobj()
    boxes = [each.get_bbox_patch() for each in found if isinstance(each, Text)]
    boxes += [each.arrow_patch for each in found if isinstance(each, Annotation)]
    for artist in (*found, *(box for box in boxes if box is not None)):
        for name in _COLOURED:
            get, put = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
            if get and put and (other := _dark(get())) is not None:
                put(other)


def _dark(colour: Any) -> Any:
    """The colour, or colours, to put in its place; None where it stays."""
    if isinstance(colour, str) and colour in ("none", "auto"):
        return None
    if not isinstance(colour, str) and numpy.ndim(colour) == 2:
        return [_one(tuple(each)) for each in to_rgba_array(colour)]
    return _one(colour)


def _one(colour: Any) -> tuple[float, float, float, float]:
    name, alpha = to_hex(colour).upper(), to_rgba(colour)[3]
    return to_rgba(ON_DARK_PAPER.get(name, name), alpha)
