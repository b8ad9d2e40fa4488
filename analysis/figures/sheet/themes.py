"""Dark paper: exchange every colour of a finished figure for the one that goes with it."""

from __future__ import annotations

from typing import Any

import numpy
from matplotlib.artist import Artist
from matplotlib.colors import to_hex, to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from analysis.colours import ON_DARK_PAPER

THEMES = ("light", "dark")
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def darken(figure: Figure) -> None:
    """Exchange the colours of everything in a figure that is drawn for light paper."""
    figure.draw_without_rendering()  # makes all ticks exist
    artists = figure.findobj()
    boxes: list[Artist | None] = [
        artist.get_bbox_patch() for artist in artists if isinstance(artist, Text)
    ]
    boxes += [artist.arrow_patch for artist in artists if isinstance(artist, Annotation)]
    for artist in (*artists, *(box for box in boxes if box is not None)):
        for name in _COLOURED:
            get = getattr(artist, f"get_{name}", None)
            put = getattr(artist, f"set_{name}", None)
            if get and put and (other := _dark(get())) is not None:
                put(other)


def _dark(colour: Any) -> Any:
    """Return the colour, or colours, for dark paper; None if it stays."""
    if isinstance(colour, str) and colour in ("none", "auto"):
        return None
    if not isinstance(colour, str) and numpy.ndim(colour) == 2:
        return [_one(tuple(rgba)) for rgba in to_rgba_array(colour)]
    return _one(colour)


def _one(colour: Any) -> tuple[float, float, float, float]:
    name, alpha = to_hex(colour).upper(), to_rgba(colour)[3]
    return to_rgba(ON_DARK_PAPER.get(name, name), alpha)
