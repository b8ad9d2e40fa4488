"""Find images of one split that are also in the other, exactly or nearly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy
from PIL import Image

BANDS = 4  # of the 64 bits: two hashes that differ in at most 3 bits share one of four parts
DISTANCE = 3  # bits
SIDE = 16  # pixels of the thumbnails that confirm a match
ALIKE = 0.98  # correlation of two thumbnails


@dataclass(frozen=True, kw_only=True)
class Print:
    """What is kept of an image to recognize it: a digest of its pixels, a hash, a thumbnail."""

    exact: bytes
    hash: int
    thumbnail: numpy.ndarray  # uint8 (16, 16)


def print_of(image: Image.Image) -> Print:
    """Return the print of an RGB image.

    The hash has one bit for each pair of neighbours in 8 rows of 9 grey pixels: whether the right
    one is brighter. It hardly changes with size, compression and colour.
    """
    from hashlib import sha256

    digest = sha256(f"{image.size}".encode() + image.tobytes()).digest()[:16]
    grey = image.convert("L")
    box = Image.Resampling.BOX
    row = numpy.asarray(grey.resize((9, 8), box), dtype=numpy.int16)
    bits = (row[:, 1:] > row[:, :-1]).flatten()
    value = int("".join("1" if bit else "0" for bit in bits), 2)
    return Print(exact=digest, hash=value, thumbnail=numpy.asarray(grey.resize((SIDE, SIDE), box)))


def matches(
    train: Sequence[Print | None], val: Sequence[Print | None]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return pairs of (training image, validation image): the same pixels, and nearly the same.

    A validation image is in one pair at most. None is an image that cannot be opened.
    """
    by_digest = {each.exact: at for at, each in enumerate(train) if each is not None}
    by_band: dict[tuple[int, int], list[int]] = defaultdict(list)
    for at, each in enumerate(train):
        if each is not None:
            for key in _bands(each.hash):
                by_band[key].append(at)
    exact, near = [], []
    for at, each in enumerate(val):
        if each is None:
            continue
        if (same := by_digest.get(each.exact)) is not None:
            exact.append((same, at))
            continue
        candidates = dict.fromkeys(one for key in _bands(each.hash) for one in by_band[key][:2000])
        for candidate in candidates:
            other = train[candidate]
            if other is not None and _is_near(other, each):
                near.append((candidate, at))
                break
    return exact, near


def _bands(value: int) -> Iterator[tuple[int, int]]:
    for band in range(BANDS):
        yield band, value >> 16 * band & 0xFFFF


def _is_near(one: Print, other: Print) -> bool:
    if (one.hash ^ other.hash).bit_count() > DISTANCE:
        return False
    first, second = (each.thumbnail.astype(float).ravel() for each in (one, other))
    first, second = first - first.mean(), second - second.mean()
    size = float(numpy.linalg.norm(first) * numpy.linalg.norm(second))
    if size < 1:  # both are flat: nothing tells them apart or together
        return False
    return float(first @ second) / size >= ALIKE
