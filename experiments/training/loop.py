"""Fit one network: data, task, trainer."""

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

from experiments.data.check import without_broken
from experiments.data.splits import DataSet, open_data
from experiments.host.log import now
from experiments.host.machine import Machine
from experiments.host.progress import Event, Tell, said
from experiments.host.signals import STOP
from experiments.loading.loaders import Loading, choose_loading, evaluation_loader, train_loader
from experiments.loading.samplers import Share
from experiments.request import Request
from experiments.training.checkpoint import (
    CheckpointCallback,
    ChecksummedCheckpointIO,
    check_identity,
    check_images,
    newest,
)
from experiments.training.history import History
from experiments.training.measured_cost import measured_cost
from experiments.training.observers import Watch
from experiments.training.optimizer import scaled_rate
from experiments.training.provenance import describe_machine
from experiments.training.receptive_field import receptive_field
from experiments.training.task import Classification, Diverged
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.network import build
from roadmap.record import Record
from roadmap.spec import Network, Recipe, Spec, to_dict


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
    keep = CheckpointCallback(
        folder, request.identity, STOP, machine.save_every, images=len(data.train)
    )
    callbacks.append(keep)
    trainer = _trainer(recipe.epochs, machine, callbacks)
    last, status = None, "finished"
    if found := newest(folder, say):
        last, saved = found
        check_identity(saved, request.identity, last)
        check_images(saved, len(data.train), last)
        epoch, batches = _position(saved)
        loader.sampler.resume(epoch, batches)
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
    data = open_data(source, progress=partial(preparing, f"{source.preparation}, once"))
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
    if share.micro_batches > 1:
        part = recipe.batch // share.micro_batches
        counts = (f"{share.world} devices", f"{share.accumulate} portions", str(part))
        batch += " = " + " × ".join(each for each in counts if not each.startswith("1 "))
    rate = f"learning rate {scaled_rate(recipe):g}"
    if recipe.batch != recipe.base_batch:
        rate += f" = {recipe.learning_rate:g} × {recipe.batch} / {recipe.base_batch}"
    return f"{batch}, {rate}, images {loading}"


def _trainer(
    epochs: int, machine: Machine, callbacks: list[lightning.Callback]
) -> lightning.Trainer:
    plugins: list[Any] = [ChecksummedCheckpointIO()]
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
