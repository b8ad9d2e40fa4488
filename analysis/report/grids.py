"""Tables of the report: cells with the text to read and the value to sort by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.report.contents import Run
from analysis.tables import render, verdict_table
from analysis.tables.cells import cells
from analysis.tables.table import Table
from analysis.verdicts.verdict import Judged
from roadmap.record import Record


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell; `value` is what it is sorted by where that is not its text.

    `link` is the anchor that it leads to, `anchor` of a row's first cell the row's own.
    """

    text: str
    value: float | str | None = None
    link: str = ""
    anchor: str = ""
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with a name, the headings of its columns and its rows; `notes` stand below."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


WORDS = ("row", "step", "verdict", "group")


def table_grid(table: Table, notes: Iterable[str]) -> Grid:
    """The roadmap's table; rows link to their parts of the page, accuracies to their runs."""
    headings = render.headings(table.measure)
    names = list(cells(table)[0]) if table.rows else list(headings)
    rows = []
    for row, cell in zip(table.rows, cells(table), strict=True):
        own = row.group != "reference"
        links = {"row": f"#row-{row.row}", "step": f"#row-{row.row}"} if own else {}
        if own and (row.n or row.diverged):
            links["mean"] = f"#runs-{row.row}"
        rows.append(
            tuple(
                Cell(
                    text=cell[name],
                    value=cell[name] if name in WORDS else getattr(row, name),
                    link=links.get(name, ""),
                    numeric=name not in WORDS,
                )
                for name in names
            )
        )
    return Grid(
        name="table",
        caption=f"{table.title}: accuracy and cost of every row",
        headings=tuple(headings[name] for name in names),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def verdict_grid(judged: Judged, name: str, links: Mapping[str, str]) -> Grid:
    """Verdicts; steps link to where `links` says."""
    shown = verdict_table.cells(judged)
    headings = verdict_table.headings(judged)
    names = list(shown[0]) if shown else list(headings)
    values = {"n": "n", "difference": "difference", "interval": "low", "images": "images_low",
              "p": "p", "better": "better", "smallest": "smallest", "needed": "needed",
              "order": "order_std"}  # fmt: skip
    rows = []
    for verdict, cell in zip(judged.verdicts, shown, strict=True):
        rows.append(
            tuple(
                Cell(
                    text=cell[key],
                    value=getattr(verdict, values[key]) if key in values else cell[key],
                    link=links.get(verdict.step, "") if key == "step" else "",
                    numeric=key not in WORDS,
                )
                for key in names
            )
        )
    return Grid(
        name=name,
        caption=f"{judged.title}: what each step is worth",
        headings=tuple(headings[key] for key in names),
        rows=tuple(rows),
        notes=tuple(verdict_table.remarks(judged)),
    )


def runs_grid(runs: Mapping[str, Run]) -> Grid:
    """Every run that was used, with what it came from; letters are those of `circumstances`."""
    letters = {text: letter for letter, text in circumstances(runs)}
    headings = ("run", "study", "seed", "top-1 %", "epochs", "train img/s", "minutes", "finished",
                "commit", "made with", "identity", "spec", "data", "command")  # fmt: skip
    rows = []
    for key, run in runs.items():
        record = run.record
        made, letter = record.provenance, letters[_circumstances(record)]
        top1 = record.status if record.top1 is None else f"{record.top1:.2f}"
        rows.append(
            (
                Cell(text=run.name.rpartition("-seed")[0], anchor=f"run-{key}"),
                Cell(text=run.study or "path"),
                _number(record.identity.seed, 0),
                Cell(text=top1, value=record.top1, numeric=True),
                _number(record.spec["recipe"]["epochs"], 0),
                _number(record.images_per_second, 0),
                _number(record.wall_seconds / 60, 1),
                Cell(text=made.finished[:16].replace("T", " ")),
                Cell(text=made.commit or "unknown"),
                Cell(text=letter, link=f"#made-{letter}"),
                Cell(text=key),
                Cell(text=record.identity.spec),
                Cell(text=record.identity.data),
                Cell(text=made.command),
            )
        )  # fmt: skip
    return Grid(
        name="runs",
        caption="Every run that was used, and what it came from; times are UTC, identity is the "
        "name of the run's folder",
        headings=headings,
        rows=tuple(rows),
    )


def circumstances(runs: Mapping[str, Run]) -> list[tuple[str, str]]:
    """The different machines and versions that runs were made with, under letters."""
    found = dict.fromkeys(_circumstances(run.record) for run in runs.values())
    return [(_letter(place), text) for place, text in enumerate(found)]


def _circumstances(run: Record) -> str:
    made = run.provenance
    versions = ", ".join(f"{library} {version}" for library, version in made.versions.items())
    threads = f"{made.threads} thread{'s' * (made.threads > 1)}"
    return f"{made.hardware}, {threads}, precision {made.precision}; {versions}"


def _letter(place: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    return ("" if place < 26 else _letter(place // 26 - 1)) + chr(ord("A") + place % 26)


def _number(value: float, decimals: int) -> Cell:
    return Cell(text=f"{value:.{decimals}f}", value=value, numeric=True)
