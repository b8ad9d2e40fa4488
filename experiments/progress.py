"""What a person sees while runs train: one line with time left, or plain lines in a log."""

from __future__ import annotations

import pytorch_lightning as lightning
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from experiments.history import History


class Progress:
    """One progress display for any number of runs, on standard error.

    In a terminal a bar with the time left; elsewhere (a log, CI) a line per epoch.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, markup=False)

    def drawing(self, done: int, total: int) -> None:
        """Progress of making the embedded data set."""
        if done == 1 or not self.bar.tasks:
            self.task = self.bar.add_task("drawing fractals", total=total, state="")
            if not self.console.is_terminal:
                self.say("drawing the fractals data set, once")
        self.bar.update(self.task, completed=done)
        if done == total:
            self.bar.remove_task(self.task)

    def begin(self, name: str, epochs: int, steps: int) -> None:
        """Start the bar of one run."""
        self.name, self.epochs = name, epochs
        self.task = self.bar.add_task(name, total=epochs * steps, state=f"epoch 1/{epochs}")

    def callback(self, history: History) -> lightning.Callback:
        """What tells this display of a run's steps and epochs."""
        return _Watch(self, history)

    def epoch(self, row: dict[str, float]) -> None:
        """An epoch is over."""
        done = int(row["epoch"]) + 1
        state = f"epoch {min(done + 1, self.epochs)}/{self.epochs} top-1 {row['top1']:.1f} %"
        self.bar.update(self.task, state=state)
        if not self.console.is_terminal:
            self.say(
                f"{self.name}: epoch {done}/{self.epochs}, train loss {row['train_loss']:.3f}, "
                f"top-1 {row['top1']:.2f} %, {row['images_per_second']:.0f} images/s"
            )

    def end(self) -> None:
        """The run is over."""
        self.bar.remove_task(self.task)


class _Watch(lightning.Callback):
    def __init__(self, progress: Progress, history: History) -> None:
        self.progress, self.history = progress, history

    def on_train_batch_end(
        self, trainer: lightning.Trainer, *_: object
    ) -> None:
        self.progress.bar.update(self.progress.task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        self.progress.epoch(self.history.rows()[-1])

    def teardown(
        self, trainer: lightning.Trainer, task: lightning.LightningModule, stage: str
    ) -> None:
        self.progress.end()
