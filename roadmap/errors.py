"""What a user did wrong: one line that names the fault and the valid choices."""

from __future__ import annotations

import difflib
import reprlib
import unicodedata
from collections.abc import Iterable

LONGEST = 4000  # characters of a message
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
_REPR.maxlong = 40
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = 12
_REPR.maxlevel = 3


class Problem(Exception):
    """A fault in what the user gave; the command line prints its message and exits with code 2.

    Control characters in the message are escaped, and a message that is too long is shortened.
    `keys` is the path to the key that is wrong, so that a caller can add the line where it stands.
    `located` says that the message already names the place.
    """

    def __init__(
        self, message: str, *, keys: tuple[str | int, ...] = (), located: bool = False
    ) -> None:
        super().__init__(shortened(escaped(message[: LONGEST + 1]), LONGEST))
        self.keys, self.located = keys, located


class StepError(Problem):
    """A step cannot be applied to this spec; the message names the step and what it needs."""


def unknown(kind: str, name: object, choices: Iterable[str]) -> Problem:
    """Return the problem that `name` is no `kind`, with the nearest and all valid choices."""
    choices = list(choices)
    near = difflib.get_close_matches(shortened(str(name), 80), choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    valid = ", ".join(choices) or "none"
    keys = (name,) if isinstance(name, str | int) else ()
    return Problem(f"unknown {kind} {quoted(name)}; {hint}valid: {valid}", keys=keys)


def quoted(value: object) -> str:
    """Return the `repr` of a value that a user gave, shortened if it is long."""
    return shortened(_REPR.repr(value), 200)


def shortened(text: str, longest: int = 80) -> str:
    """Return the text, or its beginning and an ellipsis if it is longer than `longest`."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def escaped(text: str) -> str:
    """Return the text with control characters and line breaks as escapes, such as `\\x1b`."""
    return text if text.isprintable() else "".join(map(_shown, text))


def check_text(what: str, text: str) -> None:
    """Raise Problem, which begins with `what`, if UTF-8 cannot encode a text.

    No record can hold it. File names of other bytes have such signs, and JSON can escape them, as
    in "\\ud800".
    """
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        near = text[max(0, fault.start - 40) : fault.end + 40]
        raise Problem(f"{what}: {near!r} is not UTF-8, so no record can hold it") from None


def visible(text: str) -> str:
    """Return the same with white space, line breaks too, as spaces: a class name or a title.

    It can then neither start a new line nor send commands to a terminal.
    """
    if text.isprintable():  # most texts, and figures have thousands
        return text
    return escaped("".join(" " if sign.isspace() else sign for sign in text))


def _shown(sign: str) -> str:
    if sign.isprintable() or unicodedata.category(sign) == "Zs":
        return sign
    return sign.encode("unicode_escape").decode("ascii")
