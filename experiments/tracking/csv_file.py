"""The tracker `csv`: a table of numbers for each run, by Lightning's CSVLogger."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger

from experiments.host.events import Started
from experiments.tracking.facts import Facts, plain


class CSVFile:
    """`metrics.csv` and `hparams.yaml` in a folder of the run.

    Lightning starts a new file each time, so the lines before a resumed step are written again.
    """

    def __init__(self, run: Facts, start: Started, _known: str) -> None:
        project = run.logs / "csv" / plain(run.project)
        kept = _before(project / run.path / "metrics.csv", start.step)
        self.id, self.is_new = "", not any("train_loss" in line for line in kept)
        self.logger = CSVLogger(
            run.logs / "csv",
            name=plain(run.project),
            version=run.path,
            flush_logs_every_n_steps=1,
        )
        self.logger.log_hyperparams({**run.tags, **run.spec, **run.cost})
        for line in kept:
            self.logger.log_metrics(line, int(line.pop("step")))
        self.flush()

    def flush(self) -> None:
        """Write now what was logged."""
        self.logger.save()

    def finish(self, outcome: str, final: Mapping[str, float]) -> None:
        """Add what the run ended with to `hparams.yaml`; the numbers are no epoch's."""
        self.logger.log_hyperparams({"outcome": outcome, **final})
        self.logger.finalize(outcome)


def _before(path: Path, step: int) -> list[dict[str, Any]]:
    """Return the lines of an earlier start, up to a step; a torn last line is left out."""
    lines: list[dict[str, Any]] = []
    if step and path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for read in csv.DictReader(file):
                try:
                    line = {key: float(text) for key, text in read.items() if key and text}
                except ValueError:
                    continue
                if 0 < line.get("step", 0) <= step:
                    lines.append(line)
    return lines
