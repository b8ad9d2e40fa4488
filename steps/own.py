"""Steps from a user's own file."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path

from roadmap.errors import Problem
from roadmap.step import Step


def read_steps(path: Path) -> dict[str, Step]:
    """The steps in a user's own Python file: its public functions with a first parameter `spec`.

    Running the file is what makes it work, so only a file that the user names is ever read.
    """
    if not path.is_file():
        raise Problem(f"steps file {path} does not exist")
    module_spec = importlib.util.spec_from_file_location(f"steps_of_yours_{path.stem}", path)
    if module_spec is None:
        raise Problem(f"steps file {path} is no Python file (*.py)")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module.__name__] = module  # where dataclasses look for annotations
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise Problem(f"steps file {path} fails: {type(error).__name__}: {error}") from error
    source = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    functions = {
        name: each
        for name, each in vars(module).items()
        if inspect.isfunction(each)
        and each.__module__ == module.__name__
        and not name.startswith("_")
        and next(iter(inspect.signature(each).parameters), None) == "spec"
    }
    if not functions:
        raise Problem(f"steps file {path} has no function whose first parameter is 'spec'")
    return {
        name: Step(each, name.replace("_", " "), "own steps", source)
        for name, each in functions.items()
    }
