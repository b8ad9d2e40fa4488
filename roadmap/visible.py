"""Make text from files and records safe to print on one line."""

from __future__ import annotations


def visible(text: str) -> str:
    """Return text on one line, its control characters as escapes such as `\\x1b`.

    A class name or a title can then neither start a new line nor send commands to a terminal.
    """
    return "".join(map(_shown, text))


def _shown(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " if sign.isspace() else sign.encode("unicode_escape").decode("ascii")
