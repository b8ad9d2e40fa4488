"""The commands of the command line and the options of each."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import roadmap
from roadmap.cli.arguments import (
    DATA,
    ROW,
    Formatter,
    Parser,
    add_broken,
    add_data,
    add_data_root,
    add_devices,
    add_given_images,
    add_jobs,
    add_keep,
    add_measure,
    add_reading,
    add_runs,
    add_study,
    add_training,
    natural,
    positive,
)

FORMATS = "terminal (default), md, csv, latex or json"


def make_parser() -> Parser:
    """Return the parser of all commands.

    The parsed `command` names the function of roadmap/cli that runs it, as in `run:train`.
    """
    parser = Parser(
        prog="roadmap",
        description="From ResNet to ConvNeXt, every step trainable.",
        formatter_class=partial(Formatter, max_help_position=16),
    )
    parser.add_argument("--version", action="version", version=f"roadmap {roadmap.__version__}")
    parser.set_defaults(command=None, study=None, row=None, measure="top1", given_images=False)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)

    def add(name: str, function: str, text: str, *, rows: bool = True) -> Parser:
        added: Parser = commands.add_parser(name, help=text, description=f"{text}.")
        added.set_defaults(command=function)
        if rows:
            _add_rows(added)
        return added

    cost = add("cost", "cost:cost", "Print what each row costs, exactly, without torch")
    cost.add_argument("--json", action="store_true", help="print a list of objects")
    cost.add_argument("--image-size", type=positive, metavar="N", help="pixels per side")
    cost.add_argument("--classes", type=positive, metavar="N", help="outputs of the classifier")

    show = add("show", "cost:show_row", "Explain a row: its step, spec, cost and paper's numbers")
    show.add_argument("row", metavar="ROW", help="05, width or 08-k5")

    train = add("train", "run:train", "Train one row, or a timm model as a reference (timm:NAME)")
    train.add_argument("row", metavar="ROW", help=ROW)
    train.add_argument(
        "--seed", type=natural, default=0, metavar="N",
        help="seed of initialization, data order and augmentation (default 0)",
    )  # fmt: skip
    train.set_defaults(until_decided=False, seeds=None, max_seeds=None)
    add_training(train)

    run = add("run", "run:run", "Train all rows, or a study; finished runs are not trained again")
    add_study(run)
    run.add_argument(
        "--seeds", type=positive, metavar="N",
        help="runs of each row: seeds 0 to N-1 (default 1, or the study's)",
    )  # fmt: skip
    run.add_argument(
        "--until-decided", action="store_true",
        help="then add seeds while a verdict of the study is open",
    )  # fmt: skip
    run.add_argument(
        "--max-seeds", type=positive, default=8, metavar="N",
        help="add seeds up to N per variant (default 8)",
    )  # fmt: skip
    run.add_argument("--rows", metavar="ROWS", help="train only these: 00,05,timm:NAME")
    run.add_argument("--branches", action="store_true", help="also train side branches, 08-k5 …")
    add_jobs(run)
    add_measure(run)
    add_given_images(run)
    add_training(run)

    plan = add("plan", "plan:plan", "Estimate a study: runs, finished runs, MACs and hours")
    add_study(plan, default="path")
    plan.add_argument("--seeds", type=positive, metavar="N", help="runs of each variant")
    add_jobs(plan)
    add_devices(plan)
    plan.add_argument(
        "--measure", action="store_true",
        help="train 20 steps of each missing row now, and estimate the time from them",
    )  # fmt: skip
    plan.add_argument(
        "--images", type=positive, metavar="N", help="plan for N training images, without data"
    )
    add_data(plan)
    add_runs(plan)

    verdicts = add("verdicts", "tables:verdicts", "Judge each step of a study, with intervals")
    add_study(verdicts, default="path", also=", or paper: its own published numbers")
    add_reading(verdicts)
    add_measure(verdicts)
    add_given_images(verdicts)
    verdicts.add_argument("--format", default="terminal", help=FORMATS)

    table = add("table", "tables:table", "Print accuracy and cost of every row, from the records")
    add_reading(table)
    add_measure(table)
    table.add_argument("--format", default="terminal", help=FORMATS)

    plot = add("plot", "plot:plot", "Draw figures of accuracy, effects, cost and blocks")
    _add_plot(plot)

    report = add("report", "report:report", "Write all results as an HTML page and paper tables")
    report.add_argument(
        "studies", nargs="*", metavar="STUDY",
        help="show these studies (default: all shipped studies that have runs)",
    )  # fmt: skip
    add_reading(report)
    add_measure(report)
    add_given_images(report)
    report.add_argument(
        "--out", type=Path, default=Path("report"), metavar="DIR",
        help="folder for report.html and the tables (default report)",
    )  # fmt: skip

    check = add(
        "check-data", "data:check_data", "Try to open every image of a data set", rows=False
    )
    check.add_argument("data", metavar="DATA", help=DATA)
    add_data_root(check)

    _add_prepare(
        add("prepare-data", "prepare:prepare_data", "Write a smaller copy of images", rows=False)
    )

    export = add("export", "data:export", "Write the weights of a finished run as safetensors")
    export.add_argument("row", metavar="ROW", help=ROW)
    export.add_argument("--seed", type=natural, default=0, metavar="N", help="default 0")
    add_data(export, "data set that the run was trained on")
    add_runs(export)
    export.add_argument("--timm", action="store_true", help="use timm's names: rows 00, 01, 13")
    export.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file for the weights"
    )

    prune = add(
        "prune", "prune:prune", "Remove checkpoints of finished runs, and runs moved aside",
        rows=False,
    )  # fmt: skip
    add_runs(prune)
    add_keep(prune)
    prune.add_argument("--dry-run", action="store_true", help="only list what would be removed")

    collect = add("collect", "tables:collect", "Copy the records of a path or study, well named")
    add_study(collect)
    add_reading(collect)
    collect.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the copies"
    )
    return parser


def _add_rows(parser: Parser) -> None:
    """Add what defines the rows: a roadmap, a user's steps, settings."""
    parser.add_argument(
        "--roadmap", metavar="NAME",
        help="tiny (default), small, cifar, resnet50, resnet200 or a YAML file",
    )  # fmt: skip
    parser.add_argument("--steps", type=Path, metavar="FILE.py", help="your own steps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="set a field of every row's spec, as in recipe.epochs=3",
    )  # fmt: skip


