"""An effective receptive field in the form that a record keeps: 64 × 64 numbers in 11 kB of text.

`experiments` measures it and `analysis` draws it. This module writes and reads it, without numpy.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from functools import cached_property
from math import isfinite, isqrt

from roadmap.spec import Positive, value

# Half floats have three digits from 6e-5 to 65504: with this maximum, nine powers of ten.
LARGEST = 2.0**15


@value
class ReceptiveField:
    """The share of the gradient of the last feature map's center in each cell of the input.

    The cells form a square around that center; each is `pixels` × `pixels` of the input. `cells`
    holds them row by row as little-endian half floats in base64, scaled so that the largest is
    2^15. Raises ValueError for anything else.
    """

    pixels: Positive
    cells: str

    def __post_init__(self) -> None:
        self.shares  # noqa: B018 - raises if the cells cannot be read

    @classmethod
    def of(cls, shares: Sequence[Sequence[float]], pixels: int) -> ReceptiveField:
        """Return the field of a square of numbers of any scale; a ValueError if all are 0."""
        flat = [share for row in shares for share in row]
        largest = max(flat)
        if not (0 < largest < float("inf")):
            raise ValueError(f"the largest gradient is {largest}")
        scaled = (share / largest * LARGEST for share in flat)
        packed = struct.pack(f"<{len(flat)}e", *scaled)
        return cls(pixels=pixels, cells=base64.b64encode(packed).decode())

    @cached_property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """The cells as shares of their sum, (rows, columns); they add up to 1."""
        try:
            packed = base64.b64decode(self.cells, validate=True)
        except ValueError:
            raise ValueError("cells must be base64") from None
        side = isqrt(len(packed) // 2)
        if not side or len(packed) != 2 * side**2:
            raise ValueError(f"cells has {len(packed)} bytes, not two for each cell of a square")
        flat = struct.unpack(f"<{side**2}e", packed)
        if not all(isfinite(share) and share >= 0 for share in flat) or not any(flat):
            raise ValueError("cells must be numbers of 0 or more, not all of them 0")
        total = sum(flat)
        return tuple(
            tuple(share / total for share in flat[start : start + side])
            for start in range(0, side**2, side)
        )

    @property
    def side(self) -> int:
        """The width of the square in pixels of the input."""
        return len(self.shares) * self.pixels
