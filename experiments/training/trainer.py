"""Lightning's trainer, set up for one run: what it computes on, and nothing printed."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import pytorch_lightning as lightning
from pytorch_lightning.plugins.environments import ClusterEnvironment

from experiments.host.machine import Machine
from experiments.training.checkpoint import ChecksummedCheckpointIO
from experiments.training.place import Place

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "bf16": "bf16-mixed"}


class Environment(ClusterEnvironment):
    """A process's place, given to Lightning: it guesses nothing from variables of SLURM or others.

    `rank` and `world` are known from the start, so Lightning's own numbers are not taken over.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place

    @property
    def creates_processes_externally(self) -> bool:
        """Return True: Lightning starts no process."""
        return True

    @property
    def main_address(self) -> str:
        """Where the processes meet."""
        return self.place.address

    @property
    def main_port(self) -> int:
        """At which port they meet."""
        return self.place.port

    @staticmethod
    def detect() -> bool:
        """Return False: this environment is only ever given."""
        return False

    def world_size(self) -> int:
        """Return the number of processes of the run."""
        return self.place.world

    def global_rank(self) -> int:
        """Return this process's rank among them."""
        return self.place.rank

    def local_rank(self) -> int:
        """Return this process's number on its node."""
        return self.place.local

    def node_rank(self) -> int:
        """Return the node's number."""
        return self.place.node

    def set_world_size(self, size: int) -> None:
        """Keep the size that is known."""

    def set_global_rank(self, rank: int) -> None:
        """Keep the rank that is known."""


def make_trainer(
    epochs: int, machine: Machine, place: Place, callbacks: Sequence[lightning.Callback]
) -> lightning.Trainer:
    """Return a trainer that trains `epochs` epochs on this machine."""
    with quiet():
        return lightning.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            strategy="ddp" if machine.world > 1 else "auto",
            devices=machine.devices,
            num_nodes=machine.nodes,
            precision=PRECISIONS[machine.precision],
            accumulate_grad_batches=machine.accumulate,
            sync_batchnorm=machine.sync_batchnorm,
            use_distributed_sampler=False,  # the sampler knows its share
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            callbacks=list(callbacks),
            plugins=[ChecksummedCheckpointIO(), Environment(place)],
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Lightning's advice; its errors still come through."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        yield
