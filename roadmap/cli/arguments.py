"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import NoReturn

from roadmap.cli.workspace import DEFAULT_RUNS
from roadmap.errors import escaped, quoted

DATA = (
    "fractals, fractals-2, fractal-scenes, a folder or .tar with train/ and val/, a folder in"
    " COCO's, ADE20K's or VOC's layout, or timm's torch/cifar10, hfds/…"
)
ROW = "05, width, 08-k5 or timm:NAME"
LEAST_CROP = 0.05  # a smaller one needs images of several gigabytes
MOST_SECONDS = 100_000_000  # three years
MOST = 2**31 - 1  # the largest number that an option takes


class Formatter(argparse.HelpFormatter):
    """Help in which a line never ends within a name, such as learning-rate."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.indent("\n".join(self._split_lines(text, width - len(indent))), indent)


class Parser(argparse.ArgumentParser):
    """A parser that refuses an option given twice: one of the two values would be ignored."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, with control characters escaped; exit with code 2."""
        super().error(escaped(message))

    def __init__(self, **settings: object) -> None:
        settings.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]
        self.register("action", None, StoreOnce)


class StoreOnce(argparse.Action):
    """Store the value of an option; a second one is an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store `values`."""
        if option_string is not None:
            _refuse_second(self, namespace)
        setattr(namespace, self.dest, values)


class SwitchOnce(argparse.BooleanOptionalAction):
    """Store whether `--name` or `--no-name` is given; a second one of the two is an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store True or False."""
        _refuse_second(self, namespace)
        super().__call__(parser, namespace, None, option_string)


def _refuse_second(action: argparse.Action, namespace: argparse.Namespace) -> None:
    given = vars(namespace).setdefault("given", set())
    if action.dest in given:
        raise argparse.ArgumentError(action, "is given twice")
    given.add(action.dest)


def add_study(parser: Parser, *, default: str | None = None, also: str = "") -> None:
    """Add the study that a command is about."""
    parser.add_argument(
        "study",
        nargs="?",
        metavar="STUDY",
        default=default,
        help="path, leave-one-out, one-at-a-time, orders, learning-rate, micro-design, details, "
        f"fair or a YAML file{also}",
    )


def add_data(parser: Parser, text: str = DATA) -> None:
    """Add the data set to open."""
    parser.add_argument("--data", metavar="DATA", help=text)
    add_data_root(parser)
    add_folder(parser)


def add_folder(parser: Parser) -> None:
    """Add how a folder of images is read."""
    parser.add_argument(
        "--val-fraction",
        type=_fraction,
        metavar="F",
        help="hold out this share of each class of a folder for validation, as in 0.2",
    )
    parser.add_argument(
        "--split-seed", type=natural, metavar="N", help="draws the held-out images (default 0)"
    )
    parser.add_argument(
        "--val-labels",
        type=Path,
        metavar="FILE",
        help="classes of validation images that lie in one folder, as in ImageNet's archive",
    )
    parser.add_argument(
        "--exif",
        action="store_true",
        help="turn images upright by their EXIF orientation (default: as stored, like timm)",
    )


def add_data_root(parser: Parser) -> None:
    """Add the folder of timm's data sets."""
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="folder of timm's data sets")


def add_runs(parser: Parser) -> None:
    """Add the folder of runs."""
    parser.add_argument(
        "--runs",
        type=_folder,
        default=DEFAULT_RUNS,
        metavar="DIR",
        help="folder of runs (default runs)",
    )


def add_reading(parser: Parser) -> None:
    """Add the runs that a command reads."""
    parser.add_argument("--data", metavar="DATA", help="data set, if there are runs on several")
    add_folder(parser)
    add_runs(parser)


def add_measure(parser: Parser) -> None:
    """Add the measure by which runs are compared."""
    parser.add_argument(
        "--measure",
        metavar="KEY",
        help="compare runs by top1 (default), top5, loss or a recorded metric, as in mean_recall; "
        "detection has box_ap (default) and mask_ap, segmentation miou (default)",
    )


def add_paper(parser: Parser) -> None:
    """Add the choice to show the paper's numbers next to runs on other data."""
    parser.add_argument(
        "--paper",
        action="store_true",
        help="show the paper's numbers too (default: only on the roadmap's own data or ImageNet)",
    )


def add_given_images(parser: Parser) -> None:
    """Add the choice that verdicts hold for the validation images that were used."""
    parser.add_argument(
        "--given-these-images",
        action="store_true",
        dest="given_images",
        help="judge for these validation images only, not for others like them",
    )


def add_jobs(parser: Parser) -> None:
    """Add the number of runs at a time and of devices for each."""
    parser.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="runs at a time (default: one per CPU core; on a GPU 1, or up to 8 small runs)",
    )


def add_devices(parser: Parser) -> None:
    """Add the number of devices that share a run."""
    parser.add_argument(
        "--devices",
        type=positive,
        default=1,
        metavar="N",
        help="GPUs per node, or processes on a CPU, that share a run (default 1)",
    )


def add_keep(parser: Parser) -> None:
    """Add what stays of a finished run's checkpoints."""
    parser.add_argument(
        "--keep",
        choices=("last", "weights", "none"),
        default="weights",
        help="keep of a finished run: the last checkpoint, its weights (default), or none",
    )


def add_broken(parser: Parser) -> None:
    """Add what happens to images that cannot be opened."""
    parser.add_argument(
        "--broken",
        choices=("stop", "skip"),
        default="stop",
        help="if a training image cannot be opened: stop (default), or leave such images out",
    )


