"""One colour per kind of layer, in figures of cost and in diagrams of blocks."""

from __future__ import annotations

KINDS = {
    "k×k": "#77AADD",
    "1×1": "#1B3563",
    "depthwise": "#EE8866",
    "classifier": "#BBCC33",
    "norms, scales": "#BBBBBB",
    "own operations": "#AA4499",
}
