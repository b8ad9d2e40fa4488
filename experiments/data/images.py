"""Open one image as RGB. Only formats that are listed are opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy
from PIL import Image, ImageFile, UnidentifiedImageError

from roadmap.errors import escaped

# Pillow looks at the content, not at the ending. PostScript would start Ghostscript.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP")

ORIENTATION = 0x0112  # EXIF's tag; 1 is upright
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # those that exchange width and height


class BrokenImage(OSError):
    """An image cannot be opened. The message is one line.

    A loading process puts its traceback before the message; the last line is the original.
    """

    def __str__(self) -> str:
        last = super().__str__().strip().splitlines()[-1]
        return last.removeprefix(f"{BrokenImage.__module__}.{BrokenImage.__qualname__}: ")


def open_image(file: BinaryIO) -> ImageFile.ImageFile:
    """Open an image of a listed format; its pixels are not decoded yet."""
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"its format is none of {', '.join(FORMATS)}") from None


def restrict_pillow() -> None:
    """Let Image.open know only the listed formats in this process.

    This is for readers of other libraries, which call Image.open themselves.
    """
    Image.init()
    Image.ID[:] = [known for known in Image.ID if known in FORMATS]


@contextmanager
def named(name: str) -> Iterator[None]:
    """Turn any error into a BrokenImage that names the image; Pillow raises many kinds."""
    try:
        yield
    except Exception as error:
        reason = re.sub(r" <_io\.\w+.*>", "", str(error)) or type(error).__name__
        raise BrokenImage(f"image {name} cannot be read: {escaped(reason)}") from error


def upright_hint(image: Image.Image, size: tuple[int, int]) -> str:
    """Return what to do if `size` is that of the image turned as its EXIF says; "" if it is not."""
    if image.size[::-1] != size or image.getexif().get(ORIENTATION, 1) not in SIDEWAYS:
        return ""
    return ", as after the turn that its EXIF asks for; save the image upright, without EXIF"


def in_colour(image: Image.Image, *, exif: bool = False) -> Image.Image:
    """Convert any image to RGB; reduce 16 bits per pixel to 8, where Pillow would clip them.

    With `exif`, turn it upright as its EXIF orientation says.
    """
    if exif:
        image.load()  # a TIFF is turned by this
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
        upright = in_colour(image)
        return upright if turn is None else upright.transpose(turn)
    if image.mode == "F":
        raise ValueError("its values are fractions of no fixed range")
    if image.mode == "I" and image.format == "TIFF":  # other formats have at most 16 bits
        raise ValueError(
            "its values have a sign or 32 bits, so no fixed range; save it with 8 or 16, unsigned"
        )
    if image.mode.startswith("I"):
        values = numpy.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ValueError("its values need more than 16 bits")
        image = Image.fromarray((values >> 8).astype(numpy.uint8))
    return image.convert("RGB")
