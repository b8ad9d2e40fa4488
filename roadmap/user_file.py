"""Run a Python file of a user's."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from roadmap.errors import Problem

MOST_BYTES = 1_000_000


def run_file(path: Path, kind: str) -> ModuleType:
    """Execute a file of steps or measures, as `kind` says, and return its module.

    Only a file that the user names is executed. Raises Problem, whatever its code raises.
    """
    if not path.is_file():
        raise Problem(f"{kind} file {path} does not exist")
    if path.stat().st_size > MOST_BYTES:
        raise Problem(f"{kind} file {path} has more than {MOST_BYTES:,} bytes")
    origin = spec_from_file_location(f"{kind}_of_yours_{path.stem}", path)
    if origin is None or origin.loader is None:
        raise Problem(f"{kind} file {path} is no Python file (*.py)")
    module = module_from_spec(origin)
    sys.modules[module.__name__] = module  # dataclasses look up their annotations there
    try:
        origin.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # any exception of the user's code
        raise Problem(f"{kind} file {path} fails: {type(error).__name__}: {error}") from error
    return module
