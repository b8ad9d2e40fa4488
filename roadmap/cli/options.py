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
    SwitchOnce,
    add_broken,
    add_compute,
    add_data,
    add_data_root,
    add_devices,
    add_folder,
    add_given_images,
    add_jobs,
    add_keep,
    add_measure,
    add_paper,
    add_reading,
    add_runs,
    add_study,
    add_submission,
    add_training,
    add_weights,
    crop,
    natural,
    positive,
    seconds,
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
    parser.set_defaults(command=None, study=None, row=None, measure=None)
    parser.set_defaults(given_images=False, paper=False)
    parser.set_defaults(recipe=None, weights=None, use_ema=False, if_nothing_fits=None)
    parser.set_defaults(val_fraction=None, split_seed=None, val_labels=None, exif=False)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)

    def add(name: str, function: str, text: str, *, rows: bool = True) -> Parser:
        added: Parser = commands.add_parser(name, help=text, description=f"{text}.")
        added.set_defaults(command=function)
        if rows:
            _add_rows(added)
        return added

    listed = add(
        "list", "listing:list_all", "List roadmaps, studies, recipes and scales", rows=False
    )
    listed.add_argument("--json", action="store_true", help="print one object")

    cost = add("cost", "cost:cost", "Print what each row costs, exactly, without torch")
    cost.add_argument("--json", action="store_true", help="print a list of objects")
    cost.add_argument("--image-size", type=positive, metavar="N", help="pixels per side")
    cost.add_argument("--classes", type=positive, metavar="N", help="outputs of the classifier")

    show = add("show", "cost:show_row", "Explain a row: its step, spec, cost and paper's numbers")
    show.add_argument("row", metavar="ROW", help="05, width or 08-k5")

    train = add("train", "run:train", "Train one row, or a timm model as a reference (timm:NAME)")
    train.add_argument("row", metavar="ROW", help=ROW)
    train.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="seed of initialization, data order and augmentation (default 0)",
    )
    train.set_defaults(until_decided=False, seeds=None, max_seeds=None)
    add_training(train)

    run = add("run", "run:run", "Train all rows, or a study; finished runs are not trained again")
    _add_runs_asked(run)
    add_jobs(run)
    add_training(run)
    run.add_argument(
        "--only", metavar="ROW:SEED", help="train this one run, as a task of a cluster does"
    )

    submit = add("submit", "submit:submit", "Submit the runs of `run` to SLURM as an array job")
    _add_runs_asked(submit)
    add_submission(submit)
    add_training(submit, here=False)

    status = add("status", "status:status", "List runs: finished, running, queued, failed")
    add_study(status)
    status.add_argument(
        "--seeds", type=positive, metavar="N", help="seeds 0 to N-1 (default: those started)"
    )
    add_jobs(status)
    add_data(status)
    add_runs(status)
    status.add_argument("--all", action="store_true", help="list finished and waiting runs too")
    status.add_argument("--json", action="store_true", help="print a list of objects, all runs")

    plan = add("plan", "plan:plan", "Estimate a study: runs, finished runs, MACs and hours")
    add_study(plan, default="path")
    plan.add_argument("--seeds", type=positive, metavar="N", help="runs of each variant")
    add_jobs(plan)
    add_devices(plan)
    plan.add_argument(
        "--measure",
        action="store_true",
        help="train 20 steps of each missing row now, and estimate the time from them",
    )
    plan.add_argument(
        "--images", type=positive, metavar="N", help="plan for N training images, without data"
    )
    add_data(plan)
    add_runs(plan)

    _add_speed(
        add("speed", "speed:speed", "Measure training and inference speed of rows on this machine")
    )

    _add_evaluate(
        add("evaluate", "evaluate:evaluate", "Add measures of finished runs to their records")
    )

    verdicts = add("verdicts", "tables:verdicts", "Judge each step of a study, with intervals")
    add_study(verdicts, default="path", also=", or paper: its own published numbers")
    add_reading(verdicts)
    add_measure(verdicts)
    add_given_images(verdicts)
    add_paper(verdicts)
    verdicts.add_argument("--format", default="terminal", help=FORMATS)

    table = add("table", "tables:table", "Print accuracy and cost of every row, from the records")
    add_reading(table)
    add_measure(table)
    add_paper(table)
    table.add_argument("--format", default="terminal", help=FORMATS)

    _add_compare(
        add("compare", "compare:compare_sides", "Compare roadmaps, data sets, recipes or studies")
    )

    plot = add("plot", "plot:plot", "Draw figures of accuracy, effects, cost and blocks")
    _add_plot(plot)

    report = add("report", "report:report", "Write all results as an HTML page and paper tables")
    report.add_argument(
        "studies",
        nargs="*",
        metavar="STUDY",
        help="show these studies (default: all shipped studies that have runs)",
    )
    add_reading(report)
    add_measure(report)
    add_given_images(report)
    add_paper(report)
    report.add_argument(
        "--out",
        type=Path,
        default=Path("report"),
        metavar="DIR",
        help="folder for report.html and the tables (default report)",
    )

    check = add(
        "check-data", "data:check_data", "Try to open every image of a data set", rows=False
    )
    check.add_argument("data", metavar="DATA", help=DATA)
    add_data_root(check)
    add_folder(check)

    _add_prepare(
        add("prepare-data", "prepare:prepare_data", "Write a smaller copy of images", rows=False)
    )

    predict = add("predict", "deploy:predict", "Classify, detect or segment with a finished run")
    predict.add_argument("row", metavar="ROW", help=ROW)
    predict.add_argument(
        "images_to_classify",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="image files, or folders with all images below them",
    )
    predict.add_argument("--seed", type=natural, default=0, metavar="N", help="default 0")
    add_data(predict, "data set that the run was trained on")
    add_runs(predict)
    predict.add_argument("--format", default="csv", metavar="FORMAT", help="csv (default) or json")
    predict.add_argument(
        "--out", type=Path, metavar="DIR", help="draw boxes, masks or label maps into this folder"
    )

    export = add("export", "deploy:export", "Write a finished run for other programs")
    export.add_argument("row", metavar="ROW", help=ROW)
    export.add_argument("--seed", type=natural, default=0, metavar="N", help="default 0")
    add_data(export, "data set that the run was trained on")
    add_runs(export)
    export.add_argument(
        "--format",
        metavar="FORMAT",
        help="safetensors, timm (timm's names: rows 00, 01, 13), onnx, torchscript or hub (a "
        "folder for timm); default: by the ending of --out",
    )
    export.add_argument("--timm", action="store_true", help="the same as --format timm")
    export.add_argument(
        "--license", metavar="NAME", help="licence of the weights, for the file's metadata"
    )
    export.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="file, or folder of format hub"
    )

    prune = add(
        "prune",
        "prune:prune",
        "Remove checkpoints of finished runs, and runs moved aside",
        rows=False,
    )
    add_runs(prune)
    add_keep(prune)
    prune.add_argument("--dry-run", action="store_true", help="only list what would be removed")

    collect = add("collect", "tables:collect", "Copy a study's records under readable names")
    add_study(collect)
    add_reading(collect)
    collect.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the copies"
    )
    return parser


