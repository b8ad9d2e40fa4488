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

from roadmap.values import value

Better = Literal["higher", "lower"]
BITS, SHARES, SINGLES = "bits:", "shares:", "singles:"


@value(strict=False)
class Evaluation:
    """How one measure of a trained network was measured.

    `data` is the fingerprint of the images, `data_name` their name. `source` is the fingerprint of
    the user's file that defines the measure, if it is the user's own. `scores` has one result per
    image, whose mean is the number (times 100 if the unit is %), in base64 (see `pack_scores`).
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


def pack_scores(scores: Sequence[float], *, parts: int = 0) -> str:
    """Return one number per image as text, in base64.

    If all are 0 or 1: one bit each, eight in a byte, highest first (`bits:`). With `parts`, up to
    255, they are multiples of 1 / parts: one byte each (`shares:PARTS:`). Else they are
    little-endian floats of 32 bits (`singles:`).
    """
    if all(score in (0, 1) for score in scores):
        bits = "".join("1" if score else "0" for score in scores)
        bits += "0" * (-len(bits) % 8)
        packed, kind = int(bits or "0", 2).to_bytes(len(bits) // 8, "big"), BITS
    elif parts:
        packed, kind = bytes(round(parts * score) for score in scores), f"{SHARES}{parts}:"
    else:
        packed, kind = struct.pack(f"<{len(scores)}f", *scores), SINGLES
    return kind + base64.b64encode(packed).decode()


def unpack_scores(text: str) -> tuple[float, ...]:
    """Return the numbers of `pack_scores`; bits may end with up to seven more zeros.

    Raises ValueError if the text is something else.
    """
    kind, _, encoded = text.rpartition(":")
    packed = base64.b64decode(encoded, validate=True)
    if f"{kind}:" == BITS:
        return tuple(float(byte >> shift & 1) for byte in packed for shift in range(7, -1, -1))
    if f"{kind}:" == SINGLES and len(packed) % 4 == 0:
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    name, _, parts = kind.partition(":")
    if f"{name}:" == SHARES and parts.isdecimal() and 0 < int(parts) < 256:
        return tuple(byte / int(parts) for byte in packed)
    raise ValueError("scores are none of bits, shares and singles")
