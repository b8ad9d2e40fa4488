"""One colour per design group, in every figure and table.

Seven of Paul Tol's "muted" scheme, which remain distinct in the common colour blindnesses, and two
greys, so ordered that groups which follow one another differ in lightness too, for grey print.
Colour never stands alone: groups are labelled, and side branches are hatched.
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
    "own steps": "#CC6677",
    "reference": "#222222",
}


def colour(group: str) -> str:
    """The colour of a design group; one that is not the paper's gets that of `own steps`."""
    return COLOURS.get(group, COLOURS["own steps"])


# On dark paper: every colour of the figures that would not be seen there, or would glare.
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
