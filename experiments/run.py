"""One run: a row's spec trained on one data set with one seed leaves one record."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment

from experiments.check_data import without_broken
from experiments.checkpoint import Keep, ProvenFiles, check_identity, check_images, newest
from experiments.data import BrokenImage, DataSet, open_data
from experiments.history import History
from experiments.lock import only_here
from experiments.log import logged, now
from experiments.machine import Machine, as_it_began, differences
from experiments.order import Share
from experiments.progress import Event, Tell, said
from experiments.provenance import describe_machine
from experiments.receptive_field import receptive_field
from experiments.reference import measured_cost
from experiments.request import Request
from experiments.signals import STOP
from experiments.sources import cache_folder
from experiments.task import Classification, Diverged, scaled_rate
from experiments.together import node_rank, train_together
from experiments.views import Loading, choose_loading, evaluation_loader, train_loader
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import Record, write_record
from roadmap.spec import Network, Recipe, Spec, to_dict

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
        as_it_began(machine, folder)
        return train_together(request, machine, command, tell)
    with only_here(folder, request.name, machine.wait, tell):
        STOP.check()
        found = request.finished()
        if found is None:
            for left in folder.glob("*.partial"):  # by a process that was killed while it wrote
                left.unlink()
            with logged(folder / "log.txt", tell) as tell:
                asked, machine = machine, as_it_began(machine, folder)
                for line in differences(asked, machine):
                    tell(said(request.name, line))
                start = train_together if machine.world > 1 else train_here
                try:
                    found = start(request, machine, command, tell)
                except BrokenImage as fault:
                    raise Problem(f"{fault}; {BROKEN[machine.broken]}") from fault
                write_record(found, folder / "record.json")
    return found


def train_here(
    request: Request, machine: Machine, command: str, tell: Tell, rank: int = 0
) -> Record | None:
    """Train in this process, the `rank`-th of the run's; the first makes the record."""
    clock, started = time.monotonic(), now()
    recipe, folder = request.spec.recipe, request.folder

    def say(line: str) -> None:
        tell(said(request.name, line))

    data, loading = _data(request, machine, tell, say)
    share = Share(rank=rank, world=machine.world, accumulate=machine.accumulate)
    torch.set_num_threads(machine.threads)
    torch.manual_seed(request.seed)
    network = build(request.spec.network, recipe.image_size).to(memory_format=torch.channels_last)
    loader = train_loader(data, recipe, request.seed, share=share, loading=loading)
    task = Classification(
        network,
        recipe,
        classes=data.source.classes,
        steps_per_epoch=loader.sampler.steps,
        seed=request.seed,
        share=share,
    )
    costs = _cost(request.spec, network)
    if machine.compile:
        network.compile()
    history = History(
        folder / "metrics.jsonl",
        images=loader.sampler.steps * recipe.batch,
        validated=len(data.val),
    )
    callbacks = [history, Watch(request.name, history, tell)] if rank == 0 else []
    keep = Keep(folder, request.identity, STOP, machine.save_every, images=len(data.train))
    callbacks.append(keep)
    trainer = _trainer(recipe.epochs, machine, callbacks)
    last, status = None, "finished"
    if found := newest(folder, say):
        last, saved = found
        check_identity(saved, request.identity, last)
        check_images(saved, len(data.train), last)
        epoch, batches = _position(saved)
        loader.sampler.go_on(epoch, batches)
        if epoch < recipe.epochs:
            within = f", after {batches} of its {loader.sampler.steps} steps" if batches else ""
            say(f"going on in epoch {epoch + 1}/{recipe.epochs}{within}")
    if rank == 0:
        say(_plan(recipe, share, loading))
    with _quiet():
        try:
            trainer.fit(
                task,
                loader,
                evaluation_loader(data, recipe, share=share, loading=loading),
                ckpt_path=str(last) if last else None,
                weights_only=True,
            )
        except Diverged as fault:
            status = "diverged"
            say(f"diverged: {fault}")
        except SystemExit:  # Lightning's answer to an interrupt
            raise KeyboardInterrupt from None
    if rank > 0:
        return None
    rows = history.rows()
    if status == "finished" and [row["epoch"] for row in rows] != list(range(recipe.epochs)):
        raise Problem(f"{history.path} lacks epochs of the run; --restart begins it anew")
    final = rows[-1] if status == "finished" else {}
    field = None
    if status == "finished":  # on the trainer's device, which the network has left by now
        device = trainer.strategy.root_device
        field = receptive_field(task.validated, data, recipe, device, say)
    return Record(
        identity=request.identity,
        label=request.label,
        status=status,
        **{key: final.get(key) for key in ("top1", "top5", "loss")},
        correct=history.correct() if final else "",
        receptive_field=field,
        **costs,
        images_per_second=history.images_per_second(),
        wall_seconds=round(sum(row["seconds"] for row in rows) or time.monotonic() - clock, 1),
        data=data.describe(),
        spec=to_dict(request.spec),
        history=rows,
        provenance=describe_machine(
            machine, images=str(loading), command=command, started=started, finished=now()
        ),
    )


