"""Escape text from files and records: one function for each place where markup is active.

The terminal needs only `visible`: tables print rich's Text, which has no markup.
"""

from __future__ import annotations

import re
import unicodedata

from roadmap.errors import visible

# A backslash before punctuation, marks that pair up, a tag, an entity, an underscore at an edge.
_INLINE = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|[|`*\[\]$~]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<!\w)_|_(?!\w)"
)
_START = re.compile(r"^\s*([#>]|[-+](?=\s|$)|\d+(?=[.)](?:\s|$)))")
_SIGNS = {
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "†": r"$\dagger$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "…": r"\dots{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"$|$",
}
_SPECIAL = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in a table's cell or in an item of a list."""
    escaped = _INLINE.sub(lambda match: f"\\{match[0]}", visible(text))
    return _START.sub(_escape_start, escaped)


def _escape_start(match: re.Match[str]) -> str:
    if match[1].isdigit():
        return f"{match[0]}\\"
    return f"{match[0][:-1]}\\{match[1]}"


def latex(text: str) -> str:
    """Return text as ASCII that LaTeX prints as it is; `?` for a sign that it has no name for."""
    text = "".join(map(_latex_sign, visible(text)))
    return re.sub(r'"([^"]*)"', r"``\1''", text)


def _latex_sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    decomposed = [
        part for part in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(part)
    ]
    ascii_only = "".join(decomposed).encode("ascii", "replace").decode()
    return "".join(_SPECIAL.get(part, part) for part in ascii_only)
