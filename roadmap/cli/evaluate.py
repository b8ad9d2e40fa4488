"""`roadmap evaluate`: write further measures of finished runs into their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from analysis.measures import BY_CLASS, find_measure
from analysis.selection import is_reference, select
from analysis.tables.cells import MISSING
from experiments.data.source import Source
from experiments.data.sources import read_evaluated, read_source
from experiments.host.events import Preparing
from experiments.host.limits import cores
from experiments.host.progress import Display
from experiments.measuring.own import read_measures
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace
from roadmap.errors import Problem, unknown, visible
from roadmap.record import Record
from roadmap.spec import Reference, from_dict

if TYPE_CHECKING:
    from experiments.measuring.asked import Trained

MOST_SIDE = 8192  # pixels of an image that is evaluated
MAIN = ("top1", "top5", "loss", "calibration_error", "mean_recall", "worst_recall", "corrupted")


def evaluate(workspace: Workspace) -> int:
    """Measure the finished runs of rows, write the numbers into their records, print means."""
    options = workspace.options
    workspace.check_classifies("`roadmap evaluate`")
    if options.image_size is not None and options.image_size > MOST_SIDE:
        raise Problem(f"--image-size {options.image_size:,} is more than {MOST_SIDE:,}")
    own = read_measures(options.measures) if options.measures else []
    runs = _runs(workspace)
    source = _source(workspace)
    _check_data(workspace, source, runs)
    names, trained_names = _class_names(source, runs)
    corruptions = _corruptions(options.corruptions)
    trained = _trained(workspace, runs)
    from experiments.data.splits import open_data
    from experiments.measuring.asked import Asked, relabelled
    from experiments.measuring.evaluate import evaluate as measure

    with Display() as display:

        def progress(what: str, done: int, total: int) -> None:
            display(Preparing(run=source.name, what=what, done=done, total=total))

        data = open_data(source, progress=lambda *at: progress(source.preparation, *at))
        if names != trained_names:
            data = relabelled(data, names, trained_names)
        trained_on = None
        if options.trained_on is not None:
            trained_on = open_data(read_source(options.trained_on, options.data_root))
        asked = Asked(
            data=data,
            names=trained_names,
            image_size=options.image_size,
            crop=options.crop,
            own=own,
            corruptions=corruptions,
            trained_on=trained_on,
            threads=options.threads or cores(),
        )
        waiting = [one for one in trained if options.again or not asked.done(one)]
        if done := len(trained) - len(waiting):
            say(f"{done} of {len(trained)} runs have these measures already (--again repeats them)")
        made = measure(waiting, asked, lambda *at: progress("evaluating", *at), say)
    new = {record.identity.run: record for record in made}
    suffix = asked.suffix(trained[0])
    keys = [key + suffix for key in (*MAIN, *(one.name for one in own))]
    keys += [f"corrupted:{name}{suffix}" for name in corruptions]
    finished = {
        row: [new.get(record.identity.run, record) for record in group]
        for row, group in runs.items()
    }
    show(_table(finished, keys))
    by_class = sorted({k for r in made for k in r.metrics if k.startswith(BY_CLASS)})
    if by_class:
        say(f"also by class, as in {by_class[0]}")
    say("show any of them: roadmap table --measure KEY (verdicts, plot and report take it too)")
    return DONE


def _runs(workspace: Workspace) -> dict[str, list[Record]]:
    """Return the finished runs of the rows that are asked for."""
    options = workspace.options
    trained_on = workspace.replaced(data=options.trained_on)
    records = workspace.records_or_say_none()
    selection = select(workspace.roadmap, records, trained_on.data if options.trained_on else None)
    for note in selection.notes:
        say(note)
    known: dict[str, list[Record]] = {row: list(runs) for row, runs in selection.rows.items()}
    for runs in selection.references.values():
        known.setdefault(runs[0].label.row, []).extend(runs)
    finished = {
        row: [run for run in runs if run.status == "finished"] for row, runs in known.items()
    }
    finished = {row: runs for row, runs in finished.items() if runs}
    if options.rows is None:
        names = sorted(finished)
    else:
        names = [
            name if name.startswith("timm:") else workspace.roadmap[name].number
            for name in options.rows.split(",")
        ]
    for name in names:
        if name not in finished:
            raise unknown("row with finished runs", name, sorted(finished))
    if not names:
        raise Problem(f"no finished run in {options.runs} fits roadmap {workspace.roadmap.name!r}")
    return {name: finished[name] for name in names}


def _check_data(workspace: Workspace, source: Source, runs: Mapping[str, Sequence[Record]]) -> None:
    """Raise Problem if the images may be others than the user means.

    Without --data they must be the runs' own. A class folder whose images a run was trained on must
    be divided as for the run.
    """
    for record in [record for group in runs.values() for record in group]:
        if record.identity.data == source.fingerprint:
            continue
        name, held_out = str(record.data.get("name")), record.data.get("held_out")
        if workspace.options.data is None:
            raise Problem(
                f"row {record.label.row} was trained on data {name}, not {source.name}; "
                "--data names the images to evaluate on"
            )
        if held_out and name == source.name and "held_out" not in source.details:
            raise Problem(
                f"row {record.label.row} was trained on a part of {name}; give --val-fraction "
                f"{held_out['fraction']:g} --split-seed {held_out['seed']}, as for run, to leave "
                "out its training images"
            )


def _class_names(
    source: Source, runs: Mapping[str, Sequence[Record]]
) -> tuple[list[str], list[str]]:
    """Return the class names of the images and those of the training, if the runs know them.

    Images may have some of the classes only. Raises Problem if the classes cannot be matched.
    """
    names = list(getattr(source, "class_names", map(str, range(source.classes))))
    kept = [run.data.get("class_names") for group in runs.values() for run in group]
    if kept[0] and all(each == kept[0] for each in kept):
        return names, [str(name) for name in kept[0]]
    for record in [record for group in runs.values() for record in group]:
        classes = record.spec["network"].get("classes", 1000)
        if classes != source.classes:
            raise Problem(
                f"data {source.name} has {source.classes} classes; "
                f"row {record.label.row} was trained on {classes}"
            )
    return names, names


def _source(workspace: Workspace) -> Source:
    """Return the data to evaluate on: the one named, else the roadmap's own."""
    options = workspace.options
    if options.data is None:
        return workspace.settings.source
    return read_evaluated(options.data, options.data_root, workspace.reading)


