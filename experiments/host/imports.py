"""Which packages are installed; and import torch, Lightning and timm without garbage collection.

Collection takes a fifth of the time of these imports.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def missing_packages(names: Iterable[str]) -> list[str]:
    """Return which of these are not installed.

    A folder of that name in the working directory, as W&B makes one, is no package.
    """
    specs = {name: importlib.util.find_spec(name) for name in names}
    return [name for name, spec in specs.items() if spec is None or spec.origin is None]


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
