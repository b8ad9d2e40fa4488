"""An effective receptive field in the form that a record keeps: 64 × 64 numbers in 11 kB of text.

`experiments` measures it and `analysis` draws it. This module writes and reads it, without numpy.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from functools import cached_property
from math import inf, isqrt

from roadmap.spec import Positive
from roadmap.values import value

# Half floats have three digits from 6e-5 to 65504: with this maximum, nine powers of ten.
LARGEST = 2.0**15


@value(strict=True)
class ReceptiveField:
    """The share of the gradient of the last feature map's center in each cell of the input.

    The cells form a square around that center; each is `pixels` × `pixels` of the input. `cells`
    holds them row by row as little-endian half floats in base64, scaled so that the largest is
    2^15. Raises ValueError for anything else.
    """

    pixels: Positive
    cells: str

    def __post_init__(self) -> None:
        self._flat()  # raises ValueError if the cells cannot be read

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
        flat = self._flat()
        side, total = isqrt(len(flat)), sum(flat)
        return tuple(
            tuple(cell / total for cell in flat[start : start + side])
            for start in range(0, side**2, side)
        )

    def _flat(self) -> tuple[float, ...]:
        try:
            packed = base64.b64decode(self.cells, validate=True)
        except ValueError:
            raise ValueError("cells must be base64") from None
        side = isqrt(len(packed) // 2)
        if not side or len(packed) != 2 * side**2:
            raise ValueError(f"cells has {len(packed)} bytes, not two for each cell of a square")
        flat: tuple[float, ...] = struct.unpack(f"<{side**2}e", packed)
        if not 0 < sum(flat) < inf or min(flat) < 0:  # a sum with a NaN is one too
            raise ValueError("cells must be numbers of 0 or more, not all of them 0")
        return flat

    @property
    def side(self) -> int:
        """The width of the square in pixels of the input."""
        return len(self.shares) * self.pixels