def _corruptions(asked: str | None) -> list[str]:
    """Return the names of corruptions. Raises Problem for an unknown one."""
    if asked is None:
        return []
    from experiments.measuring.corruptions.table import CORRUPTIONS
    from experiments.measuring.corruptions.weather import textures

    names = list(CORRUPTIONS) if asked == "all" else asked.split(",")
    for name in names:
        if name not in CORRUPTIONS:
            raise unknown("corruption", name, ["all", *CORRUPTIONS])
    if "frost" in names:
        textures(small=True)  # raises before anything is computed
    return list(dict.fromkeys(names))


def _trained(workspace: Workspace, runs: Mapping[str, Sequence[Record]]) -> list[Trained]:
    """Return the runs with networks and folders. Raises Problem if none has weights."""
    from experiments.measuring.asked import Trained

    folder = workspace.options.runs
    found = []
    for row, group in runs.items():
        for record in group:
            place = folder / record.identity.run
            if not any((place / name).exists() for name in ("weights.safetensors", "last.ckpt")):
                say(f"left out: {row} seed {record.identity.seed} has no weights in {place}")
                continue
            if is_reference(record):
                network = from_dict(Reference, record.spec["network"])
            else:
                classes = record.spec["network"].get("classes", 1000)
                network = workspace.roadmap.with_classes(classes)[row].spec.network
            found.append(Trained(record=record, network=network, folder=place))
    if not found:
        raise Problem(f"no run in {folder} has weights; `roadmap run --restart` trains them again")
    return found


def _table(runs: Mapping[str, Sequence[Record]], keys: Sequence[str]) -> str:
    """Return means over runs as lines of text, a row for each key and a column for each row."""
    width = max(len(row) for row in runs) + 2
    records = [record for group in runs.values() for record in group]
    known = [key for key in keys if any(key in record.metrics for record in records)]
    first = max((len(key) for key in known), default=0)
    lines = [" " * first + "".join(f"{row:>{max(width, 10)}}" for row in runs)]
    for key in known:
        measure = find_measure(key, records)
        cells = []
        for group in runs.values():
            values = measure.values(group)
            text = f"{fmean(values):.{measure.decimals}f}" if values else MISSING
            cells.append(f"{text:>{max(width, 10)}}")
        unit = f" {visible(measure.unit)}" if measure.unit else ""
        lines.append(f"{visible(key):{first}}" + "".join(cells) + unit)
    return "\n".join(lines)