def add_weights(parser: Parser) -> None:
    """Add the weights that training starts from; they are part of a run's identity."""
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="start from weights: a finished run's folder, a .safetensors or .pth file, or "
        "timm:NAME.tag (default: random weights)",
    )
    parser.add_argument(
        "--use-ema",
        action="store_true",
        help="take the averaged weights of a file that also has raw ones",
    )
    parser.add_argument(
        "--if-nothing-fits",
        choices=("refuse", "scratch"),
        help="a row that shares no layer with the weights: refuse it (default), or train it from "
        "random weights",
    )


def add_compute(parser: Parser) -> None:
    """Add threads and precision of a command that computes in this process."""
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="compute threads (default: all cores)"
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "32", "bf16"),
        default="auto",
        help="floating-point precision (default: bf16 on GPUs that have it, else 32)",
    )


def add_submission(parser: Parser) -> None:
    """Add what a run gets of a SLURM cluster."""
    parser.add_argument(
        "--dry-run", action="store_true", help="print the sbatch script; submit nothing"
    )
    parser.add_argument("--partition", metavar="NAME", help="SLURM partition of the runs")
    parser.add_argument(
        "--time",
        metavar="LIMIT",
        help="limit of a task: minutes, 1:30:00 or 2-12 (default: the partition's); a run that "
        "needs longer is requeued",
    )
    parser.add_argument(
        "--gpus-per-run",
        type=positive,
        metavar="N",
        help="GPUs of each node of a run (default: none, the run computes on CPUs)",
    )
    parser.add_argument(
        "--cpus-per-run", type=positive, metavar="N", help="CPU cores of each node of a run"
    )
    parser.add_argument(
        "--nodes-per-run",
        type=positive,
        default=1,
        metavar="N",
        help="nodes that share a run (default 1)",
    )
    parser.add_argument(
        "--max-parallel", type=positive, metavar="K", help="train at most K runs at a time"
    )
    parser.add_argument(
        "--signal",
        type=positive,
        default=300,
        metavar="SECONDS",
        help="save and requeue this long before the limit (default 300)",
    )
    parser.add_argument(
        "--setup", type=Path, metavar="FILE", help="shell lines for each task, as in module load …"
    )
    parser.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="a further option of sbatch, as in account=vision (may be repeated)",
    )
    parser.add_argument("--after", help=argparse.SUPPRESS)  # the wave that this one follows


def add_training(parser: Parser, *, here: bool = True) -> None:
    """Add the data, the folder of runs, and how a machine trains: `here`, or a cluster's node."""
    add_data(parser)
    add_runs(parser)
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="compute threads of a run (default: its share of the cores)",
    )
    parser.add_argument(
        "--workers",
        type=natural,
        metavar="N",
        help="loading processes of a run (default: half the threads)",
    )
    parser.add_argument(
        "--images",
        choices=("auto", "memory", "stream"),
        default="auto",
        help="hold images in memory, or open them every epoch (default: memory if they fit)",
    )
    parser.add_argument(
        "--decode",
        choices=("cpu", "gpu"),
        default="cpu",
        help="what decodes JPEG files of training (default cpu; a GPU's pixels differ a little)",
    )
    add_devices(parser)
    if here:
        parser.add_argument(
            "--nodes",
            type=positive,
            default=1,
            metavar="N",
            help="machines that share a run; start the command on each (default 1)",
        )
    parser.add_argument(
        "--accumulate",
        type=positive,
        default=1,
        metavar="N",
        help="micro-batches per step and device, one after the other (default 1)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "32", "bf16"),
        default="auto",
        help="floating-point precision of training (default: bf16 on GPUs that have it, else 32)",
    )
    parser.add_argument(
        "--compile",
        action=SwitchOnce,
        default="auto",
        help="compile the network (default: %(default)s, on a GPU if the run is long enough)",
    )
    parser.add_argument(
        "--sync-batchnorm", action="store_true", help="compute BatchNorm over all devices (GPUs)"
    )
    parser.add_argument(
        "--save-every",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="write a checkpoint this often, and after every epoch (default 60)",
    )
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="TRACKER",
        help="also log to tensorboard, wandb, mlflow or csv, below RUNS/logs; several: "
        "tensorboard,csv",
    )
    add_keep(parser)
    if here:
        parser.add_argument(
            "--restart", action="store_true", help="start over; move existing run folders aside"
        )
    add_broken(parser)
    parser.add_argument(
        "--scratch",
        type=_folder,
        metavar="DIR",
        help="copy the data to this local disk first, verify the copy and read from it",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="fail if another process trains the same run"
    )


def natural(text: str, *, least: int = 0) -> int:
    """Return a whole number of `least` or more, and of at most `MOST`."""
    if not text.isascii() or not text.isdigit():
        raise _no_number(text, least)
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(MOST)) or int(digits) > MOST:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is more than the maximum, {MOST:,}")
    if int(digits) < least:
        raise _no_number(text, least)
    return int(digits)


def positive(text: str) -> int:
    """Return a whole number of 1 or more."""
    return natural(text, least=1)


def _no_number(text: str, least: int) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{quoted(text)} is not a whole number of {least} or more")


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction < 1:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a fraction between 0 and 1")
    return fraction


def crop(text: str) -> float:
    """Return a share of 0.05 to 1: images are resized to the size of the crop divided by it."""
    share = 1.0 if text in ("1", "1.0") else _fraction(text)
    if share < LEAST_CROP:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is less than {LEAST_CROP}")
    return share


def seconds(text: str) -> float:
    """Return a number of seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not a number of seconds, 0 to {MOST_SECONDS:,}"
        )
    return number


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'' is not a folder")
    return Path(text)
