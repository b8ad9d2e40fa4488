"""Read YAML safely and strictly, and keep the line of each key.

PyYAML alone reads `1e-3` as a string and lets a repeated key overwrite the first one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from roadmap.errors import Problem, quoted, unknown
from roadmap.files import read_text

Path_ = tuple[str | int, ...]
MOST = 10_000  # values in a file: YAML aliases can expand without bound
MOST_BYTES = 1_000_000  # of a file
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """PyYAML's safe loader, with numbers as in YAML 1.2 and unique keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be one word, not a list or mapping",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {quoted(key.value)} is given twice",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


# Numbers as in YAML 1.2. YAML 1.1 reads 010 as eight, 1:30 as ninety, and 1e-3 as a string.
_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(0|[1-9]\d*)$",
    "tag:yaml.org,2002:float": r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$",
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
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
        """Put `file:line:` of the nearest known key in front of a Problem raised inside."""
        try:
            yield
        except Problem as problem:
            if problem.located:
                raise
            place = keys + problem.keys
            while place not in self.lines:
                place = place[:-1]
            message = f"{self.path}:{self.lines[place]}: {problem}"
            raise type(problem)(message, located=True) from None


def read(path: Path) -> Document:
    """Read a YAML file that is a mapping; a Problem names file, line and fault."""
    try:
        text = read_text(path, limit=MOST_BYTES)
        events = sum(1 for _ in islice(yaml.parse(text, Loader=_Loader), 4 * MOST))
        node = yaml.compose(text, Loader=_Loader) if events < 4 * MOST else None
        lines = [] if node is None else list(islice(_lines(node, (), ()), MOST + 1))
        if events == 4 * MOST or len(lines) > MOST:
            raise ValueError(f"more than {MOST:,} values")
        data = yaml.load(text, Loader=_Loader)
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
    return Document(path, data, dict(lines))


def locate(
    kind: str, name: str, *, shipped: Path, names: Sequence[str] = (), folder: Path = Path()
) -> Path:
    """Return the path of a YAML file: a shipped one by name, or a user's own from `folder`.

    `names` gives the order of the shipped ones in messages, by default that of the alphabet.
    """
    if name.endswith((".yaml", ".yml")):
        return folder / name
    names = names or sorted(path.stem for path in shipped.glob("*.yaml"))
    if name not in names:
        raise unknown(kind, name, [*names, "FILE.yaml"])
    return shipped / f"{name}.yaml"


def scalar(text: str) -> Any:
    """Return one value as in a file: `3`, `1e-3`, `true`, `[2, 2]`, `null`."""
    try:
        value = yaml.load(text, Loader=_Loader)
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError("too large")
        return value
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Problem(f"{quoted(text)} is not readable as a value") from None


def _lines(
    node: yaml.Node, path: Path_, above: tuple[yaml.Node, ...]
) -> Iterator[tuple[Path_, int]]:
    if any(node is outer for outer in above):
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
