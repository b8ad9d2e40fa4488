"""The training loop: train one network in this process and return its record."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytorch_lightning as lightning
import torch
from torch import nn

from experiments.data.check import without_broken
from experiments.data.pixels import pixel_references
from experiments.data.splits import DataSet, open_data
from experiments.host.events import Message, Observer, Preparing
from experiments.host.log import now
from experiments.host.machine import Machine
from experiments.host.signals import PATIENCE, STOP
from experiments.job import Job
from experiments.loading.loaders import Loading, choose_loading, evaluation_loader, train_loader
from experiments.loading.samplers import EpochSampler, Share
from experiments.tasks.cost import built_cost
from experiments.tasks.final import final_numbers
from experiments.tasks.kinds import make_task, with_heads
from experiments.tasks.measured_cost import measured_cost
from experiments.tasks.optimizer import scaled_rate
from experiments.tasks.task import Diverged
from experiments.training.checkpoint import (
    CheckpointCallback,
    check_identity,
    check_images,
    newest,
    position,
)
from experiments.training.choices import chosen, compile_mode
from experiments.training.place import Place
from experiments.training.provenance import describe_machine
from experiments.training.receptive_field import receptive_field
from experiments.training.reporting import ReportingCallback
from experiments.training.trainer import make_trainer, quiet
from experiments.training.waiting import StoppableLoader, loading_processes_ended
from experiments.weights.freezing import freeze
from experiments.weights.loading import in_words, load_start, of_backbone, scale_new_head
from roadmap.cost import cost
from roadmap.errors import Problem
from roadmap.evaluation import Evaluation
from roadmap.kernels import choice
from roadmap.layers import check_layers
from roadmap.network import build
from roadmap.plan import plan
from roadmap.record import Record, StartWeights
from roadmap.spec import Network, Recipe, Spec, to_dict

Say = Callable[[str], None]


def train_here(job: Job, observe: Observer, place: Place | None = None) -> Record | None:
    """Train in this process, at its place among the run's processes; rank 0 returns the record."""
    clock, started = time.monotonic(), now()
    place = place or Place()
    request, machine = job.request, chosen(job.machine, job.request)
    recipe, folder = request.spec.recipe, request.folder

    def say(text: str) -> None:
        observe(Message(run=request.name, text=text))

    _check_operations(request.spec)
    device = torch.device("cuda", place.local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":  # of all that is asked before Lightning sets it
        torch.cuda.set_device(device)
    data, loading = _open(job, observe, say, device)
    share = Share(rank=place.rank, world=machine.world, accumulate=machine.accumulate)
    torch.set_num_threads(machine.threads)
    torch.manual_seed(request.seed)
    network = build(request.spec.network, recipe.image_size)
    start = _start(network, job)
    network = with_heads(network, request.spec, data.statistics(recipe))
    costs = _cost(request.spec, network)
    freeze(network, recipe.freeze)
    network = network.to(memory_format=torch.channels_last)
    loader = train_loader(data, recipe, request.seed, share=share, loading=loading, device=device)
    sampler: EpochSampler = loader.sampler  # type: ignore[assignment]
    mode = compile_mode(machine, request)
    task = make_task(
        network,
        request.spec,
        data,
        steps_per_epoch=sampler.steps,
        seed=request.seed,
        share=share,
        compiled=bool(machine.compile),
        graphs=mode is not None,
    )
    if machine.compile:  # the networks only: Lightning's module would compile its hooks too
        for each in {network, task.validated}:  # the second is a copy if weights are averaged
            # Batches have one size in training, one in validation.
            each.compile(dynamic=False, **({"mode": mode} if mode else {}))
    report = ReportingCallback(
        request.name,
        observe,
        batch=recipe.batch,
        accumulate=machine.accumulate,
        validated=len(data.val),
    )
    save = CheckpointCallback(
        folder, request.identity, STOP, machine.save_every, images=len(data.train)
    )
    callbacks: list[lightning.Callback] = [report, save] if place.rank == 0 else [save]
    trainer = make_trainer(recipe.epochs, machine, place, callbacks)
    last = _resume(job, len(data.train), sampler, say)
    if place.rank == 0:
        say(_plan(recipe, machine, share, loading, graphs=mode is not None))
        if start is not None:
            say(in_words(start, backbone=recipe.task is not None))
    status = "finished"
    with quiet(), loading_processes_ended():
        try:
            trainer.fit(
                task,
                StoppableLoader(
                    loader,
                    patience=lambda: 0.0 if save.can_save(trainer) else PATIENCE,
                    stopped=lambda: save.save_if_possible(trainer),
                ),
                StoppableLoader(
                    evaluation_loader(data, recipe, share=share, loading=loading, device=device),
                    patience=lambda: PATIENCE,
                    stopped=lambda: False,
                ),
                ckpt_path=str(last) if last else None,
                weights_only=True,
            )
        except Diverged as fault:
            status = "diverged"
            say(f"diverged: {fault}")
        except SystemExit:  # Lightning's answer to an interrupt
            raise KeyboardInterrupt from None
    if place.rank > 0:
        return None
    if status == "finished" and len(report.history) != recipe.epochs:
        raise Problem(f"the checkpoint in {folder} lacks epochs; use --restart to start over")
    finished = status == "finished"
    final = report.history[-1] if finished else {}
    field = None
    metrics: dict[str, float] = {}
    evaluations: dict[str, Evaluation] = {}
    if finished:  # on the trainer's device, which the network has left by now
        metrics, evaluations = final_numbers(task, data, trainer.strategy.root_device)
        if recipe.task is None:
            field = receptive_field(task.validated, data, recipe, trainer.strategy.root_device, say)
    seconds = sum(row["seconds"] for row in report.history) or time.monotonic() - clock
    return Record(
        identity=request.identity,
        label=request.label,
        status="finished" if finished else "diverged",
        top1=final.get("top1"),
        top5=final.get("top5"),
        loss=final.get("loss"),
        correct=report.correct if finished else "",
        metrics=metrics,
        evaluations=evaluations,
        receptive_field=field,
        macs=costs["macs"],
        params=costs["params"],
        activations=costs["activations"],
        images_per_second=report.images_per_second(),
        wall_seconds=round(seconds, 1),
        data=data.describe(recipe.task_name) | _references(data, recipe, loading, say),
        spec=to_dict(request.spec),
        history=report.history,
        asked=job.asked,
        weights=start,
        provenance=describe_machine(
            machine,
            images=str(loading),
            command=job.command,
            started=started,
            finished=now(),
            graphs=mode is not None,
        ),
    )


def _check_operations(spec: Spec) -> None:
    """Raise Problem if an operation of the user's is broken: images are not read before that."""
    if isinstance(spec.network, Network):
        check_layers(plan(spec.network, spec.recipe.image_size).layers())


def _open(job: Job, observe: Observer, say: Say, device: torch.device) -> tuple[DataSet, Loading]:
    """Open the data set, and choose how its images get to the network."""

    def preparing(what: str, done: int, total: int) -> None:
        STOP.check()
        observe(Preparing(run=job.name, what=what, done=done, total=total))

    source = job.request.settings.source
    data = open_data(source, progress=partial(preparing, f"{source.preparation}, once"))
    if job.machine.broken == "skip":
        data, faults = without_broken(data, partial(preparing, "trying all training images"))
        for fault in faults:
            say(f"left out: {fault}")
    loading = choose_loading(data, job.request.spec.recipe, job.machine, device)
    if loading.held:
        data = data.hold(partial(preparing, "decoding the images, once"))
    return data, loading


def _start(network: nn.Module, job: Job) -> StartWeights | None:
    """Load the weights to start from, if there are any; prepare the classifier."""
    spec, choice = job.request.spec, job.request.settings.start
    start = None
    if spec.weights is not None:
        if choice is None:
            raise Problem(f"{job.name} starts from weights {spec.weights}; give --weights")
        start = load_start(network, choice.weights)
        if spec.recipe.task is not None:
            start = of_backbone(start, network)
    scale_new_head(network, spec.recipe.head_init_scale, start)
    return start


def _references(data: DataSet, recipe: Recipe, loading: Loading, say: Say) -> dict[str, object]:
    """Return what a comparison of pixels gets; it is left out if images are not held in memory."""
    if not loading.held or recipe.task is not None:
        return {}
    try:
        return {"references": pixel_references(data)}
    except OSError as fault:  # the cache cannot be written, and the record matters more
        say(f"no comparison of pixels: {fault}")
        return {}


def _resume(job: Job, images: int, sampler: EpochSampler, say: Say) -> Path | None:
    """Return the checkpoint to resume from, after checking it, and move the sampler there."""
    if (checkpoint := newest(job.folder, say)) is None:
        return None
    path, saved = checkpoint
    check_identity(saved, job.request.identity, path)
    check_images(saved, images, path)
    epoch, micro_batches = position(saved)
    sampler.resume(epoch, micro_batches)
    epochs = job.request.spec.recipe.epochs
    if epoch < epochs:
        after = f", after {micro_batches} of its {len(sampler)} batches" if micro_batches else ""
        say(f"resuming in epoch {epoch + 1}/{epochs}{after}")
    return path


def _plan(recipe: Recipe, machine: Machine, share: Share, loading: Loading, *, graphs: bool) -> str:
    """Describe in a line what the run is about to do."""
    batch = f"batch {recipe.batch}"
    if share.micro_batches > 1:
        part = recipe.batch // share.micro_batches
        factors = (f"{share.world} devices", f"{share.accumulate} micro-batches", str(part))
        batch += " = " + " × ".join(text for text in factors if not text.startswith("1 "))
    rate = f"learning rate {scaled_rate(recipe):g}"
    if recipe.batch != recipe.base_batch:
        rate += f" = {recipe.learning_rate:g} × {recipe.batch} / {recipe.base_batch}"
    parts = [batch, rate, f"images {loading}", f"precision {machine.precision}"]
    parts += ["compiled" + ", with CUDA graphs" * graphs] if machine.compile else []
    parts += [kernels] if torch.cuda.is_available() and (kernels := choice.in_words(0)) else []
    parts += [f"{machine.jobs} runs at a time"] if machine.jobs > 1 else []
    return ", ".join(parts)


def _cost(spec: Spec, network: nn.Module) -> dict[str, int]:
    if spec.recipe.task is not None:
        return built_cost(network, spec, spec.network.classes)
    if not isinstance(spec.network, Network):
        return measured_cost(network, spec.recipe.image_size)
    walked = cost(spec.network, spec.recipe.image_size)
    return {"macs": walked.macs, "params": walked.params, "activations": walked.activations}