def _data(
    request: Request, machine: Machine, tell: Tell, say: Callable[[str], None]
) -> tuple[DataSet, Loading]:
    """The data set, opened, and how its images will get to the network."""

    def preparing(line: str, done: int, total: int) -> None:
        line = line if done == 1 else ""
        event = Event(run=request.name, done=done, total=total, line=line, preparing=True)
        tell(replace(event, state=line.partition(",")[0]))

    source = request.settings.source
    first = "drawing the fractals" if source.name == "fractals" else "reading the images"
    data = open_data(source, cache_folder(), partial(preparing, f"{first}, once"))
    if machine.broken == "skip":
        data, faults = without_broken(data, partial(preparing, "trying all training images"))
        for fault in faults:
            say(f"left out: {fault}")
    loading = choose_loading(data, request.spec.recipe, machine)
    if loading.held:
        data = data.hold(partial(preparing, "decoding the images, once"))
    return data, loading


def _position(saved: dict[str, Any]) -> tuple[int, int]:
    """Epoch, and batches done in it, at which a checkpoint was saved."""
    progress = saved["loops"]["fit_loop"]
    epoch = progress["epoch_progress"]["current"]
    batches = progress["epoch_loop.batch_progress"]
    whole = epoch["processed"] == epoch["started"]
    return epoch["processed"], 0 if whole else batches["current"]["processed"]


def _plan(recipe: Recipe, share: Share, loading: Loading) -> str:
    """What a run is about to do, in a line."""
    batch = f"batch {recipe.batch}"
    if share.portions > 1:
        part = recipe.batch // share.portions
        counts = (f"{share.world} devices", f"{share.accumulate} portions", str(part))
        batch += " = " + " × ".join(each for each in counts if not each.startswith("1 "))
    rate = f"learning rate {scaled_rate(recipe):g}"
    if recipe.batch != recipe.base_batch:
        rate += f" = {recipe.learning_rate:g} × {recipe.batch} / {recipe.base_batch}"
    return f"{batch}, {rate}, images {loading}"


class Watch(lightning.Callback):
    """Tells of a run's steps and epochs."""

    def __init__(self, name: str, history: History, tell: Tell) -> None:
        self.name, self.history, self.tell, self.shown = name, history, tell, 0.0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, *_: object
    ) -> None:
        """Tell how far the run is, at most four times a second."""
        if time.monotonic() - self.shown > 0.25:
            self.shown = time.monotonic()
            self._tell(trainer)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, task: lightning.LightningModule
    ) -> None:
        """Tell what the epoch brought."""
        row = self.history.rows()[-1]
        done = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        line = (
            f"{done}, train loss {row['train_loss']:.3f}, top-1 {row['top1']:.2f} %, "
            f"{row['images_per_second']:.0f} images/s"
        )
        self._tell(trainer, state=f"{done} top-1 {row['top1']:.1f} %", line=line)

    def _tell(self, trainer: lightning.Trainer, **text: str) -> None:
        total = int(trainer.estimated_stepping_batches)
        self.tell(Event(run=self.name, done=trainer.global_step, total=total, **text))


def _trainer(
    epochs: int, machine: Machine, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    plugins: list[Any] = [ProvenFiles()]
    together = {}
    if machine.world > 1:
        together["strategy"] = "ddp"
        plugins.append(LightningEnvironment())
    with _quiet():
        return lightning.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=machine.devices,
            num_nodes=machine.nodes,
            precision={"32": "32-true", "bf16": "bf16-mixed"}[machine.precision],
            accumulate_grad_batches=machine.accumulate,
            sync_batchnorm=machine.sync_batchnorm,
            use_distributed_sampler=False,  # the sampler knows its share
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            callbacks=callbacks,
            plugins=plugins,
            **together,
        )


class _quiet:  # noqa: N801 - a context manager that reads as a word
    """Keep Lightning from talking about itself; its errors still come through."""

    def __enter__(self) -> None:
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)

    def __exit__(self, *fault: object) -> None:
        self.caught.__exit__(*fault)


def _cost(spec: Spec, network: torch.nn.Module) -> dict[str, int]:
    size = spec.recipe.image_size
    if not isinstance(spec.network, Network):
        return measured_cost(network, size)
    walked = cost(spec.network, size)
    return {"macs": walked.macs, "params": walked.params, "activations": walked.activations}
