"""What each process of `prepare-data` does: resize an image, or check one that was written."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from PIL import Image

from experiments.data.files import File
from experiments.data.images import ORIENTATION, BrokenImage, in_colour, named, open_image
from experiments.data.prepared import Prepared
from experiments.host.signals import ignore_stop_signals
from roadmap.errors import Problem

BLOCK = 16  # images that a process gets at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


def resized(file: File, how: Prepared, *, exif: bool = False) -> bytes | str:
    """Return the image as a smaller JPEG, or what is wrong with it, in one line.

    A JPEG in RGB that is small enough is copied as it is. With `exif`, images are turned upright.
    """
    try:
        with named(str(file)):
            return _resized(file.open().read(), how, exif)
    except BrokenImage as fault:
        return str(fault)


def _resized(content: bytes, how: Prepared, exif: bool) -> bytes:
    image = open_image(io.BytesIO(content))
    shrink = how.short_side / min(image.size)
    turned = exif and image.getexif().get(ORIENTATION, 1) != 1
    picture = in_colour(image, exif=exif)
    if shrink >= 1 and not turned and (image.format, image.mode) == ("JPEG", "RGB"):
        return content
    if shrink < 1:
        width, height = (max(1, round(side * shrink)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=how.quality, subsampling="4:2:0")
    return made.getvalue()


def fault_in_copy(file: File, how: Prepared) -> str | None:
    """Return what is wrong with an image of the copy; None if nothing is."""
    try:
        with named(str(file)):
            image = in_colour(open_image(file.open()))
            if min(image.size) > how.short_side:
                raise ValueError(f"its short side has {min(image.size)} pixels")
    except BrokenImage as fault:
        return str(fault)
    return None


def in_order(
    function: Callable[[Item, Prepared], Result],
    items: Iterable[Item],
    how: Prepared,
    *,
    workers: int,
) -> Iterator[Result]:
    """Yield `function(item, how)` of each item, in order, computed by `workers` processes.

    Few results wait in memory, however slowly they are taken.
    """
    if workers == 1:
        yield from (function(item, how) for item in items)
        return
    remaining = iter(items)
    waiting: deque[Future[list[Result]]] = deque()
    # A stop signal to the whole group is for the parent; the processes end when it does.
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=ignore_stop_signals, initargs=(os.getpid(),)
    )
    try:
        while block := list(islice(remaining, BLOCK)):
            waiting.append(pool.submit(_each, function, block, how))
            if len(waiting) > 4 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise Problem(
            "a process that resizes images ended: memory may be short; use fewer (--workers 1)"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _each(
    function: Callable[[Item, Prepared], Result], block: list[Item], how: Prepared
) -> list[Result]:
    return [function(item, how) for item in block]
