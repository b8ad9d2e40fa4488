"""Draw what a detector or a segmenter says of an image: boxes, masks, classes of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from functools import lru_cache
from math import ceil
from pathlib import Path

import matplotlib
import numpy
import torch
from PIL import Image, ImageDraw, ImageFont
from torchvision.transforms.functional import pil_to_tensor, to_pil_image
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from experiments.data.scene import UNLABELLED
from experiments.tasks.average_precision import Detections, decoded
from roadmap.errors import shortened, visible

SCORE = 0.5  # of a detection, at least, to be drawn
SHORT = 480  # pixels of the short side, at least: smaller images are enlarged for their labels
LONG = 4096  # pixels of the long side, at most, of an image that is enlarged
LETTERS = 32  # the height of the image in lines of text
MOST = 24  # classes in a legend
LONGEST = 60  # characters of a class name
ALPHA = 0.5
# Neighbours differ in hue and lightness: Paul Tol's "bright" and "vibrant" schemes.
COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#EE7733", "#009988",
           "#CC3311", "#33BBEE", "#EE3377", "#DDDDDD")  # fmt: skip
Size = tuple[int, int]  # width and height


def draw(
    image: Image.Image,
    found: Detections | numpy.ndarray,
    names: Sequence[str],
    *,
    least: float = SCORE,
) -> Image.Image:
    """Return a copy of an RGB image with its detections, or with the class of every pixel.

    Boxes have the name of their class and the score; masks have the colour of their box. Those with
    a score below `least` are left out. A label map (height, width) gets a legend of its classes
    below the image. An image with a short side below 480 pixels is enlarged first, but not beyond
    4,096 pixels of its long side.
    """
    image = image.convert("RGB")
    factor = max(1, min(ceil(SHORT / min(image.size)), LONG // max(image.size)))
    large = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    if isinstance(found, Detections):
        return _with_objects(large, found, names, factor=factor, least=least)
    return _with_classes(large, found, names, factor=factor)


def _with_objects(
    image: Image.Image, found: Detections, names: Sequence[str], *, factor: int, least: float
) -> Image.Image:
    order = numpy.argsort(found.scores, kind="stable")  # the surest last, on top
    order = order[numpy.asarray(found.scores)[order] >= least]
    if not len(order):
        return image
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(order))][::-1]
    pixels = pil_to_tensor(image)
    masks = _masks(found)
    if masks is not None:
        shown = _enlarged(masks[order].astype(bool), factor)
        pixels = draw_segmentation_masks(pixels, shown, alpha=ALPHA, colors=colours)
    boxes = factor * torch.from_numpy(numpy.asarray(found.boxes, dtype=numpy.float32)[order])
    size = _letters(image.size)
    line = max(2, size // 5)
    drawn = to_pil_image(draw_bounding_boxes(pixels, boxes, colors=colours, width=line))
    for place, box, colour in zip(order.tolist(), boxes.tolist(), colours, strict=True):
        text = f"{_brief(names[int(found.labels[place])])} {found.scores[place]:.2f}"
        _label(drawn, text, (box[0], box[1]), colour, size)
    return drawn


def _masks(found: Detections) -> numpy.ndarray | None:
    """Return the masks of detections, uint8 (detections, height, width); None if they have none."""
    if found.masks is None or isinstance(found.masks, numpy.ndarray):
        return found.masks
    return decoded(found.masks) if found.masks else None


def _enlarged(masks: numpy.ndarray, factor: int) -> torch.Tensor:
    return torch.from_numpy(masks.repeat(factor, axis=1).repeat(factor, axis=2))


def _letters(size: Size) -> int:
    return max(11, min(size) // LETTERS)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return matplotlib's font: it has more letters than Pillow's own."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size
    )


def _label(
    image: Image.Image, text: str, corner: tuple[float, float], colour: str, size: int
) -> None:
    """Write text on a ground of this colour above a corner, or inside where no room is left."""
    pen, font, pad = ImageDraw.Draw(image), _font(size), max(1, size // 6)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    x = min(max(corner[0], 0), max(image.width - wide, 0))
    y = corner[1] - high if corner[1] >= high else max(corner[1], 0)
    y = min(y, max(image.height - high, 0))
    pen.rectangle((x, y, x + wide, y + high), fill=colour)
    pen.text((x + pad - left, y + pad - top), text, font=font, fill=_ink(colour))


def _ink(colour: str) -> str:
    """Return black or white, whichever can be read on this colour."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def class_colour(label: int) -> str:
    """Return the colour of a class, the same in every image."""
    if label < len(COLOURS):
        return COLOURS[label]
    # Hues by the golden ratio: labels that are near each other differ most.
    value = (0.95, 0.65, 0.8)[label % 3]
    made = hsv_to_rgb(label * 0.618034 % 1, 0.45 + 0.4 * (label % 2), value)
    return "#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in made))


def _with_classes(
    image: Image.Image, label_map: numpy.ndarray, names: Sequence[str], *, factor: int
) -> Image.Image:
    labels, counts = numpy.unique(label_map[label_map != UNLABELLED], return_counts=True)
    labels = labels[numpy.argsort(-counts, kind="stable")].astype(int)
    if not len(labels):
        return image
    masks = label_map[None] == labels[:, None, None]
    colours = [class_colour(label) for label in labels]
    pixels = draw_segmentation_masks(
        pil_to_tensor(image), _enlarged(masks, factor), alpha=ALPHA, colors=colours
    )
    entries = [(_brief(names[label]), class_colour(label)) for label in labels]
    return _with_legend(to_pil_image(pixels), entries)


def _brief(name: str) -> str:
    """Return a class name to draw, in one line: text of any length would take minutes."""
    return shortened(visible(name[: LONGEST + 1]), LONGEST)


def _with_legend(image: Image.Image, entries: Sequence[tuple[str, str]]) -> Image.Image:
    """Return the image with a line of colours and names below, in as many lines as they need."""
    size = _letters(image.size)
    font, gap, high = _font(size), size // 2, round(1.6 * size)
    shown = list(entries[:MOST])
    if len(entries) > MOST:
        shown.append((f"and {len(entries) - MOST} more", ""))
    places, x, y = [], gap, gap
    for name, colour in shown:
        wide = round(font.getlength(name)) + (size + gap if colour else 0)
        if x > gap and x + wide > image.width - gap:
            x, y = gap, y + high
        places.append((x, y))
        x += wide + 2 * gap
    sheet = Image.new("RGB", (image.width, image.height + y + high + gap), "white")
    sheet.paste(image)
    pen = ImageDraw.Draw(sheet)
    for (name, colour), (x, y) in zip(shown, places, strict=True):
        y += image.height
        if colour:
            pen.rectangle((x, y, x + size, y + size), fill=colour, outline="black")
            x += size + gap
        pen.text((x, y - size // 8), name, font=font, fill="black")
    return sheet