def _add_runs_asked(parser: Parser) -> None:
    """Add which rows and seeds are to be trained."""
    add_study(parser)
    parser.add_argument(
        "--seeds",
        type=positive,
        metavar="N",
        help="runs of each row: seeds 0 to N-1 (default 1, or the study's)",
    )
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="then add seeds while a verdict of the study is open",
    )
    parser.add_argument(
        "--max-seeds",
        type=positive,
        default=8,
        metavar="N",
        help="add seeds up to N per variant (default 8)",
    )
    parser.add_argument("--rows", metavar="ROWS", help="train only these: 00,05,timm:NAME")
    parser.add_argument("--branches", action="store_true", help="also train side branches, 08-k5 …")
    add_measure(parser)
    add_given_images(parser)


def _add_rows(parser: Parser) -> None:
    """Add what defines the rows: a roadmap, a user's steps, settings."""
    parser.add_argument(
        "--roadmap",
        metavar="NAME",
        help="tiny (default), another shipped one (see `roadmap list`) or a YAML file",
    )
    parser.add_argument(
        "--scale", metavar="NAME", help="a small version of the roadmap: tiny or cifar"
    )
    parser.add_argument(
        "--task", metavar="NAME", help="detection or segmentation (default: the roadmap's own task)"
    )
    parser.add_argument("--steps", type=Path, metavar="FILE.py", help="file with your own steps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="set a field of every row's spec, as in recipe.epochs=3",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", metavar="NAME", help="train every row with this recipe: a name or a YAML file"
    )
    add_weights(parser)


