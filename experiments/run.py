"""One run: a row's spec trained on one data set with one seed leaves one record."""

from __future__ import annotations

import datetime
import logging
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as lightning
import torch
from filelock import FileLock
from pytorch_lightning.callbacks import ModelCheckpoint

from experiments.data import DataSet, evaluation_loader, train_loader
from experiments.history import History
from experiments.progress import Progress
from experiments.provenance import describe_machine
from experiments.reference import measured_cost
from experiments.task import Classification, Diverged
from roadmap.cost import cost
from roadmap.network import build
from roadmap.record import Identity, Label, Record, read_record, write_record
from roadmap.spec import Network, Spec, fingerprint, to_dict


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How a run is computed, which does not identify it: threads and loading processes."""

    threads: int
    workers: int


def default_machine() -> Machine:
    """All cores compute; half as many, at most 8, load images."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(threads=cores, workers=max(1, min(8, cores // 2)))


def identity(spec: Spec, data: DataSet, seed: int) -> Identity:
    """What makes this run this run."""
    return Identity(
        spec=spec.fingerprint,
        network=fingerprint(spec.network),
        recipe=fingerprint(spec.recipe),
        data=data.fingerprint,
        seed=seed,
    )


def train(
    spec: Spec,
    label: Label,
    data: DataSet,
    *,
    seed: int,
    runs: Path,
    machine: Machine,
    command: str,
    progress: Progress,
) -> Record:
    """The record of this run: read if the run is finished, else trained, from its last epoch on.

    Writes `runs/<identity>/` with `record.json`, `metrics.jsonl` and `last.ckpt`. Two processes
    do not train the same run: the second waits and then finds the record.
    """
    identified = identity(spec, data, seed)
    folder = runs / identified.run
    if (folder / "record.json").exists():
        return read_record(folder / "record.json")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if (folder / "record.json").exists():
            return read_record(folder / "record.json")
        record = _train(spec, label, data, identified, folder, machine, command, progress)
        write_record(record, folder / "record.json")
    return record


def _train(
    spec: Spec,
    label: Label,
    data: DataSet,
    identified: Identity,
    folder: Path,
    machine: Machine,
    command: str,
    progress: Progress,
) -> Record:
    started, clock = _now(), time.monotonic()
    torch.set_num_threads(machine.threads)
    torch.manual_seed(identified.seed)
    recipe = spec.recipe
    network = build(spec.network, recipe.image_size).to(memory_format=torch.channels_last)
    loader = train_loader(data, recipe, identified.seed, machine.workers)
    task = Classification(
        network, recipe, classes=data.classes, steps_per_epoch=len(loader), seed=identified.seed
    )
    history = History(folder / "metrics.jsonl", images=len(loader) * recipe.batch)
    status = "finished"
    progress.begin(f"{label.row} {label.step} seed {identified.seed}", recipe.epochs, len(loader))
    trainer = _trainer(recipe.epochs, folder, [history, progress.callback(history)])
    last = folder / "last.ckpt"
    with _quiet():
        try:
            trainer.fit(
                task,
                loader,
                evaluation_loader(data, recipe, machine.workers),
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
        except Diverged as fault:
            status = "diverged"
            progress.say(f"{label.row} {label.step}: diverged, {fault}")
    if trainer.interrupted:
        raise KeyboardInterrupt
    rows = history.rows()
    final = rows[-1] if rows and status == "finished" else {}
    found = _cost(spec, network)
    return Record(
        identity=identified,
        label=label,
        status=status,
        top1=final.get("top1"),
        top5=final.get("top5"),
        loss=final.get("loss"),
        **found,
        images_per_second=history.images_per_second(),
        wall_seconds=round(sum(row["seconds"] for row in rows) or time.monotonic() - clock, 1),
        data=data.describe(),
        spec=to_dict(spec),
        history=rows,
        provenance=describe_machine(machine.threads, command, started, _now()),
    )


def _trainer(epochs: int, folder: Path, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    keep_last = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    with _quiet():
        return lightning.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[*callbacks, keep_last],
        )


class _quiet:  # noqa: N801 - a context manager that reads as a word
    """Keep Lightning from talking about itself; its errors still come through."""

    def __enter__(self) -> None:
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    def __exit__(self, *fault: object) -> None:
        self.caught.__exit__(*fault)


def _cost(spec: Spec, network: torch.nn.Module) -> dict[str, int]:
    size = spec.recipe.image_size
    if not isinstance(spec.network, Network):
        return measured_cost(network, size)
    walked = cost(spec.network, size)
    return {"macs": walked.macs, "params": walked.params, "activations": walked.activations}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
