"""One run: a row's spec trained on one data set with one seed leaves one record."""

from __future__ import annotations

from experiments.data.images import BrokenImage
from experiments.host.lock import exclusive_run
from experiments.host.log import logged
from experiments.host.machine import Machine, differences, restore_settings
from experiments.host.progress import Tell, said
from experiments.host.signals import STOP
from experiments.launch.distributed import node_rank, train_distributed
from experiments.request import Request
from experiments.training.loop import train_here
from roadmap.errors import Problem
from roadmap.record import Record, write_record

BROKEN = {
    "stop": "check-data names all such, --broken skip leaves those of training out",
    "skip": "images for validation are never left out: mend or remove it (check-data names all)",
}


def train(request: Request, *, machine: Machine, command: str, tell: Tell) -> Record:
    """The record of this run: read if the run is finished, else trained, from its last epoch on.

    Writes `runs/<identity>/` with `record.json`, `metrics.jsonl`, `log.txt`, `machine.yaml` and
    `last.ckpt`. Two calls do not train the same run: the second waits and then finds the record.
    """
    folder = request.folder
    folder.mkdir(parents=True, exist_ok=True)
    if node_rank(machine) > 0:
        restore_settings(machine, folder)
        return train_distributed(request, machine, command, tell)
    with exclusive_run(folder, request.name, machine.wait, tell):
        STOP.check()
        found = request.finished()
        if found is None:
            for left in folder.glob("*.partial"):  # by a process that was killed while it wrote
                left.unlink()
            with logged(folder / "log.txt", tell) as tell:
                asked, machine = machine, restore_settings(machine, folder)
                for line in differences(asked, machine):
                    tell(said(request.name, line))
                start = train_distributed if machine.world > 1 else train_here
                try:
                    found = start(request, machine, command, tell)
                except BrokenImage as fault:
                    raise Problem(f"{fault}; {BROKEN[machine.broken]}") from fault
                write_record(found, folder / "record.json")
    return found
