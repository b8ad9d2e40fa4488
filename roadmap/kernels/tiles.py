"""How a Triton kernel divides its work, and which divisions are tried. No Triton here."""

from __future__ import annotations

from typing import NamedTuple


class Tile(NamedTuple):
    """The part of a map that one program computes; `taps` kernel rows in a weight gradient."""

    rows: int
    columns: int
    channels: int
    warps: int
    taps: int = 1


# Eight values per thread are one load of 16 bytes in bfloat16.
CONVOLVE = (Tile(32, 4, 32, 4), Tile(16, 4, 64, 4), Tile(32, 8, 32, 4))


def tiles_to_try(direction: str, kernel: int) -> tuple[Tile, ...]:
    """Return the tiles to measure for "forward", "input" or "weight" (a gradient)."""
    if direction != "weight":
        return CONVOLVE if kernel < 11 else CONVOLVE[:2]  # the third does not fit in registers
    if kernel <= 3:
        return Tile(8, 4, 32, 4, taps=4), Tile(16, 4, 32, 8, taps=4)
    if kernel <= 7:
        return Tile(8, 4, 32, 8, taps=8), Tile(4, 4, 32, 4, taps=8)
    return (Tile(8, 4, 32, 4, taps=4),)
