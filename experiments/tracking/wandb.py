"""The tracker `wandb`: Weights & Biases, by Lightning's WandbLogger."""

from __future__ import annotations

import netrc
import os
import uuid
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import wandb
from pytorch_lightning.loggers import WandbLogger

from experiments.host.events import Started
from experiments.tracking.facts import Facts, plain

LONGEST = 64  # characters of a tag
STEP = "trainer/global_step"  # Lightning's name of the steps


class WeightsAndBiases:
    """A run of W&B in the project of the roadmap; seeds of a row are a group.

    WANDB_MODE decides where it goes. Without this variable it goes to the server if there is a key
    for it, else into a folder that `wandb sync` uploads. WANDB_PROJECT names another project.
    """

    def __init__(self, run: Facts, start: Started, known: str) -> None:
        self.is_new, self.id = not known, known or uuid.uuid4().hex[:12]
        folder = run.logs / "wandb"
        folder.mkdir(parents=True, exist_ok=True)
        tags = [run.tags["roadmap"], run.tags["study"], f"row {run.tags['row']}", run.tags["step"],
                run.tags["data"], f"seed {run.seed}"]  # fmt: skip
        self.experiment = wandb.init(
            name=run.name,
            dir=run.logs,
            id=self.id,
            resume="allow",
            project=os.environ.get("WANDB_PROJECT") or plain(run.project),
            group=run.group,
            job_type=run.tags["study"],
            tags=[tag[:LONGEST] for tag in dict.fromkeys(tags) if tag],
            mode=_mode(),
            settings=wandb.Settings(silent=True, console="off"),
        )
        self.experiment.define_metric(STEP)
        self.experiment.define_metric("*", step_metric=STEP, step_sync=True)
        self.logger = WandbLogger(experiment=self.experiment)
        self.logger.log_hyperparams({**run.tags, **run.spec, **run.cost, "seed": run.seed})

    def flush(self) -> None:
        """Do nothing: another process sends what was logged, at once."""

    def finish(self, outcome: str, final: Mapping[str, float]) -> None:
        """Put the final numbers into the summary, and end the run there."""
        self.experiment.summary.update({**final, "outcome": outcome})
        self.experiment.finish(exit_code=0 if outcome == "finished" else 1)


def _mode() -> Literal["online", "offline"] | None:
    """Return where the run goes, without asking for a key; None leaves it to WANDB_MODE."""
    if os.environ.get("WANDB_MODE"):
        return None
    return "online" if os.environ.get("WANDB_API_KEY") or _in_netrc() else "offline"


def _in_netrc() -> bool:
    """Return whether `wandb login` left a key for the server."""
    server = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname
    try:
        hosts = netrc.netrc(os.environ.get("NETRC")).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return server in hosts
