"""The paper's numbers as printed: Tables 10 (`resnet50`) and 11 (`resnet200`).

Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545v2. ImageNet-1K top-1 in percent: mean and
standard deviation over n runs; GFLOPs are multiply-accumulates at 224 pixels and 1000 classes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

TABLES = ("resnet50", "resnet200")
IMAGE_SIZE, CLASSES = 224, 1000
RECIPE = "row 00 the old one, 90 epochs; rows 01–13 the enhanced one, 300 epochs; 224 px"
# Rows whose printed GFLOPs no network on the path can have; their notes say why.
UNREACHABLE = (("resnet50", "12"), ("resnet50", "13"))


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One printed row; `std` is None if the paper prints none. Row `swin` is its reference."""

    table: str
    row: str
    step: str
    top1: float
    std: float | None
    n: int
    gflops: float
    note: str

    def agrees(self, gmacs: float) -> bool:
        """Return whether a cost equals the printed one to its two decimals."""
        return f"{gmacs:.2f}" == f"{self.gflops:.2f}"


@cache
def paper_rows(table: str) -> dict[str, PaperRow]:
    """Return the rows of one of the paper's tables by number; empty if it has no such table."""
    text = (resources.files("roadmap") / "paper.csv").read_text(encoding="utf-8")
    return {
        line["row"]: _row(line)
        for line in csv.DictReader(text.splitlines())
        if line["table"] == table
    }


def printed(table: str | None, row: str, step: str) -> PaperRow | None:
    """Return the paper's row of that number if it has the same step, else None."""
    line = paper_rows(table).get(row) if table else None
    return line if line and line.step == step else None


def _row(line: dict[str, str]) -> PaperRow:
    return PaperRow(
        table=line["table"],
        row=line["row"],
        step=line["step"],
        top1=float(line["top1"]),
        std=float(line["std"]) if line["std"] else None,
        n=int(line["n"]),
        gflops=float(line["gflops"]),
        note=line["note"],
    )
