"""The tracker `tensorboard`: event files, by Lightning's TensorBoardLogger."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pytorch_lightning.loggers import TensorBoardLogger

from experiments.host.events import Started
from experiments.tracking.facts import Facts, plain


class TensorBoard:
    """An event file for each start of a run, in the run's folder.

    TensorBoard hides the steps of earlier starts from the step on at which the run resumes. The
    page HPARAMS lists runs by tags, cost and recipe, with their final numbers.
    """

    def __init__(self, run: Facts, start: Started, _known: str) -> None:
        folder = run.logs / "tensorboard" / plain(run.project) / run.path
        earlier = start.step > 0 and any(folder.glob("events.out.tfevents.*"))
        self.run, self.id, self.is_new = run, "", not earlier
        self.logger = TensorBoardLogger(
            run.logs / "tensorboard",
            name=plain(run.project),
            version=run.path,
            default_hp_metric=False,
            purge_step=start.step + 1 if earlier else 0,
        )
        self.logger.experiment.add_text("spec", f"```\n{json.dumps(run.spec, indent=1)}\n```")
        self.logger.experiment.add_text("tags", f"```\n{json.dumps(run.tags, indent=1)}\n```")

    def flush(self) -> None:
        """Write now what was logged."""
        self.logger.experiment.flush()

    def finish(self, outcome: str, final: Mapping[str, float]) -> None:
        """Log the parameters with the final numbers; without these, the page has no such line."""
        if final:
            run = self.run
            parameters = {**run.tags, **run.cost, **run.recipe, "outcome": outcome}
            self.logger.log_hyperparams(parameters, dict(final))
        self.logger.finalize("success")
        self.logger.experiment.close()
