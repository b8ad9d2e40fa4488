"""Format numbers for every table and figure; an en dash stands for a missing number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from statistics import median

from analysis.tables.table import Table, TableRow

MISSING = "–"


def accuracy(mean: float, std: float | None, n: int | None = None, *, decimals: int) -> str:
    """Return `82.1 ± 0.3 (3)`: mean, sample standard deviation if known, number of runs."""
    text = f"{mean:.{decimals}f}"
    if std is not None:
        text += f" ± {std:.{decimals}f}"
    return text if n is None else f"{text} ({n})"


def result(row: TableRow, decimals: int) -> str:
    """Return a row's mean over finished runs, or how many diverged if none finished."""
    if row.mean is None:
        return f"diverged ({row.diverged})" if row.diverged else MISSING
    return accuracy(row.mean, row.std, row.n, decimals=decimals)


def counts(runs: Mapping[str, int]) -> str:
    """Return how many runs each row has: `3`, or if rows differ `00: 3, 01: 5`."""
    usual = sorted(set(runs.values()))
    if len(usual) < 2:
        return str(usual[0]) if usual else "0"
    return ", ".join(f"{number}: {count}" for number, count in runs.items())


def span(runs: Iterable[int]) -> str:
    """Return the fewest and the most runs of several rows: `3`, or `3 to 5`."""
    numbers = sorted(set(runs))
    if len(numbers) < 2:
        return str(numbers[0]) if numbers else "0"
    return f"{numbers[0]} to {numbers[-1]}"


def signed(number: float | None, decimals: int) -> str:
    """Return a difference with its sign: `+0.5`, `−1.2`, `0.0`."""
    if number is None:
        return MISSING
    exact = Decimal(
        repr(round(number, 9))
    )  # equal differences get equal text, whatever their floating-point error
    text = f"{exact:+.{decimals}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


def fixed(number: float | None, decimals: int) -> str:
    """Return a number with that many decimals."""
    return MISSING if number is None else f"{number:.{decimals}f}"


def rate(images_per_second: float | None) -> str:
    """Return images per second in at most four characters: `940`, `12k`."""
    if images_per_second is None:
        return MISSING
    thousands = round(images_per_second / 1000)
    return f"{thousands}k" if images_per_second >= 9999.5 else f"{images_per_second:.0f}"


def cost_decimals(gmacs: list[float]) -> int:
    """Return the decimals of a column of GMACs: two as in the paper, more below 1 GMACs."""
    middle = median(gmacs) if gmacs else 1.0
    return 2 if middle >= 1 else 3 if middle >= 0.1 else 4


def cells(table: Table) -> list[dict[str, str]]:
    """Return every row of a table as text by column, without empty columns."""
    decimals = table.decimals
    gmacs = cost_decimals([row.gmacs for row in table.rows])
    params = 1 if max((row.params for row in table.rows), default=0) >= 1e7 else 2
    rows = []
    for row in table.rows:
        cell = {
            "row": row.row,
            "step": _step(row),
            "mean": _result(table, row, decimals),
            "change": signed(row.change, decimals),
            "paper_mean": fixed(row.paper_mean, 2),
            "gmacs": fixed(row.gmacs, gmacs),
            "paper_gflops": fixed(row.paper_gflops, 2),
            "params": fixed(row.params / 1e6, params),
            "speed": rate(row.speed),
        }
        rows.append({key: text for key, text in cell.items() if key not in left_out(table)})
    return rows


def _result(table: Table, row: TableRow, decimals: int) -> str:
    """Return a row's result; of a row without any, in brackets how far its runs are."""
    text = result(row, decimals)
    reached = table.unfinished.get(row.row)
    return f"({reached})" if text == MISSING and reached else text


def _step(row: TableRow) -> str:
    """Return a row's title, with a dagger if some of its runs diverged while others finished."""
    title = "" if row.row.endswith(row.title) else row.title
    return f"{title} †".lstrip() if row.diverged and row.n else title


def left_out(table: Table) -> set[str]:
    """Return the columns that would be empty: the paper's where they do not belong, and speed."""
    shown = table.rows if table.beside_paper else ()
    filled = {
        "paper_mean": any(row.paper_mean is not None for row in shown),
        "paper_gflops": any(row.paper_gflops is not None for row in shown),
        "speed": any(row.speed is not None for row in table.rows),
    }
    return {name for name, known in filled.items() if not known}


def notes(table: Table) -> tuple[str, ...]:
    """Return a table's notes: the diverged runs first, how little the numbers tell last."""
    diverged = ", ".join(f"{row.row} ({row.diverged})" for row in table.rows if row.diverged)
    first = [f"† diverged, not averaged: {diverged}"] if diverged else []
    return (*first, *table.notes, *table.precision)
