"""Text in figures: how wide it is, how it is made to fit, and which characters it may have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from roadmap.errors import visible

SMALLEST = 0.75  # of the size asked for; a text that is still too long is cut


def printable(text: str) -> str:
    """Return a text with its control characters as escapes; line breaks stay."""
    return "\n".join(map(visible, text.split("\n")))


def one_line(text: str) -> str:
    """Return a text with each run of white space as one space."""
    return visible(" ".join(text.split()))


def called(number: str, title: str) -> str:
    """Return number and title of a row in one line, or the title alone if it has the number."""
    word = re.match(r"[a-z]*", number)
    return title if word and word[0] and title.startswith(word[0]) else f"{number} {title}".strip()


@lru_cache(maxsize=10_000)
def length(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a text in inches, in the figures' font, of this weight."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def fitting_size(texts: Sequence[str], rooms: Sequence[float], size: float) -> float:
    """Return the largest size, `size` at most, at which all texts fit; not below SMALLEST."""
    ratios = [
        room / length(one_line(text), size)
        for text, room in zip(texts, rooms, strict=True)
        if text.strip()
    ]
    return size * max(min([1.0, *ratios]), SMALLEST)


def fitting(text: str, size: float, room: float) -> str:
    """Return a text in one line, cut to a width in inches."""
    text = one_line(text)
    letters = len(text)
    while letters > 1 and length(short(text, letters), size) > room:
        letters = min(letters - 1, int(letters * room / length(short(text, letters), size)) + 1)
    return short(text, letters)


def fitted(text: str, size: float, room: float) -> tuple[str, float]:
    """Return a text and the size at which it fits: smaller first, then cut."""
    size = fitting_size([text], [room], size)
    return fitting(text, size, 1.001 * room), size  # a text that just fits stays whole


def in_lines(text: str, size: float, room: float, most: int = 2) -> str:
    """Return a text in at most `most` lines of a width in inches; what is longer is cut."""
    lines: list[str] = []
    words = one_line(text).split(" ")
    while words and len(lines) < most - 1:
        count = len(words)
        while count > 1 and length(" ".join(words[:count]), size) > room:
            count -= 1
        lines.append(" ".join(words[:count]))
        words = words[count:]
    if words:
        lines.append(" ".join(words))
    return "\n".join(fitting(line, size, room) for line in lines)


def short(text: str, letters: int) -> str:
    """Return a text in one line, cut to a number of letters."""
    text = one_line(text)
    return text if len(text) <= letters else text[: max(letters - 1, 1)] + "…"
