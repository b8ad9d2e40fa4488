"""What a tracker is told of a run besides its metrics: names, tags and parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.job import Job
from experiments.request import Request
from roadmap.heads import spec_cost
from roadmap.spec import Network, to_dict

Scalar = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A run in a tracker's words.

    Runs of a `group` are the seeds of one row; those of a `project` are the rows of one roadmap or
    study. `tags` identify the run. `recipe` and `spec` are the fields of its spec by dotted key, as
    `--set` names them. `cost` has MACs, parameters and activations; it is empty for a timm model.
    `logs` is the folder for what trackers write, `state` the file with the run's ids there.
    """

    run: str
    name: str
    group: str
    project: str
    seed: int
    tags: dict[str, str]
    recipe: dict[str, Scalar]
    spec: dict[str, Scalar]
    cost: dict[str, Scalar]
    logs: Path
    state: Path

    @property
    def path(self) -> str:
        """A folder's name for the run below that of the project: `05-width/seed0-1f2e…`."""
        return f"{plain(self.group)}/seed{self.seed}-{self.run}"


def facts(job: Job) -> Facts:
    """Return what a tracker is told of a job's run."""
    request = job.request
    label, settings, identity = request.label, request.settings, request.identity
    study = settings.study or "path"
    row = f"{label.row} {label.step}" if label.row[0].isdigit() else label.row
    spec = dict(_flat(to_dict(request.spec)))
    costs = _cost(request)
    tags = {
        "roadmap": label.roadmap,
        "study": Path(study).stem,
        "row": label.row,
        "step": label.step,
        "group": label.group,
        "title": label.title,
        "seed": str(request.seed),
        "data": settings.source.name,
        "run": identity.run,
        "spec": identity.spec,
        "network": identity.network,
        "recipe": identity.recipe,
        **{name: str(number) for name, number in costs.items()},
    }
    return Facts(
        run=identity.run,
        name=f"{row} seed {request.seed}",
        group=row,
        project=label.roadmap,
        seed=request.seed,
        tags=tags,
        recipe={key: value for key, value in spec.items() if key.startswith("recipe.")},
        spec=spec,
        cost=costs,
        logs=logs_of(settings.runs),
        state=request.folder / "trackers.yaml",
    )


def logs_of(runs: Path) -> Path:
    """Return the folder below a folder of runs where trackers write."""
    return runs / "logs"


def plain(name: str) -> str:
    """Make a name usable as one folder's name."""
    return re.sub(r"[^\w.@+-]", "-", name).lstrip(".") or "-"


def _cost(request: Request) -> dict[str, Scalar]:
    spec = request.spec
    if not isinstance(spec.network, Network):
        return {}
    one = spec_cost(spec)
    return {"macs": one.macs, "params": one.params, "activations": one.activations}


def _flat(value: object, key: str = "") -> Iterator[tuple[str, Scalar]]:
    """Yield the fields of a nested value by dotted key; a list of plain values is one text."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list | tuple) and any(isinstance(part, dict) for part in value):
        for number, part in enumerate(value):
            yield from _flat(part, f"{key}.{number}")
    else:
        yield key, value if isinstance(value, str | int | float | bool) else str(value)
