"""Loading torch, Lightning and timm costs seconds; a fifth of them is a search for garbage."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imported_without_gc() -> Iterator[None]:
    """Import within, without garbage collection: what modules make while they load stays.

    It is set aside for good afterwards, so that later collections need not look at it either; but
    only where something was loaded, lest what an earlier run left behind be kept with it.
    """
    enabled, loaded = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > loaded:
            gc.freeze()
        if enabled:
            gc.enable()
