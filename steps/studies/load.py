"""Studies read from YAML: a roadmap, a design, seeds. Those shipped lie in `steps/studies/`.

design: leave_one_out
roadmap: tiny
seeds: 3
set: {recipe.epochs: 3}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from roadmap import strict_yaml
from roadmap.errors import Problem, unknown
from roadmap.rows import Roadmap
from roadmap.spec import from_dict
from steps.roadmaps.load import load_roadmap
from steps.studies.designs import DESIGNS
from steps.studies.study import Study, distinct

ReadRoadmap = Callable[[str, Path | None], Roadmap]
COMMON = ("title", "design", "roadmap", "seeds", "margin", "set")


def load_study(
    name: str | Path,
    *,
    roadmap: str | None = None,
    steps: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    read_roadmap: ReadRoadmap = lambda name, steps: load_roadmap(name, steps=steps),
) -> Study:
    """The shipped study of that name, or the one in a YAML file, on its roadmap or on `roadmap`.

    `overrides` are fields of every variant's spec by dotted key, beside the study's own. Raises
    Problem naming file, line and key for anything that does not fit.
    """
    document = strict_yaml.read(_file(str(name)))
    data = document.data
    with document.at():
        if "design" not in data:
            raise Problem("key 'design' is missing")
    with document.at("design"):
        if not isinstance(data["design"], str) or data["design"] not in DESIGNS:
            raise unknown("design", data["design"], DESIGNS)
        design = DESIGNS[data["design"]]
    keys = list(inspect.signature(design).parameters)[1:]
    with document.at():
        for key in data:
            if key not in (*COMMON, *keys):
                raise unknown(f"key of design {data['design']!r}:", key, [*COMMON, *keys])
    with document.at("set"):
        settings = _typed(data, "set", dict[str, Any], {}) | dict(overrides or {})
        if "network.classes" in settings:
            raise Problem("network.classes comes from the data; it cannot be set")
    with document.at("roadmap"):
        own = _typed(data, "roadmap", str, "tiny")
        if own.endswith((".yaml", ".yml")):
            own = str(document.path.parent / own)
        path = read_roadmap(roadmap or own, steps)
    with document.at("seeds"):
        seeds = _typed(data, "seeds", int, 3)
        if not 1 <= seeds <= 1000:
            raise Problem(f"seeds must be 1 to 1000, got {seeds}")
    with document.at("margin"):
        margin = float(_typed(data, "margin", float, 0.5))
        if not 0 < margin < 100:
            raise Problem(f"margin must be above 0 and below 100 points, got {margin:g}")
    given = {}
    for key in keys:
        if data.get(key) is not None:
            with document.at(key):
                given[key] = _typed(data, key, KINDS[key], None)
        elif inspect.signature(design).parameters[key].default is inspect.Parameter.empty:
            with document.at("design"):
                raise Problem(f"design {data['design']!r} needs the key {key!r}")
    with document.at(*["set"] * bool(data.get("set") and not overrides)):
        base = path.overridden(settings)
    with document.at():
        of = given.get("of")
        if of in settings:
            raise Problem(f"{of} is what the study varies; it cannot be set")
        made = design(base if of else path, **given)  # what is set decides whether `of` matters
        path = replace(path, name=document.path.stem, rows=made.rows).overridden(settings)
        if of and len({row.spec.fingerprint for row in path}) < len(made.rows):
            raise Problem(f"{of} is what the study varies; what is set overwrites it")
    varied = of or " × ".join(given.get("steps", ()))
    kind = data["design"].replace("_", " ") + (f" of {varied}" if varied else "")
    title = _typed(data, "title", str, f"{kind}: {path.title}")
    return Study(
        design=data["design"],
        roadmap=replace(path, title=title),
        base=base,
        seeds=seeds,
        margin=margin,
        contrasts=tuple(distinct(each, path) for each in made.contrasts),
        asks=made.asks,
        left_out=made.left_out,
    )


def shipped() -> list[str]:
    """The names of the studies that come with the project."""
    return sorted(
        each.name.removesuffix(".yaml") for each in _FOLDER.iterdir() if each.name.endswith(".yaml")
    )


_FOLDER = resources.files("steps.studies")


def _file(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name not in shipped():
        raise unknown("study", name, [*shipped(), "FILE.yaml"])
    return Path(str(_FOLDER / f"{name}.yaml"))


def _typed(data: Mapping[str, Any], key: str, kind: Any, default: Any) -> Any:
    if data.get(key) is None:
        return default
    try:
        return from_dict(kind, data[key])
    except Problem as problem:
        raise Problem(f"{key}: {problem}") from None


KINDS = {"samples": int, "seed": int, "of": str, "values": list[Any], "rows": list[str],
         "steps": list[str], "row": str}  # fmt: skip
