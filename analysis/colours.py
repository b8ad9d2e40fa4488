"""One colour per design group, in every figure and table.

Seven colours are from Paul Tol's "muted" scheme, which people with the common kinds of colour
blindness can tell apart; two are greys. Neighbouring groups also differ in lightness, for grey
print. Colour is never the only sign: groups are labelled, and side branches are hatched.
"""

from __future__ import annotations

COLOURS = {
    "baseline": "#777777",
    "training": "#DDCC77",
    "macro design": "#332288",
    "ResNeXt": "#88CCEE",
    "inverted bottleneck": "#882255",
    "large kernel": "#44AA99",
    "micro design": "#AA4499",
    "family": "#117733",
    "own steps": "#CC6677",
    "reference": "#222222",
}

# Of each kind of layer, in figures of cost and in diagrams of blocks.
KINDS = {
    "k×k": "#77AADD",
    "1×1": "#1B3563",
    "depthwise": "#EE8866",
    "classifier": "#BBCC33",
    "linear layers": "#BBCC33",  # of the box head
    "norms, scales": "#BBBBBB",
    "own operations": "#AA4499",
}


def colour(group: str) -> str:
    """Return the colour of a design group: the one that a user's file gives it, else ours.

    A group of the user's without a colour has that of `own steps`.
    """
    return getattr(group, "colour", "") or COLOURS.get(group, COLOURS["own steps"])


# Replacements on dark paper for colours that are too dark there, or too bright.
PAPER, DARK_PAPER = "#FFFFFF", "#16181C"
ON_DARK_PAPER = {
    PAPER: DARK_PAPER,
    "#222222": "#E6E6E6",
    "#777777": "#9DA0A6",
    "#DDDDDD": "#34373D",
    "#BBBBBB": "#9A9CA2",
    "#332288": "#8F83E0",
    "#882255": "#C9568D",
    "#AA4499": "#C77DBE",
    "#CC6677": "#DD8894",
    "#3C6DA8": "#5585C4",
    "#1B3563": "#34559A",
}
