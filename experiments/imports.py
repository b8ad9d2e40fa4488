"""Loading torch, Lightning and timm costs seconds; a fifth of them is a search for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Import within, without garbage collection: what modules make while they load stays.

    It is set aside for good afterwards, so that later collections need not look at it either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
