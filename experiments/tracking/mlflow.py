"""The tracker `mlflow`, by Lightning's MLFlowLogger."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from filelock import FileLock
from mlflow import MlflowClient, MlflowException
from pytorch_lightning.loggers import MLFlowLogger

from experiments.host.events import Started
from experiments.tracking.facts import Facts, plain

STATES = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class MLflow:
    """A run in the experiment of the roadmap, on the server in MLFLOW_TRACKING_URI.

    Without this variable it is in a database, `mlflow.db`. MLFLOW_EXPERIMENT_NAME names another
    experiment. A resumed run is the same run there.
    """

    def __init__(self, run: Facts, start: Started, known: str) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        run.logs.mkdir(parents=True, exist_ok=True)
        own = f"sqlite:///{run.logs.absolute() / 'mlflow.db'}"
        server = os.environ.get("MLFLOW_TRACKING_URI") or own
        with FileLock(run.logs / "mlflow.lock"):  # parallel runs would make the tables twice
            self.is_new = not _is_there(server, known)
            self.logger = MLFlowLogger(
                experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME") or plain(run.project),
                run_name=run.name,
                tracking_uri=server,
                tags=dict(run.tags),
                run_id=None if self.is_new else known,
            )
            self.id = str(self.logger.run_id)
        if self.is_new:
            self.logger.log_hyperparams({**run.spec, **run.cost})
        else:
            self.logger.experiment.update_run(self.id, status="RUNNING")

    def flush(self) -> None:
        """Do nothing: each call writes."""

    def finish(self, outcome: str, final: Mapping[str, float]) -> None:
        """Log the final numbers and the run's state."""
        if final:
            self.logger.log_metrics(final)
        self.logger.finalize(STATES[outcome])


def _is_there(server: str, known: str) -> bool:
    """Return whether the server still has the run."""
    if not known:
        return False
    try:
        return MlflowClient(server).get_run(known).info.lifecycle_stage == "active"
    except MlflowException:
        return False
