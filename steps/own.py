"""Steps from a user's own file."""

from __future__ import annotations

import hashlib
import inspect
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from roadmap.errors import Problem
from roadmap.step import Step

MOST_BYTES = 1_000_000  # of a steps file


def read_steps(path: Path) -> dict[str, Step]:
    """Return the steps in a user's Python file: public functions whose first parameter is `spec`.

    This executes the file, so only a file that the user names is read.
    """
    if not path.is_file():
        raise Problem(f"steps file {path} does not exist")
    if path.stat().st_size > MOST_BYTES:
        raise Problem(f"steps file {path} has more than {MOST_BYTES:,} bytes")
    origin = spec_from_file_location(f"steps_of_yours_{path.stem}", path)
    if origin is None or origin.loader is None:
        raise Problem(f"steps file {path} is no Python file (*.py)")
    module = module_from_spec(origin)
    sys.modules[module.__name__] = module  # dataclasses look up their annotations there
    try:
        origin.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # any exception of the user's code
        raise Problem(f"steps file {path} fails: {type(error).__name__}: {error}") from error
    source = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    functions = {
        name: member
        for name, member in vars(module).items()
        if inspect.isfunction(member)
        and member.__module__ == module.__name__
        and not name.startswith("_")
        and next(iter(inspect.signature(member).parameters), None) == "spec"
    }
    if not functions:
        raise Problem(f"steps file {path} has no function whose first parameter is 'spec'")
    return {
        name: Step(function, name.replace("_", " "), "own steps", source)
        for name, function in functions.items()
    }
