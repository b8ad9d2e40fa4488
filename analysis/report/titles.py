"""Titles in place of the names that files use: `05-width` is `05 increase width` on the page."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analysis.figures.sheet.text import called
from roadmap.rows import Roadmap


def titled(text: str, roadmap: Roadmap) -> str:
    """Return a note with the titles of steps for their names: in quotes, or before a colon."""
    titles = {row.step: row.title for row in roadmap if row.before and not row.is_branch}

    def title(found: re.Match[str]) -> str:
        return f"{found[1]}{titles.get(found[2], found[2])}{found[3]}"

    return re.sub(r"(^|['\s])(\w+)(['+×:])", title, text)


def run_title(name: str, roadmaps: Iterable[Roadmap]) -> str:
    """Return the title of a run's row by the row's name in files; the name if no row has it."""
    for roadmap in roadmaps:
        for row in roadmap:
            for candidate in roadmap.candidates(row):
                if name == f"{candidate.number}-{row.step}":
                    return called(candidate.number, row.title)
                if name == row.number:
                    return row.title
    return name
