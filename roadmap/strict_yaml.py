"""YAML read safely and strictly, remembering on which line each key stands.

PyYAML alone reads `1e-3` as a string and lets a repeated key overwrite the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from roadmap.errors import Problem

Path_ = tuple[str | int, ...]
MOST = 10_000  # values in a file; names that stand for lists of themselves can make any number


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML's safe loader, with floats as YAML 1.2 writes them and unique keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be one word, not a list or mapping",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# Numbers as YAML 1.2 writes them: 1.1 reads 010 as eight, 1:30 as ninety, and 1e-3 as a word.
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(0|[1-9]\d*)$",
    "tag:yaml.org,2002:float": r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$",
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in _NUMBERS]
    for first, found in _Loader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+0123456789."))


@dataclass(frozen=True)
class Document:
    """The plain data of one YAML file and the line of every key path."""

    path: Path
    data: Any
    lines: dict[Path_, int]

    @contextmanager
    def at(self, *keys: str | int) -> Iterator[None]:
        """Lead a Problem raised inside with `file:line:` of the nearest known key."""
        try:
            yield
        except Problem as problem:
            if problem.located:
                raise
            found = keys + problem.keys
            while found not in self.lines:
                found = found[:-1]
            message = f"{self.path}:{self.lines[found]}: {problem}"
            raise type(problem)(message, located=True) from None


def read(path: Path) -> Document:
    """Read a YAML file whose top is a mapping; a Problem names file, line and fault."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        found = [] if node is None else list(islice(_lines(node, (), ()), MOST + 1))
        if len(found) > MOST:
            raise ValueError(f"more than {MOST:,} values")
        data = yaml.load(text, Loader=_Loader)
        lines = dict(found)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Problem(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Problem(f"{path}:{mark.line + 1 if mark else 1}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Problem(f"{path}: not readable as YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise Problem(f"{path}:1: a mapping (key: value) is expected, not {type(data).__name__}")
    return Document(path, data, lines)


def scalar(text: str) -> Any:
    """One value as it would be read from a file: `3`, `1e-3`, `true`, `[2, 2]`, `null`."""
    try:
        found = yaml.load(text, Loader=_Loader)
        if isinstance(found, int) and abs(found) >= 2**63:
            raise ValueError("too large")
        return found
    except (yaml.YAMLError, ValueError, RecursionError):
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        raise Problem(f"{shown!r} is not readable as a value") from None


def _lines(
    node: yaml.Node, path: Path_, above: tuple[yaml.Node, ...]
) -> Iterator[tuple[Path_, int]]:
    if any(node is each for each in above):
        raise yaml.MarkedYAMLError(problem="a value contains itself", problem_mark=node.start_mark)
    yield path, node.start_mark.line + 1
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value), above)
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index), above)
