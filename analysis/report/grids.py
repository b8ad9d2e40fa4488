"""Tables of the report: cells with the text to read and the value to sort by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.measures import Measure
from analysis.report.contents import Run
from analysis.report.titles import run_title
from analysis.tables import render, verdict_table
from analysis.tables.cells import cells
from analysis.tables.table import Table
from analysis.verdicts.verdict import Judged
from roadmap.record import Record
from roadmap.rows import Roadmap


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell; `value` is what it is sorted by, if that is not its text.

    `link` is the anchor that it leads to. `anchor`, in the first cell of a row, is the row's own.
    """

    text: str
    value: float | str | None = None
    link: str = ""
    anchor: str = ""
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with a name, the headings of its columns, its rows, and notes below."""

    name: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


WORDS = ("row", "step", "verdict", "group")


def table_grid(table: Table, notes: Iterable[str]) -> Grid:
    """Return the roadmap's table; rows link to their parts of the page, results to their runs."""
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
        caption=f"{table.title}: {table.measure.words} and cost of every row",
        headings=tuple(headings[name] for name in names),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def verdict_grid(
    judged: Judged, name: str, links: Mapping[str, str], *, without: Sequence[str] = ()
) -> Grid:
    """Return verdicts with the titles of their steps; `links` are anchors by step.

    Notes are those of the verdicts, except the ones `without`.
    """
    shown = verdict_table.cells(judged)
    headings = verdict_table.headings(judged)
    names = list(shown[0]) if shown else list(headings)
    fields = {
        "interval": "low",
        "seeds": "seeds_low",
        "images": "images_low",
        "order": "order_std",
    }
    titles = [verdict.title for verdict in judged.verdicts]
    rows = []
    for verdict, cell in zip(judged.verdicts, shown, strict=True):
        if titles.count(verdict.title) == 1:
            cell["step"] = verdict.title
        rows.append(
            tuple(
                Cell(
                    text=cell[key],
                    value=cell[key] if key in WORDS else getattr(verdict, fields.get(key, key)),
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
        notes=tuple(note for note in verdict_table.remarks(judged) if note not in without),
    )


def runs_grid(runs: Mapping[str, Run], measure: Measure, roadmaps: Sequence[Roadmap]) -> Grid:
    """Return every run that was used, with its provenance; letters are those of `circumstances`.

    Runs have the titles of their rows in `roadmaps`.
    """
    names = {run.name.rpartition("-seed")[0] for run in runs.values()}
    titles = {name: run_title(name, roadmaps) for name in names}
    letters = {text: letter for letter, text in circumstances(runs)}
    headings = ("run", "study", "seed", measure.title, "epochs", "train img/s", "minutes",
                "finished", "commit", "made with", "identity", "spec", "data",
                "command")  # fmt: skip
    rows = []
    for key, run in runs.items():
        record = run.record
        made, letter = record.provenance, letters[_circumstances(record)]
        number = measure.read(record) if record.status == "finished" else None
        result = record.status if number is None else f"{number:.{measure.decimals + 1}f}"
        rows.append(
            (
                Cell(text=titles[run.name.rpartition("-seed")[0]], anchor=f"run-{key}"),
                Cell(text=run.study or "path"),
                _number(record.identity.seed, 0),
                Cell(text=result, value=number, numeric=True),
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
        )
    return Grid(
        name="runs",
        caption="Every run that was used, and what it came from. Times are UTC; identity is the "
        "name of the run's folder.",
        headings=headings,
        rows=tuple(rows),
    )


def circumstances(runs: Mapping[str, Run]) -> list[tuple[str, str]]:
    """Return the different machines and versions of the runs, under letters."""
    different = dict.fromkeys(_circumstances(run.record) for run in runs.values())
    return [(_letter(place), text) for place, text in enumerate(different)]


def _circumstances(run: Record) -> str:
    made = run.provenance
    versions = ", ".join(f"{library} {version}" for library, version in made.versions.items())
    threads = f"{made.threads} thread{'s' * (made.threads > 1)}"
    return f"{made.hardware}, {threads}, precision {made.precision}; {versions}"


def _letter(place: int) -> str:
    """Return A, B, …, Z, AA, AB, …"""
    return ("" if place < 26 else _letter(place // 26 - 1)) + chr(ord("A") + place % 26)


def _number(value: float, decimals: int) -> Cell:
    return Cell(text=f"{value:.{decimals}f}", value=value, numeric=True)
