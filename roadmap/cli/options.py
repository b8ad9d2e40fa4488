"""What the command line takes: its commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

DATA = "fractals, a folder or .tar with train/ and val/, or timm's torch/cifar10, hfds/…"
Command = Callable[[argparse.Namespace], int]


def make_parser(commands_by_name: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of all commands; each sets `command`, the function that runs it."""
    parser = argparse.ArgumentParser(
        prog="roadmap",
        description="From ResNet to ConvNeXt, every step trainable.",
        formatter_class=partial(argparse.HelpFormatter, max_help_position=16),
    )
    parser.set_defaults(command=lambda options: parser.print_help() or 0)  # alone: the menu
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(command=commands_by_name[name])
        added.add_argument(
            "--roadmap", metavar="NAME",
            help="tiny (default), cifar, resnet50, resnet200 or a YAML file",
        )  # fmt: skip
        added.add_argument("--steps", type=Path, metavar="FILE.py", help="your own steps")
        added.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
            help="a field of every row's spec, as in recipe.epochs=3",
        )  # fmt: skip
        return added

    cost = add("cost", "what each row costs, exactly, without torch")
    cost.add_argument("--json", action="store_true", help="a list of objects")
    cost.add_argument("--image-size", type=_positive, metavar="N", help="pixels a side")
    cost.add_argument("--classes", type=_positive, metavar="N", help="outputs of the classifier")

    show = add("show", "what a row is: its step, spec, cost and the paper's numbers")
    show.add_argument("row", metavar="ROW", help="05, width or 08-k5")

    train = add("train", "train one row, or any timm model as a reference (timm:NAME)")
    train.add_argument("row", metavar="ROW", help="05, width, 08-k5 or timm:NAME")
    train.add_argument(
        "--seed", type=_natural, default=0, metavar="N",
        help="draws weights, order and augmentation (default 0)",
    )  # fmt: skip
    _add_running(train)

    run = add("run", "train the whole path, or a study; what is finished is not trained again")
    _add_study(run)
    run.add_argument(
        "--seeds",
        type=_positive,
        metavar="N",
        help="runs of each row: seeds 0 to N-1 (default 1, or the study's)",
    )
    run.add_argument(
        "--until-decided",
        action="store_true",
        help="then add seeds where a study's verdict is open",
    )
    run.add_argument(
        "--max-seeds", type=_positive, default=8, metavar="N", help="to at most N (default 8)"
    )
    run.add_argument("--rows", metavar="ROWS", help="only these: 00,05,timm:NAME")
    run.add_argument("--branches", action="store_true", help="also the side branches, 08-k5 …")
    run.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="runs at a time (default: one a core; 1 on a GPU)",
    )
    _add_running(run)

    planned = add("plan", "what a study would take: runs, those there already, MACs, hours")
    _add_study(planned)
    planned.add_argument("--seeds", type=_positive, metavar="N", help="runs of each variant")
    planned.add_argument(
        "--jobs", type=_positive, metavar="N", help="runs at a time (default: as run has it)"
    )
    planned.add_argument(
        "--devices", type=_positive, default=1, metavar="N", help="that share a run (default 1)"
    )
    planned.add_argument("--data", metavar="DATA", help=DATA)
    planned.add_argument("--data-root", type=Path, metavar="DIR", help="where timm's data sets lie")
    _add_runs(planned)

    verdicts = add("verdicts", "what each step of a study is worth, with intervals")
    _add_study(verdicts, also=", or paper: its own printed numbers")
    _add_reading(verdicts)
    verdicts.add_argument("--format", default="terminal", help="terminal, md, csv, latex or json")

    table = add("table", "accuracy and cost of every row, from the records")
    _add_reading(table)
    table.add_argument("--format", default="terminal", help="terminal, md, csv, latex or json")

    plot = add("plot", "figures: the roadmap, what each step is worth; beside the paper's")
    plot.add_argument(
        "figure",
        nargs="?",
        metavar="FIGURE",
        help="roadmap, effects, trade-off, block, cost, curves or receptive-field (default: all)",
    )
    plot.add_argument("--row", metavar="ROW", help="the block of this row alone")
    plot.add_argument(
        "--study", metavar="STUDY", help="whose effects (default path); a name or a YAML file"
    )
    _add_reading(plot)
    plot.add_argument(
        "--out", type=Path, default=Path("figures"), metavar="DIR",
        help="folder for the files (default figures)",
    )  # fmt: skip

    plot.add_argument(
        "--width", default="two-column", metavar="WIDTH",
        help="of a paper: one-column or two-column (default)",
    )  # fmt: skip
    plot.add_argument(
        "--theme", default="light", metavar="THEME", help="paper: light (default) or dark"
    )

    report = add("report", "one HTML page of all that the runs say, and tables for papers")
    report.add_argument(
        "studies", nargs="*", metavar="STUDY",
        help="with these studies (default: all shipped ones that have runs)",
    )  # fmt: skip
    _add_reading(report)
    report.add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR",
        help="folder for report.html and the tables (default report)",
    )  # fmt: skip

    check = commands.add_parser(
        "check-data",
        allow_abbrev=False,
        help="try every image of a data set",
        description="Open every image of a data set and name those that cannot be opened.",
    )
    check.set_defaults(command=commands_by_name["check-data"])
    check.add_argument("data", metavar="DATA", help=DATA)
    check.add_argument("--data-root", type=Path, metavar="DIR", help="where timm's data sets lie")

    export = add("export", "a finished run's weights as a safetensors file")
    export.add_argument("row", metavar="ROW", help="05, width, 08-k5 or timm:NAME")
    export.add_argument("--seed", type=_natural, default=0, metavar="N", help="default 0")
    export.add_argument("--data", metavar="DATA", help="the data that it was trained on")
    export.add_argument("--data-root", type=Path, metavar="DIR", help="where timm's data lie")
    _add_runs(export)
    export.add_argument("--timm", action="store_true", help="with timm's names: rows 00, 01, 13")
    export.add_argument("--out", type=Path, required=True, metavar="FILE",
                        help="where to write the weights")  # fmt: skip

    collect = add("collect", "copy the records of a path or a study, under readable names")
    _add_study(collect)
    _add_reading(collect)
    collect.add_argument("--out", type=Path, required=True, metavar="DIR", help="copy them there")
    return parser


