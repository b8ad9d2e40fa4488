"""The command line. It alone sees all the rooms, and imports each only for the command in hand."""

from __future__ import annotations

import argparse
import errno
import io
import shlex
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadmap.cli.options import make_parser
from roadmap.errors import Problem, unknown

if TYPE_CHECKING:
    from analysis.tables.table import Table
    from experiments.settings import Settings
    from roadmap.record import Record, Records
    from roadmap.rows import Roadmap
    from steps.studies.study import Study

DONE, FAILED, WRONG = 0, 1, 2
USERS = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG)

# `python -m` puts the working directory first: a steps.py of the user's there must not hide ours.
sys.path.insert(0, str(Path(__file__).parents[2]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when done, 1 where a run failed, 2 for what the user got wrong."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × or − shows the rest
    options = make_parser(COMMANDS).parse_args(arguments)
    try:
        return options.command(options)
    except Problem as problem:
        _say(str(problem))
        return WRONG
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            return DONE
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return WRONG if error.errno in USERS else FAILED
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from here")
        return 130


def _say(line: str) -> None:
    line = f"roadmap: {line}"
    if sys.stderr.isatty():  # a terminal breaks words, a file's lines are for searching
        line = textwrap.fill(line, 80, break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)


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


def _as_read(options: argparse.Namespace) -> Roadmap:
    from steps.roadmaps.load import load_roadmap

    return load_roadmap(options.roadmap or "tiny", steps=options.steps)


def _load(options: argparse.Namespace) -> Roadmap:
    return _as_read(options).overridden(_overrides(options))


def _study(options: argparse.Namespace, default: str | None = None) -> Study:
    return _studied(options, options.study or default)


def _studied(options: argparse.Namespace, name: str | None) -> Study:
    """The study of that name on the roadmap and with the settings that were given."""
    from steps.studies.load import load_study

    return load_study(
        name, roadmap=options.roadmap, steps=options.steps, overrides=_overrides(options)
    )


def _cost(options: argparse.Namespace) -> int:
    from analysis.tables.costs import cost_rows, cost_table

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
    from analysis.tables.explanation import explain

    path = _load(options)
    _check_effect(options)
    print(explain(path, path[options.row]))
    return DONE


def _settings(options: argparse.Namespace) -> Settings:
    from experiments.settings import Settings

    return Settings(
        roadmap=options.roadmap,
        study=getattr(options, "study", None),
        steps=options.steps,
        data=options.data,
        data_root=options.data_root,
        overrides=_overrides(options),
        runs=options.runs,
    )


def _check_effect(options: argparse.Namespace) -> None:
    """Raise Problem for a setting that has no effect on the one row that is asked for."""
    from roadmap.override import override

    overrides = _overrides(options)
    if options.row.startswith("timm:"):
        for key in overrides:
            if key.startswith("network.") and key not in ("network.drop_path", "network.classes"):
                raise Problem(f"{key} has no effect on {options.row}: the network is timm's")
        return
    override(_as_read(options)[options.row].spec, overrides)


def _train(options: argparse.Namespace) -> int:
    _check_effect(options)
    return _run_pairs(options, [(options.row, options.seed)], jobs=1)


def _run(options: argparse.Namespace) -> int:
    from experiments.host.machine import default_jobs

    study = _study(options) if options.study else None
    path = study.roadmap if study else _load(options)
    whole = study is not None or options.branches
    numbers = [row.number for row in path if whole or not row.is_branch]
    seeds = options.seeds or (study.seeds if study else 1)
    rows = numbers if options.rows is None else options.rows.split(",")
    if options.rows is not None and options.branches:
        raise Problem("--rows names the rows; --branches adds to all of them: give one of the two")
    if len(set(rows)) < len(rows):
        raise Problem(f"--rows {options.rows} names a row twice")
    jobs = options.jobs or default_jobs(options.devices)
    if options.until_decided and (study is None or options.rows is not None):
        raise Problem(
            "--until-decided is for a whole STUDY, as in roadmap run path --until-decided"
        )
    pairs = [(row, seed) for seed in range(seeds) for row in rows]
    if not options.until_decided:
        return _run_pairs(options, pairs, jobs=jobs)
    return _until_decided(options, replace(study, seeds=seeds), pairs, jobs)


def _until_decided(
    options: argparse.Namespace, study: Study, pairs: Sequence[tuple[str, int]], jobs: int
) -> int:
    """Add seeds where verdicts are open; a run that diverged or failed is not tried again here."""
    from analysis.verdicts.more_seeds import next_runs
    from roadmap.record import read_records

    settings = _settings(options)
    wanted = {"most": options.max_seeds, "runs": jobs, "data": settings.source.fingerprint}
    next_runs(study, (), **wanted)  # what cannot be decided so is said before anything runs
    tried, worst = set(pairs), _run_pairs(options, pairs, jobs=jobs, report=False)
    while worst in (DONE, FAILED):
        pairs = next_runs(study, read_records(options.runs).records, tried=tried, **wanted)
        if not pairs:
            break
        tried |= set(pairs)
        _say("still open; next: " + ", ".join(f"{row} seed {seed}" for row, seed in pairs))
        worst = max(worst, _run_pairs(options, pairs, jobs=jobs, report=False))
    if worst in (DONE, FAILED):
        _report(settings, options)
    return worst


def _run_pairs(
    options: argparse.Namespace,
    pairs: Sequence[tuple[str, int]],
    jobs: int,
    *,
    report: bool = True,
) -> int:
    from experiments.host.machine import Machine
    from experiments.launch.launchers import run_all
    from experiments.request import Request
    from roadmap.record import Asked

    settings = _settings(options)
    requests = [Request(settings=settings, row=row, seed=seed) for row, seed in pairs]
    machine = Machine.shared_by(
        jobs,
        devices=options.devices,
        nodes=options.nodes,
        accumulate=options.accumulate,
        precision=options.precision,
        compile=options.compile,
        sync_batchnorm=options.sync_batchnorm,
        images=options.images,
        save_every=options.save_every,
        wait=not options.no_wait,
        broken=options.broken,
    )
    if options.threads:
        machine = replace(machine, threads=options.threads)
    if options.workers is not None:
        machine = replace(machine, workers=options.workers)
    command = shlex.join(["roadmap", *sys.argv[1:]])
    outcome = run_all(
        requests,
        parallel=jobs,
        machine=machine,
        command=command,
        asked=Asked(
            data=options.data,
            until_decided=getattr(options, "until_decided", False),
            first_seeds=getattr(options, "seeds", None),
            most_seeds=getattr(options, "max_seeds", None),
        ),
        restart=options.restart,
        say=_say,
    )
    if outcome.records and report:
        _report(settings, options)
    if outcome.failures and len(requests) > 1:  # the reasons were said when they failed
        failed = f"{len(outcome.failures)} of {len(requests)} runs failed"
        _say(f"{failed}: {', '.join(outcome.failures)}; their log.txt says why")
    if outcome.stopped:
        _say("stopped; the same command goes on from here")
        return 128 + outcome.stopped
    return FAILED if outcome.failures or _diverged(outcome.records) else DONE


def _diverged(records: Sequence[Record]) -> bool:
    return any(record.status == "diverged" for record in records)


def _report(settings: Settings, options: argparse.Namespace) -> None:
    """Where the roadmap or study stands: all runs in this folder with these specs and this data."""
    from analysis.tables.render import render
    from analysis.tables.table import tabulate
    from analysis.tables.verdict_table import render_verdicts
    from analysis.verdicts.study import judge_study
    from roadmap.record import read_records

    found = read_records(settings.runs)
    for message in found.broken:
        _say(message)
    given = {"data": settings.source.fingerprint}
    if settings.study is not None:
        judged = judge_study(_study(options), found.records, **given)
        print(render_verdicts(judged, "terminal"))
    else:
        print(render(tabulate(settings.path, found.records, **given), "terminal"))


def _plan(options: argparse.Namespace) -> int:
    from experiments.forecast import forecast, in_words
    from experiments.host.machine import default_jobs
    from experiments.request import Request
    from roadmap.record import read_records

    options.study = options.study or "path"
    study, settings = _study(options), _settings(options)
    seeds = range(options.seeds or study.seeds)
    requests = [
        Request(settings=settings, row=row.number, seed=seed)
        for row in study.roadmap
        for seed in seeds
    ]
    records = read_records(options.runs).records
    jobs = options.jobs or default_jobs(options.devices)
    found = forecast(requests, records, jobs, options.devices)
    print(in_words(study, found, len(seeds), jobs))
    wanted = {request.identity.run for request in requests}
    copies = [each for each in _copies(options, records) if each.identity.run in wanted]
    if copies:
        _say(
            f"{len(copies)} of these have collected records below {options.runs}/, which are no "
            "runs: `roadmap run` with this folder trains them again"
        )
    return DONE


def _verdicts(options: argparse.Namespace) -> int:
    from analysis.tables.render import check_format
    from analysis.tables.verdict_table import render_verdicts, verdicts_apart
    from analysis.verdicts.paper import judge_paper
    from analysis.verdicts.study import judge_study

    check_format(options.format)
    if options.study == "paper":
        options.study, options.roadmap = "path", options.roadmap or "resnet50"
        study = _study(options)
        if study.roadmap.paper is None:
            raise Problem(f"roadmap {study.roadmap.name!r} names no table of the paper's")
        judged = judge_paper(study, study.roadmap.paper)
    else:
        judged = judge_study(_study(options, "path"), _records(options), _data(options))
    print(render_verdicts(judged, options.format))
    for note in verdicts_apart(judged, options.format):
        _say(note)
    return DONE


def _table(options: argparse.Namespace) -> int:
    from analysis.tables.render import apart, check_format, render

    check_format(options.format)
    table = _tabulated(options)
    print(render(table, options.format))
    for note in apart(table, options.format):
        _say(note)
    return DONE


def _tabulated(options: argparse.Namespace) -> Table:
    from analysis.tables.table import tabulate

    return tabulate(_load(options), _records(options), data=_data(options))


def _data(options: argparse.Namespace) -> str | None:
    """The data set asked for: a name in the records, or files, told by their fingerprint."""
    if options.data is None or not Path(options.data).exists():
        return options.data
    from experiments.data.sources import read_source

    return read_source(options.data).fingerprint


def _records(options: argparse.Namespace, *, say_none: bool = True) -> Sequence[Record]:
    """The records in the folder of runs; what is no record is named and left out."""
    return _found(options, say_none=say_none).records


def _found(options: argparse.Namespace, *, say_none: bool = True) -> Records:
    """The same, with what was said of those that are no records."""
    from roadmap.record import read_records

    if options.runs != Path("runs") and not options.runs.is_dir():
        raise Problem(f"folder of runs {options.runs} does not exist")
    found = read_records(options.runs)
    for message in found.broken:
        _say(message)
    if not found.records and say_none:
        _say(f"no finished runs in {options.runs}/ yet; train some with `roadmap run`")
    return found


def _copies(options: argparse.Namespace, records: Sequence[Record]) -> list[Record]:
    """Those that were collected: no folder of a run belongs to them."""
    return [each for each in records if not (options.runs / each.identity.run).is_dir()]


def _plot(options: argparse.Namespace) -> int:
    from analysis.figures.gallery import FIGURES, NEED_NO_RUNS, drawings, nothing_to_show
    from analysis.figures.sheet.style import save
    from analysis.subject import Subject

    wanted = list(FIGURES) if options.figure is None else [options.figure]
    for name in wanted:
        if name not in FIGURES:
            raise unknown("figure", name, FIGURES)
    if options.row is not None and wanted != ["block"]:
        raise Problem("--row is for the block of one row: roadmap plot block --row ROW")
    records = _records(options, say_none=not set(wanted) <= NEED_NO_RUNS)
    study = _study(options, "path")
    shown = Subject(
        roadmap=study.roadmap if options.study else _load(options),
        study=study,
        records=records,
        data=_data(options),
        row=options.row,
    )
    for note in shown.table.notes if "roadmap" in wanted else ():
        _say(note)
    if options.figure is None and "receptive-field" in nothing_to_show(shown):
        wanted.remove("receptive-field")
        _say("no run here has a receptive field on record: that figure is left out")
    for drawing in (each for name in wanted for each in drawings(name, shown)):
        for path in save(drawing, options.out, width=options.width, theme=options.theme):
            print(path)
    return DONE


def _write_report(options: argparse.Namespace) -> int:
    from analysis.report.contents import gather
    from analysis.report.page import write_report

    found = _found(options)
    contents = gather(
        _load(options),
        _studied(options, "path"),
        _other_studies(options),
        found.records,
        data=_data(options),
        all_of_them=bool(options.studies),
        broken=found.broken,
        given=_given(options, found.records),
        goes_on=not _copies(options, found.records),
    )
    for path in write_report(contents, options.out):
        print(path)
    return DONE


def _other_studies(options: argparse.Namespace) -> list[Study]:
    """Those asked for, or all shipped ones that fit the roadmap."""
    from steps.studies.load import shipped

    if options.studies:
        return [_studied(options, name) for name in options.studies]
    found = []
    for name in shipped():
        with suppress(Problem):  # such as a sweep of rows that this roadmap does not have
            found.append(_studied(options, name))
    return [study for study in found if study.design != "path"]


def _trained_on(records: Sequence[Record]) -> str | None:
    """What the runs were given as --data, where they agree; None where it is the default."""
    given = set()
    for record in records:
        words = record.provenance.command.replace("--data=", "--data ").split()
        place = words.index("--data") + 1 if "--data" in words else len(words)
        given.add(" ".join(words[place : place + 1]))
    return given.pop() or None if len(given) == 1 else None


def _given(options: argparse.Namespace, records: Sequence[Record]) -> str:
    """The options that another command needs for the same roadmap, data, settings and runs."""
    words: list[str] = []
    for name, value in (("roadmap", options.roadmap), ("steps", options.steps),
                        ("data", options.data or _trained_on(records))):  # fmt: skip
        words += [f"--{name}", str(value)] if value is not None else []
    words += [word for each in options.overrides for word in ("--set", each)]
    words += ["--runs", str(options.runs)] if options.runs != Path("runs") else []
    return "".join(f" {shlex.quote(word)}" for word in words)


def _check_data(options: argparse.Namespace) -> int:
    from experiments.data.sources import read_source

    source = read_source(options.data, options.data_root)
    from experiments.data.check import broken_images
    from experiments.data.splits import open_data
    from experiments.host.events import Preparing
    from experiments.host.progress import Display

    with Display() as display:

        def progress(done: int, total: int) -> None:
            what = f"trying {total:,} images"
            display(Preparing(run=source.name, what=what, done=done, total=total))

        data = open_data(source, progress=progress)
        faults = list(broken_images(data, progress))
    for fault in faults:
        print(fault)
    sizes = f"{len(data.train):,} training and {len(data.val):,} validation images"
    answer = f"{len(faults):,} cannot be opened" if faults else "all can be opened"
    print(f"{sizes} of {source.classes} classes: {answer}")
    return FAILED if faults else DONE


def _export(options: argparse.Namespace) -> int:
    from experiments.request import Request

    if options.out.is_dir():
        raise Problem(f"--out {options.out} is a folder; give a file, as in weights.safetensors")
    request = Request(settings=_settings(options), row=options.row, seed=options.seed)
    if request.finished() is None:  # said before torch is loaded
        hint = f"`roadmap train {options.row}` with the same options trains it"
        raise Problem(f"{request.name} has no finished run in {options.runs}; {hint}")
    if options.timm and not options.row.startswith("timm:"):
        from roadmap.timm_names import timm_names

        timm_names(request.spec.network)
    from experiments.training.export import export

    export(request, options.out, timm_names=options.timm)
    print(options.out)
    return DONE


def _collect(options: argparse.Namespace) -> int:
    from analysis.selection import named, select
    from roadmap.record import write_record

    path = _study(options).roadmap if options.study else _load(options)
    chosen = select(path, _records(options, say_none=False), _data(options))
    runs = named(path, chosen)
    for note in chosen.notes:
        _say(note)
    if not runs:
        raise Problem(f"no record in {options.runs} fits roadmap {path.name!r} as it is set here")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, record in runs.items():
        target = options.out / f"{name}.json"
        write_record(record, target)
        print(target)
    return DONE


COMMANDS = {
    "cost": _cost,
    "show": _show,
    "train": _train,
    "run": _run,
    "plan": _plan,
    "verdicts": _verdicts,
    "table": _table,
    "plot": _plot,
    "report": _write_report,
    "export": _export,
    "collect": _collect,
    "check-data": _check_data,
}

if __name__ == "__main__":
    sys.exit(main())
