"""Steps from a user's own file."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType

from roadmap.errors import Problem, quoted, unknown
from roadmap.group import Group, checked_colour, checked_text
from roadmap.step import Step
from roadmap.user_file import run_file

GROUP = "own steps"


def read_steps(path: Path) -> dict[str, Step]:
    """Return the steps in a user's Python file: public functions whose first parameter is `spec`.

    The file may have constants: `TITLES` and `GROUPS` by step, `COLOURS` by group. A title may name
    parameters of its step, as in `SE, ratio {ratio}`. This executes the file, so only a file that
    the user names is read.
    """
    module = run_file(path, "steps")
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
    titles = _texts(module, "TITLES", functions)
    groups = _texts(module, "GROUPS", functions)
    colours = _texts(module, "COLOURS", set(groups.values()) | {GROUP}, checked_colour)
    return {
        name: Step(
            function,
            titles.get(name, name.replace("_", " ")),
            Group(group := groups.get(name, GROUP), colours.get(group, "")),
            source,
        )
        for name, function in functions.items()
    }


def _texts(
    module: ModuleType,
    name: str,
    keys: Collection[str],
    check: Callable[[object], str] | None = None,
) -> dict[str, str]:
    """Return a constant of a steps file, a dict by step or by group; empty if there is none."""
    texts = getattr(module, name, {})
    where = f"steps file {module.__file__}: {name}"
    if not isinstance(texts, dict):
        raise Problem(f"{where} must be a dict, got {quoted(texts)}")
    for key in texts:
        if key not in keys:
            raise unknown(f"key of {where}:", key, sorted(keys))
    try:
        return {
            key: check(text) if check else checked_text(f"{name}[{key!r}]", text)
            for key, text in texts.items()
        }
    except Problem as problem:
        raise Problem(f"{where}: {problem}") from None
