"""What `roadmap evaluate` adds to a record: how a number was measured, and its result per image.

The number itself is in the record's `metrics`, under the same key. `experiments` writes this and
`analysis` reads it. No numpy here.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from roadmap.spec import value

Better = Literal["higher", "lower"]
BITS, HALVES = "bits:", "halves:"


@value(strict=False)
class Evaluation:
    """How one measure of a trained network was measured.

    `data` is the fingerprint of the images, `data_name` their name. `source` is the fingerprint of
    the user's file that defines the measure, if it is the user's own. `scores` has one result per
    image, whose mean is the number (times 100 if the unit is %): one bit each, or half floats, in
    base64 (see `pack_scores`).
    """

    label: str
    unit: str = ""
    better: Better = "higher"
    decimals: Annotated[int, Field(ge=0, le=10)] = 2
    data: str
    data_name: str
    images: Annotated[int, Field(ge=1)]
    image_size: Annotated[int, Field(ge=1)]
    crop: float
    source: str = ""
    scores: str = ""

    def __post_init__(self) -> None:
        if self.scores and len(unpack_scores(self.scores)) < self.images:
            raise ValueError(f"scores are fewer than {self.images} images")

    @property
    def way(self) -> tuple[object, ...]:
        """What two evaluations of one key must share to be compared."""
        return (self.data, self.image_size, self.crop, self.source, self.unit, self.better)


def pack_scores(scores: Sequence[float]) -> str:
    """Return one number per image as text: bits if all are 0 or 1, else half floats."""
    if all(score in (0, 1) for score in scores):
        bits = "".join("1" if score else "0" for score in scores)
        bits += "0" * (-len(bits) % 8)
        packed, kind = int(bits or "0", 2).to_bytes(len(bits) // 8, "big"), BITS
    else:
        packed, kind = struct.pack(f"<{len(scores)}e", *scores), HALVES
    return kind + base64.b64encode(packed).decode()


def unpack_scores(text: str) -> tuple[float, ...]:
    """Return the numbers of `pack_scores`; bits may end with up to seven more zeros.

    Raises ValueError if the text is something else.
    """
    if text.startswith(BITS):
        packed = base64.b64decode(text.removeprefix(BITS), validate=True)
        return tuple(float(byte >> shift & 1) for byte in packed for shift in range(7, -1, -1))
    if text.startswith(HALVES):
        packed = base64.b64decode(text.removeprefix(HALVES), validate=True)
        if len(packed) % 2:
            raise ValueError("half floats have two bytes each")
        return struct.unpack(f"<{len(packed) // 2}e", packed)
    raise ValueError("scores are neither bits nor half floats")
