"""The command line. It alone sees all the rooms, and imports each only for the command in hand."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadmap.errors import Problem

if TYPE_CHECKING:
    from analysis.table import Table
    from experiments.request import Settings
    from roadmap.record import Record
    from steps.path import Roadmap

DONE, FAILED, WRONG = 0, 1, 2

# `python -m` puts the working directory first: a steps.py of the user's there must not hide ours.
sys.path.insert(0, str(Path(__file__).parents[1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when done, 1 where a run failed, 2 for what the user got wrong."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except Problem as problem:
        print(f"roadmap: {problem}", file=sys.stderr)
        return WRONG
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        print(f"roadmap: {error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("roadmap: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="roadmap", description="From ResNet to ConvNeXt, every step trainable."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")

    def add(name: str, command: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        added.add_argument(
            "--roadmap", default="tiny", metavar="NAME",
            help="tiny (default), cifar, resnet50, resnet200 or a YAML file",
        )  # fmt: skip
        added.add_argument("--steps", type=Path, metavar="FILE.py", help="your own steps")
        added.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
            help="a field of every row's spec, as in recipe.epochs=3",
        )  # fmt: skip
        return added

    cost = add("cost", _cost, "what each row costs, exactly, without torch")
    cost.add_argument("--json", action="store_true", help="a list of objects")
    cost.add_argument("--image-size", type=_positive, metavar="N", help="pixels a side")
    cost.add_argument("--classes", type=_positive, metavar="N", help="outputs of the classifier")

    show = add("show", _show, "what a row is: its step, spec, cost and the paper's numbers")
    show.add_argument("row", metavar="ROW", help="05, width or 08-k5")

    train = add("train", _train, "train one row, or any timm model as a reference (timm:NAME)")
    train.add_argument("row", metavar="ROW", help="05, width, 08-k5 or timm:NAME")
    train.add_argument("--seed", type=_natural, default=0, metavar="N")
    _add_running(train)

    run = add("run", _run, "train the whole path; what is finished is not trained again")
    run.add_argument("--seeds", type=_positive, default=1, metavar="N", help="runs of each row")
    run.add_argument("--rows", metavar="ROWS", help="only these: 00,05,timm:NAME")
    run.add_argument("--branches", action="store_true", help="also the side branches, 08-k5 …")
    run.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="runs at a time (default: one a core; 1 on a GPU)",
    )
    _add_running(run)

    table = add("table", _table, "accuracy and cost of every row, from the records")
    _add_reading(table)
    table.add_argument("--format", default="terminal", help="terminal, md, csv, latex or json")

    plot = add("plot", _plot, "the paper's Figure 2: the paper's, yours, and both side by side")
    _add_reading(plot)
    plot.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")

    export = add("export", _export, "a finished run's weights as a safetensors file")
    export.add_argument("row", metavar="ROW", help="05, width, 08-k5 or timm:NAME")
    export.add_argument("--seed", type=_natural, default=0, metavar="N")
    export.add_argument("--data", metavar="DATA", help="the data that it was trained on")
    export.add_argument("--data-root", type=Path, metavar="DIR", help="where timm's data lie")
    export.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    export.add_argument("--timm", action="store_true", help="with timm's names: rows 00, 01, 13")
    export.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors")

    collect = add("collect", _collect, "copy the records of a path, under readable names")
    _add_reading(collect)
    collect.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="fractals, a folder or .tar with train/ and val/, or timm's torch/cifar10, hfds/…",
    )
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="where timm's data sets lie or are put"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--threads", type=_positive, metavar="N", help="compute threads of a run")
    parser.add_argument("--workers", type=_natural, metavar="N", help="loading processes of a run")
    parser.add_argument(
        "--images",
        choices=("auto", "memory", "stream"),
        default="auto",
        help="hold images in memory, or open them for every epoch (default: what fits)",
    )
    parser.add_argument("--devices", type=_positive, default=1, metavar="N", help="of each node")
    parser.add_argument("--nodes", type=_positive, default=1, metavar="N", help="start on each")
    parser.add_argument(
        "--accumulate",
        type=_positive,
        default=1,
        metavar="N",
        help="portions of each step's batch on each device, one after the other",
    )
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    parser.add_argument("--compile", action="store_true", help="compile the network")
    parser.add_argument(
        "--sync-batchnorm", action="store_true", help="BatchNorm over all devices (GPUs)"
    )  # fmt: skip


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="DATA", help="which data set, where there are several")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if _natural(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    from roadmap.strict_yaml import scalar

    found = {}
    for each in options.overrides:
        key, equals, text = each.partition("=")
        if not equals or not key:
            raise Problem(f"--set {each!r} must be KEY=VALUE, as in recipe.epochs=3")
        if key in found:
            raise Problem(f"--set {key} is given twice")
        found[key] = scalar(text)
    return found


def _load(options: argparse.Namespace) -> Roadmap:
    from steps.roadmaps import load_roadmap

    return load_roadmap(options.roadmap, steps=options.steps).overridden(_overrides(options))


def _cost(options: argparse.Namespace) -> int:
    from analysis.costs import cost_rows, cost_table

    path = _load(options)
    if options.classes:
        path = path.with_classes(options.classes)
    rows = cost_rows(path, options.image_size)
    if options.json:
        import json

        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print(cost_table(rows, path, options.image_size))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from analysis.explanation import explain

    path = _load(options)
    print(explain(path, path[options.row]))
    return DONE


def _settings(options: argparse.Namespace) -> Settings:
    from experiments.request import Settings

    return Settings(
        roadmap=options.roadmap,
        steps=options.steps,
        data=options.data,
        data_root=options.data_root,
        overrides=_overrides(options),
        runs=options.runs,
    )


def _train(options: argparse.Namespace) -> int:
    return _run_rows(options, [options.row], [options.seed], jobs=1)


def _run(options: argparse.Namespace) -> int:
    from experiments.machine import default_jobs

    path = _load(options)
    numbers = [row.number for row in path if options.branches or not row.is_branch]
    rows = numbers if options.rows is None else options.rows.split(",")
    if options.rows is not None and options.branches:
        raise Problem("--rows names the rows; --branches adds to all of them: give one of the two")
    if len(set(rows)) < len(rows):
        raise Problem(f"--rows {options.rows} names a row twice")
    return _run_rows(
        options, rows, range(options.seeds), jobs=options.jobs or default_jobs(options.devices)
    )


def _run_rows(
    options: argparse.Namespace, rows: Sequence[str], seeds: Sequence[int], jobs: int
) -> int:
    from experiments.machine import Machine
    from experiments.path import run_all
    from experiments.request import Request

    settings = _settings(options)
    requests = [Request(settings=settings, row=row, seed=seed) for seed in seeds for row in rows]
    machine = Machine.shared_by(
        jobs,
        devices=options.devices,
        nodes=options.nodes,
        accumulate=options.accumulate,
        precision=options.precision,
        compile=options.compile,
        sync_batchnorm=options.sync_batchnorm,
        images=options.images,
    )
    if options.threads:
        machine = replace(machine, threads=options.threads)
    if options.workers is not None:
        machine = replace(machine, workers=options.workers)
    command = shlex.join(["roadmap", *sys.argv[1:]])
    outcome = run_all(requests, jobs=jobs, machine=machine, command=command)
    if outcome.records:
        _report(settings)
    for name, failure in outcome.failures.items():
        print(f"roadmap: {name} failed: {failure}", file=sys.stderr)
    return FAILED if outcome.failures or _diverged(outcome.records) else DONE


def _diverged(records: Sequence[Record]) -> bool:
    return any(record.status == "diverged" for record in records)


def _report(settings: Settings) -> None:
    """Where the roadmap stands: all runs in this folder with these specs and this data."""
    from analysis.render import render
    from analysis.table import tabulate
    from roadmap.record import read_records

    found = read_records(settings.runs)
    for message in found.broken:
        print(f"roadmap: {message}", file=sys.stderr)
    table = tabulate(settings.path, found.records, data=settings.source.fingerprint)
    print(render(table, "terminal"))


def _table(options: argparse.Namespace) -> int:
    from analysis.render import check_format, render

    check_format(options.format)
    print(render(_tabulated(options), options.format))
    return DONE


def _tabulated(options: argparse.Namespace) -> Table:
    from analysis.table import tabulate

    return tabulate(_load(options), _records(options), data=_data(options))


def _data(options: argparse.Namespace) -> str | None:
    """The data set asked for: a name in the records, or files, told by their fingerprint."""
    if options.data is None or not Path(options.data).exists():
        return options.data
    from experiments.sources import read_source

    return read_source(options.data).fingerprint


def _records(options: argparse.Namespace) -> Sequence[Record]:
    """The records in the folder of runs; what is no record is named and left out."""
    from roadmap.record import read_records

    if options.runs != Path("runs") and not options.runs.is_dir():
        raise Problem(f"folder of runs {options.runs} does not exist")
    found = read_records(options.runs)
    for message in found.broken:
        print(f"roadmap: {message}", file=sys.stderr)
    if not found.records:
        text = f"no finished runs in {options.runs}/ yet; train some with `roadmap run`"
        print(f"roadmap: {text}", file=sys.stderr)
    return found.records


def _plot(options: argparse.Namespace) -> int:
    from analysis.roadmap_figure import write_figures

    for path in write_figures(_tabulated(options), options.out, _load(options).paper):
        print(path)
    return DONE


def _export(options: argparse.Namespace) -> int:
    from experiments.request import Request

    request = Request(settings=_settings(options), row=options.row, seed=options.seed)
    request.identity  # noqa: B018 - name what is wrong before torch is loaded
    from experiments.export import export

    export(request, options.out, timm_names=options.timm)
    print(options.out)
    return DONE


def _collect(options: argparse.Namespace) -> int:
    from analysis.selection import select
    from roadmap.record import write_record

    path = _load(options)
    chosen = select(path, _records(options), _data(options))
    runs = [
        run for each in (chosen.rows, chosen.references) for found in each.values() for run in found
    ]
    if not runs:
        raise Problem(f"no record in {options.runs} belongs to roadmap {path.name!r}")
    options.out.mkdir(parents=True, exist_ok=True)
    for record in runs:
        row = record.label.row.replace(":", "-")
        target = options.out / f"{row}-{record.label.step}-seed{record.identity.seed}.json"
        write_record(record, target)
        print(target)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
