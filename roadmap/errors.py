"""What a user did wrong, said once: the offender and the valid choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Problem(Exception):
    """A fault in what the user gave; the command line prints its message and exits with code 2.

    `keys` is the path to the offending key, for whoever knows on which line it stands; `located`
    says that the message names the place already.
    """

    def __init__(
        self, message: str, *, keys: tuple[str | int, ...] = (), located: bool = False
    ) -> None:
        super().__init__(message)
        self.keys, self.located = keys, located


class StepError(Problem):
    """A step cannot be applied to this spec; the message names the step and what it needs."""


def escaped(text: str) -> str:
    """Escape control characters, so that a name from a file cannot forge lines in a message."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def unknown(kind: str, name: object, choices: Iterable[str]) -> Problem:
    """The problem that `name` is no `kind`, with the nearest and all valid choices."""
    choices = list(choices)
    near = difflib.get_close_matches(str(name), choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    valid = ", ".join(choices) or "none"
    keys = (name,) if isinstance(name, str | int) else ()
    return Problem(f"unknown {kind} {name!r}; {hint}valid: {valid}", keys=keys)
