"""A table in the terminal: at most 80 columns wide, readable without colour."""

from __future__ import annotations

import io
import re
import textwrap
from itertools import groupby
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.colours import colour as colour_of
from analysis.measures import Measure
from analysis.tables.cells import cells, left_out, notes
from analysis.tables.table import Table
from roadmap.errors import visible

WIDTH, LABEL = 80, 27
LEFT_OUT = "--data and --set as given when they were trained show the runs left out"


def _headings(measure: Measure) -> dict[str, str]:
    unit = f", {measure.unit}" if measure.unit else ""
    return {
        "mean": f"{measure.label}{unit}\nmean ± std (n)",
        "change": "\nchange",
        "paper_mean": f"paper\n{measure.label}",
        "gmacs": "\nGMACs",
        "paper_gflops": "paper\nGMACs",
        "params": "param\n10⁶",
        "speed": "img\n/s",
    }


def terminal(table: Table, *, colour: bool | None = None) -> str:
    """Return the table for a terminal, by default coloured unless NO_COLOR or a file forbids it."""
    screen = Console()
    colour = screen.is_terminal and not screen.no_color if colour is None else colour
    screen_text = io.StringIO()
    console = Console(
        file=screen_text,
        width=WIDTH,
        force_terminal=colour,
        no_color=not colour,
        color_system="truecolor" if colour else None,
        legacy_windows=False,
        highlight=False,
    )
    heading = " · ".join(part for part in (table.title, table.data) if part)
    if heading:
        console.print(Text(visible(heading), style="bold"))
    console.print(_grid(table))
    hints = (LEFT_OUT,) if any(note.startswith("left out") for note in notes(table)) else ()
    for note in (*notes(table), *hints, table.legend):
        console.print(Text(visible(note), style="dim"))
    lines = screen_text.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines)


def printed(*parts: str | Grid) -> str:
    """Return text and grids one below the other, as 80 columns without colour show them."""
    screen = io.StringIO()
    console = Console(file=screen, width=WIDTH, highlight=False, legacy_windows=False)
    for part in parts:
        console.print(Text(visible(part)) if isinstance(part, str) else part)
    return "\n".join(line.rstrip() for line in screen.getvalue().splitlines())


def folded(text: str) -> str:
    """Return text in lines of at most 80 columns, indented after the first; a command stays whole.

    A command is what follows the last `: roadmap `. It gets lines of its own, to be copied.
    """
    words, mark, command = text.partition(": roadmap ")
    lines = textwrap.wrap(visible(words + mark[:1]), WIDTH, subsequent_indent="  ")
    return "\n".join([*lines, *([f"  roadmap {visible(command)}"] if command else [])])


def _grid(table: Table) -> Grid:
    """Return one line per row, under a line for its group."""
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    headings = _headings(table.measure)
    names = [name for name in headings if name not in left_out(table)]
    grid.add_column("\nstep", overflow="fold", max_width=LABEL)
    for name in names:
        side: Literal["left", "right"] = "left" if name == "mean" else "right"
        grid.add_column(Text(headings[name], justify=side), justify=side, no_wrap=True)
    pairs = list(zip(table.rows, cells(table), strict=True))
    for group, members in groupby(pairs, key=lambda pair: pair[0].group):
        grid.add_row(_group(group))
        for row, cell in members:
            style = "dim" if row.mean is None else ""
            number = f"{row.row:6}" if row.branch else row.row
            label = _folded(visible(f"{number} {cell['step']}".strip()))
            grid.add_row(Text(label), *(Text(cell[name]) for name in names), style=style)
    return grid


def _folded(label: str) -> str:
    """Break the long name of a timm model after an underscore."""
    return re.sub(r"(.{10,26}_)(?=.)", r"\1\n  ", label) if len(label) > LABEL else label


def _group(group: str) -> Text:
    return Text.assemble(("■ ", colour_of(group)), (visible(group), "bold"))
