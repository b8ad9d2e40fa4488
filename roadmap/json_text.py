"""JSON for people and programs: the terminal gets no commands, a program the text as it was."""

from __future__ import annotations

import json

from roadmap.errors import escaped


def json_text(data: object) -> str:
    """Return data as indented JSON; what `escaped` would escape has JSON's escapes instead."""
    lines = json.dumps(data, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_sign, line)) for line in lines)


def _sign(sign: str) -> str:
    return sign if escaped(sign) == sign else json.dumps(sign)[1:-1]
