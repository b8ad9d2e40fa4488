"""The table of speeds: training, inference, latency and memory of each row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.tables.cells import rate
from analysis.tables.render import as_csv, as_json, as_markdown
from roadmap.errors import unknown, visible
from roadmap.speed import Speed, Speeds

HEADINGS = {
    "row": "row",
    "step": "step",
    "training": "train img/s",
    "inference": "infer img/s",
    "latency": "one image, ms",
    "memory": "training MB",
}
FORMATS = ("terminal", "md", "csv", "json")


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """One row: medians over rounds with the smallest and largest; bytes; the conditions."""

    row: str
    title: str
    training: float
    training_low: float
    training_high: float
    inference: float
    inference_low: float
    inference_high: float
    latency_ms: float
    latency_ms_low: float
    latency_ms_high: float
    training_bytes: int
    inference_bytes: int
    batch: int
    rounds: int
    conditions: str

    @classmethod
    def of(cls, speed: Speed) -> SpeedRow:
        """Return the row of a speed."""
        return cls(
            row=speed.label.row,
            title=speed.label.title,
            training=median(speed.training),
            training_low=min(speed.training),
            training_high=max(speed.training),
            inference=median(speed.inference),
            inference_low=min(speed.inference),
            inference_high=max(speed.inference),
            latency_ms=median(speed.latency),
            latency_ms_low=min(speed.latency),
            latency_ms_high=max(speed.latency),
            training_bytes=speed.training_bytes,
            inference_bytes=speed.inference_bytes,
            batch=speed.batch,
            rounds=len(speed.training),
            conditions=speed.conditions,
        )

    def cells(self) -> dict[str, str]:
        """Return its text by column."""
        return {
            "row": self.row,
            "step": self.title if self.title not in self.row else "",
            "training": _spread(self.training, self.training_low, self.training_high),
            "inference": _spread(self.inference, self.inference_low, self.inference_high),
            "latency": f"{self.latency_ms:.3g} "
            f"({self.latency_ms_low:.3g}–{self.latency_ms_high:.3g})",
            "memory": f"{self.training_bytes / 1e6:.0f}",
        }


def render_speeds(speeds: Sequence[Speed], format: str) -> str:
    """Return the table in one of FORMATS; raises Problem for another."""
    check_speed_format(format)
    rows = [SpeedRow.of(speed) for speed in speeds]
    keys = {field.name: field.name for field in fields(SpeedRow)}
    if format == "csv":
        return as_csv(rows, keys).rstrip("\n")
    if format == "json":
        return as_json(rows, keys)
    cells = [row.cells() for row in rows]
    notes = [*Speeds.of(speeds).notes, "in brackets: smallest and largest of the rounds"]
    return as_markdown(cells, HEADINGS, notes) if format == "md" else _terminal(cells, notes)


def check_speed_format(format: str) -> None:
    """Raise Problem if `format` is none of FORMATS."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)


def _spread(middle: float, low: float, high: float) -> str:
    return f"{rate(middle)} ({rate(low)}–{rate(high)})"


def _terminal(rows: Sequence[dict[str, str]], notes: Sequence[str]) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80, highlight=False, legacy_windows=False)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name, heading in HEADINGS.items():
        words = name in ("row", "step")
        grid.add_column(heading, justify="left" if words else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(visible(row[name])) for name in HEADINGS))
    console.print(grid)
    for note in notes:
        console.print(Text(visible(note)))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
