"""The name of a design group, with the colour that a user's file gives it."""

from __future__ import annotations

import re

from roadmap.errors import Problem, quoted

LONGEST = 100  # characters of a title or a group


class Group(str):
    """A group's name that knows its colour, `#RRGGBB`; empty leaves it to the figures.

    It is a string everywhere: in records, tables and comparisons.
    """

    colour: str

    def __new__(cls, name: str, colour: str = "") -> Group:
        """Return the name with its colour."""
        made = super().__new__(cls, name)
        made.colour = colour
        return made


def checked_colour(colour: object) -> str:
    """Return a colour written as `#RRGGBB`. Raises Problem for anything else."""
    if not isinstance(colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise Problem(f'colour must be written as "#CC6677", got {quoted(colour)}')
    return colour.upper()


def checked_text(what: str, text: object) -> str:
    """Return a title or a group's name. Raises Problem if it is no text, empty or too long."""
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST:
        raise Problem(f"{what} must be text of 1 to {LONGEST} characters, got {quoted(text)}")
    return text
