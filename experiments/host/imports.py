"""Import torch, Lightning and timm without garbage collection, which takes a fifth of that time."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imported_without_gc() -> Iterator[None]:
    """Run imports without garbage collection, then exempt the imported objects from it for good.

    Freeze only if modules were imported; otherwise garbage from an earlier run would be frozen too.
    timm imports wandb if it is installed: half a second, and folders that a killed process leaves.
    So wandb is hidden meanwhile; its tracker imports it when a run asks for it.
    """
    enabled, loaded = gc.isenabled(), len(sys.modules)
    hidden = "wandb" not in sys.modules
    if hidden:
        sys.modules["wandb"] = None  # type: ignore[assignment]
    gc.disable()
    try:
        yield
    finally:
        if hidden:
            del sys.modules["wandb"]
        if len(sys.modules) > loaded:
            gc.freeze()
        if enabled:
            gc.enable()