def _add_study(parser: argparse.ArgumentParser, also: str = "") -> None:
    parser.add_argument(
        "study",
        nargs="?",
        metavar="STUDY",
        help="path, leave-one-out, one-at-a-time, orders, learning-rate, micro-design or a YAML "
        f"file{also}",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DATA", help=DATA)
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="where timm's data sets lie or are put"
    )
    _add_runs(parser)
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="compute threads of a run (default: its share of the cores)",
    )
    parser.add_argument(
        "--workers",
        type=_natural,
        metavar="N",
        help="loading processes of a run (default: half as many as threads)",
    )
    parser.add_argument(
        "--images",
        choices=("auto", "memory", "stream"),
        default="auto",
        help="hold images in memory, or open them for every epoch (default: what fits)",
    )
    parser.add_argument(
        "--devices",
        type=_positive,
        default=1,
        metavar="N",
        help="GPUs of each node, or processes on a CPU, that share a run (default 1)",
    )
    parser.add_argument(
        "--nodes",
        type=_positive,
        default=1,
        metavar="N",
        help="machines that share a run; start the command on each (default 1)",
    )
    parser.add_argument(
        "--accumulate",
        type=_positive,
        default=1,
        metavar="N",
        help="portions of each step's batch on each device, one after the other",
    )
    parser.add_argument(
        "--precision", choices=("32", "bf16"), default="32", help="of the arithmetic (default 32)"
    )
    parser.add_argument("--compile", action="store_true", help="compile the network")
    parser.add_argument(
        "--sync-batchnorm", action="store_true", help="BatchNorm over all devices (GPUs)"
    )  # fmt: skip
    parser.add_argument(
        "--save-every",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="a checkpoint this often, besides every epoch's (default 60)",
    )
    parser.add_argument(
        "--restart", action="store_true", help="begin anew; what is there is kept aside"
    )
    parser.add_argument(
        "--broken",
        choices=("stop", "skip"),
        default="stop",
        help="a training image that cannot be opened: stop, or leave all such out",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="do not wait for another process on the same run"
    )  # fmt: skip


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return found


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DATA", help="which data set, where there are several")
    _add_runs(parser)


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        type=_folder,
        default=Path("runs"),
        metavar="DIR",
        help="folder of runs (default runs)",
    )


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'' is no folder")
    return Path(text)


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if _natural(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