def _add_prepare(prepare: Parser) -> None:
    prepare.add_argument("data", metavar="DATA", help="a folder or .tar with train/ and val/")
    prepare.add_argument(
        "--short-side",
        type=positive,
        default=256,
        metavar="N",
        help="pixels of the short side; smaller images stay as they are (default 256)",
    )
    prepare.add_argument(
        "--quality", type=positive, default=90, metavar="N", help="of the JPEG files (default 90)"
    )
    prepare.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="a new folder, or a new file.tar"
    )
    prepare.add_argument(
        "--workers", type=positive, metavar="N", help="processes (default: one per CPU core)"
    )
    add_folder(prepare)
    add_broken(prepare)


def _add_evaluate(evaluate: Parser) -> None:
    evaluate.add_argument(
        "rows", nargs="?", metavar="ROWS", help="00,05,timm:NAME (default: all with finished runs)"
    )
    add_data(evaluate, "images to evaluate on: their validation split, or class folders alone")
    evaluate.add_argument(
        "--trained-on", metavar="DATA", help="data set of the runs, if there are runs on several"
    )
    evaluate.add_argument(
        "--image-size", type=positive, metavar="N", help="pixels per side (default: the recipe's)"
    )
    evaluate.add_argument(
        "--crop",
        type=crop,
        metavar="F",
        help="centre crop / resized image, by side (default: the recipe's)",
    )
    evaluate.add_argument(
        "--measures", type=Path, metavar="FILE.py", help="your own measures, as functions"
    )
    evaluate.add_argument(
        "--corruptions",
        nargs="?",
        const="all",
        metavar="NAMES",
        help="accuracy under the 15 corruptions of ImageNet-C × 5 severities, or under some: "
        "fog,snow",
    )
    evaluate.add_argument(
        "--again", action="store_true", help="also measure runs that have these measures"
    )
    add_runs(evaluate)
    evaluate.add_argument(
        "--threads", type=positive, metavar="N", help="compute threads (default: all cores)"
    )


def _add_speed(speed: Parser) -> None:
    speed.add_argument(
        "rows", nargs="?", metavar="ROWS", help="00,05,timm:NAME (default: all rows)"
    )
    speed.add_argument("--branches", action="store_true", help="also side branches, 08-k5 …")
    speed.add_argument(
        "--rounds",
        type=positive,
        default=5,
        metavar="N",
        help="measure each row N times, all rows in turn (default 5)",
    )
    speed.add_argument(
        "--seconds",
        type=seconds,
        default=1.0,
        metavar="S",
        help="about how long each number of a round takes (default 1)",
    )
    speed.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help="images of a batch, for all rows (default: at most 32 on a CPU, 256 on a GPU)",
    )
    add_data(speed, "data set that sets the number of classes; its images are not read")
    add_runs(speed)
    add_compute(speed)
    speed.add_argument(
        "--compile", action=SwitchOnce, default=False, help="compile the networks first"
    )
    speed.add_argument("--format", default="terminal", help="terminal (default), md, csv or json")


def _add_compare(compare: Parser) -> None:
    compare.add_argument(
        "sides",
        nargs="+",
        metavar="SIDE",
        help="two or more: a roadmap, study, recipe, data set, task, measure=KEY or KEY=VALUE; "
        "A,B combines both",
    )
    compare.add_argument(
        "--of",
        choices=("rows", "steps"),
        help="compare rows, or what steps add (default: rows, or steps if the data differ)",
    )
    add_reading(compare)
    add_measure(compare)
    compare.add_argument("--format", default="terminal", help=FORMATS)
    _add_figures(compare)


def _add_plot(plot: Parser) -> None:
    plot.add_argument(
        "figure",
        nargs="?",
        metavar="FIGURE",
        help="roadmap, effects, trade-off, block, cost, curves or receptive-field (default: all)",
    )
    plot.add_argument("--row", metavar="ROW", help="draw the block of this row only")
    plot.add_argument(
        "--study",
        metavar="STUDY",
        help="study whose effects are drawn: a name or a YAML file (default path)",
    )
    add_reading(plot)
    add_measure(plot)
    add_given_images(plot)
    add_paper(plot)
    _add_figures(plot)


def _add_figures(plot: Parser) -> None:
    """Add where figures are written, and how they look."""
    plot.add_argument(
        "--out",
        type=Path,
        default=Path("figures"),
        metavar="DIR",
        help="folder for the files (default figures)",
    )
    plot.add_argument(
        "--width",
        default="two-column",
        metavar="WIDTH",
        help="one-column or two-column (default), as in a paper",
    )
    plot.add_argument("--theme", default="light", metavar="THEME", help="light (default) or dark")