def _add_prepare(prepare: Parser) -> None:
    prepare.add_argument("data", metavar="DATA", help="a folder or .tar with train/ and val/")
    prepare.add_argument(
        "--short-side", type=positive, default=256, metavar="N",
        help="pixels of the short side; smaller images stay as they are (default 256)",
    )  # fmt: skip
    prepare.add_argument(
        "--quality", type=positive, default=90, metavar="N", help="of the JPEG files (default 90)"
    )
    prepare.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="a new folder, or a new file.tar"
    )
    prepare.add_argument(
        "--workers", type=positive, metavar="N", help="processes (default: one per CPU core)"
    )
    add_broken(prepare)


def _add_plot(plot: Parser) -> None:
    plot.add_argument(
        "figure", nargs="?", metavar="FIGURE",
        help="roadmap, effects, trade-off, block, cost, curves or receptive-field (default: all)",
    )  # fmt: skip
    plot.add_argument("--row", metavar="ROW", help="draw the block of this row only")
    plot.add_argument(
        "--study", metavar="STUDY", help="study whose effects are drawn: a name or a YAML file "
        "(default path)",
    )  # fmt: skip
    add_reading(plot)
    add_measure(plot)
    add_given_images(plot)
    plot.add_argument(
        "--out", type=Path, default=Path("figures"), metavar="DIR",
        help="folder for the files (default figures)",
    )  # fmt: skip
    plot.add_argument(
        "--width", default="two-column", metavar="WIDTH",
        help="one-column or two-column (default), as in a paper",
    )  # fmt: skip
    plot.add_argument("--theme", default="light", metavar="THEME", help="light (default) or dark")
