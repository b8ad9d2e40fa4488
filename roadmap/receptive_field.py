"""An effective receptive field as a record keeps it: 64 × 64 numbers in 11 kB of text.

Measured in `experiments`, drawn in `analysis`; written and read here, without numpy.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from functools import cached_property
from math import isfinite, isqrt

from roadmap.spec import Positive, value

# Half floats have three digits from 6e-5 to 65504: nine powers of ten, if the largest is this.
LARGEST = 2.0**15


@value
class ReceptiveField:
    """How much of the gradient of the last feature map's middle lies in each cell of the input.

    The cells are a square around that middle, `pixels` of the input a side each. `cells` holds them
    row by row as little-endian half floats in base64, the largest at 2^15. Raises ValueError for
    anything else.
    """

    pixels: Positive
    cells: str

    def __post_init__(self) -> None:
        self.shares  # noqa: B018 - what cannot be read must not get in

    @classmethod
    def of(cls, shares: Sequence[Sequence[float]], pixels: int) -> ReceptiveField:
        """The field of a square of numbers, of any scale; raises ValueError where all are 0."""
        flat = [each for row in shares for each in row]
        largest = max(flat)
        if not (0 < largest < float("inf")):
            raise ValueError(f"the largest gradient is {largest}")
        scaled = (each / largest * LARGEST for each in flat)
        packed = struct.pack(f"<{len(flat)}e", *scaled)
        return cls(pixels=pixels, cells=base64.b64encode(packed).decode())

    @cached_property
    def shares(self) -> tuple[tuple[float, ...], ...]:
        """The cells, (rows, columns), as shares of their sum: they add up to 1."""
        try:
            packed = base64.b64decode(self.cells, validate=True)
        except ValueError:
            raise ValueError("cells must be base64") from None
        side = isqrt(len(packed) // 2)
        if not side or len(packed) != 2 * side**2:
            raise ValueError(f"cells has {len(packed)} bytes, not two for each cell of a square")
        flat = struct.unpack(f"<{side**2}e", packed)
        if not all(isfinite(each) and each >= 0 for each in flat) or not any(flat):
            raise ValueError("cells must be numbers of 0 or more, not all of them 0")
        total = sum(flat)
        return tuple(
            tuple(each / total for each in flat[start : start + side])
            for start in range(0, side**2, side)
        )

    @property
    def side(self) -> int:
        """How far the field reaches across, in pixels of the input."""
        return len(self.shares) * self.pixels
