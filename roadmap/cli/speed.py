"""`roadmap speed`: measure training and inference speed of rows on this machine."""

from __future__ import annotations

import os
import shlex
import sys

from analysis.tables.speed_table import check_speed_format, render_speeds
from experiments.host.events import Preparing
from experiments.host.limits import cores
from experiments.host.machine import Machine
from experiments.host.progress import Display
from roadmap.cli.console import DONE, say, show
from roadmap.cli.workspace import Workspace
from roadmap.edit import replace
from roadmap.errors import Problem, check_text
from roadmap.record import Label
from roadmap.rows import Roadmap
from roadmap.spec import Network, Reference, Spec
from roadmap.speed import write_speed

MOST_SECONDS = 3600  # of one number of a round


def speed(workspace: Workspace) -> int:
    """Time the rows in turn, keep a record of each, and print them."""
    options = workspace.options
    check_speed_format(options.format)
    workspace.check_classifies("`roadmap speed`")
    if options.seconds > MOST_SECONDS:
        raise Problem(f"--seconds {options.seconds:g} is more than {MOST_SECONDS:,}")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler would write to stderr
    path = _path(workspace)
    numbers = [row.number for row in path if options.branches or not row.is_branch]
    names = numbers if options.rows is None else options.rows.split(",")
    if len(set(names)) < len(names):
        raise Problem(f"{options.rows} names a row twice")
    rows = [_row(path, name) for name in names]
    for _, spec in rows:
        if isinstance(spec.network, Reference):
            from roadmap.network import check_reference

            check_reference(spec.network)
    options.runs.mkdir(parents=True, exist_ok=True)
    from experiments.measuring.speed import Plan, load_per_core, measure_speeds
    from experiments.training.choices import precision_here

    machine = Machine(
        threads=options.threads or cores(),
        workers=0,
        precision=precision_here(options.precision),
        compile=options.compile,
    )
    if (load := load_per_core() or 0) > 0.5:
        say(f"other work shares this machine (load {load:.1f} per core): speeds will be too low")
    check_text("this command", command := shlex.join(["roadmap", *sys.argv[1:]]))
    with Display() as display:

        def progress(done: int, total: int) -> None:
            display(
                Preparing(run=path.name, what="timing all rows in turn", done=done, total=total)
            )

        speeds = measure_speeds(
            rows,
            Plan(rounds=options.rounds, seconds=options.seconds, batch=options.batch),
            machine,
            command=command,
            progress=progress,
        )
    for measured in speeds:
        write_speed(measured, options.runs)
    show(render_speeds(speeds, options.format))
    return DONE


def _path(workspace: Workspace) -> Roadmap:
    """Return the rows, with the class count of the data if there is any."""
    named = workspace.options.data is not None or workspace.roadmap.data is not None
    return workspace.settings.path if named else workspace.roadmap


def _row(path: Roadmap, name: str) -> tuple[Label, Spec]:
    """Return the label and the spec of a row, or of a timm model with the last row's recipe."""
    if name.startswith("timm:"):
        last, model = path.rows[-1].spec, name.removeprefix("timm:")
        assert isinstance(last.network, Network)
        network = Reference(
            timm=model, classes=last.network.classes, drop_path=last.network.drop_path
        )
        group = "reference"
        label = Label(roadmap=path.name, row=name, step=group, title=model, group=group)
        return label, replace(last, network=network)
    row = path[name]
    label = Label(
        roadmap=path.name, row=row.number, step=row.step, title=row.title, group=row.group
    )
    return label, row.spec
