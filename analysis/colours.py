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
