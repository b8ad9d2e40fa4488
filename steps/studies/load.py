"""Read studies from YAML: a roadmap, a design, seeds. The shipped ones are in this folder.

design: leave_one_out
roadmap: tiny
seeds: 3
set: {recipe.epochs: 3}
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from roadmap import strict_yaml
from roadmap.choice import read_choice
from roadmap.errors import Problem, unknown
from roadmap.rows import Roadmap
from roadmap.spec import from_dict
from steps.roadmaps.load import load_roadmap, margin_of
from steps.roadmaps.names import split_name
from steps.studies.contrast import Designed, Name
from steps.studies.designs import DESIGNS
from steps.studies.study import Study, distinct

COMMON = ("title", "design", "roadmap", "seeds", "margin", "set", "choose", "paired", "variances")
Variances = Literal["welch", "moderated"]
MARGIN = 0.5  # points, if neither the study nor its roadmap has one
_FOLDER = Path(__file__).parent
ReadRoadmap = Callable[[str, Path | None], Roadmap]


def load_study(
    name: str | Path,
    *,
    roadmap: str | None = None,
    steps: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    read_roadmap: ReadRoadmap = lambda name, steps: load_roadmap(name, steps=steps),
) -> Study:
    """Return the shipped study of that name, or the one in a YAML file.

    It is on its own roadmap or on `roadmap`. `overrides` are fields of every variant's spec by
    dotted key, in addition to the study's own. Raises Problem with file, line and key for anything
    wrong. `read_roadmap` reads a roadmap by name and steps file.
    """
    path = strict_yaml.locate("study", str(name), shipped=_FOLDER)
    document = strict_yaml.read(path)
    design, given = _design(document)
    settings = _typed(document, "set", Settings, {}) | dict(overrides or {})
    with document.at("set"):
        if "network.classes" in settings:
            raise Problem("network.classes comes from the data; it cannot be set")
    own = _typed(document, "roadmap", Path_, "tiny")
    if split_name(own)[0].endswith((".yaml", ".yml")):
        own = str(document.path.parent / own)
    with document.at("roadmap"):
        as_read = read_roadmap(roadmap or own, steps)
    with document.at("choose"):
        choose = read_choice(document.data.get("choose")) or as_read.choose
        if choose and choose.field in (given.get("of"), *_typed(document, "set", Settings, {})):
            raise Problem(f"{choose.field} is chosen for each row; the study sets or varies it")
        as_read = replace(as_read, choose=choose).checked_choice()
    seeds, margin = _typed(document, "seeds", int, 3), margin_of(document)
    with document.at("seeds"):
        if not 1 <= seeds <= 1000:
            raise Problem(f"seeds must be 1 to 1000, got {seeds}")
    paired = _typed(document, "paired", bool, False)
    variances = _typed(document, "variances", Variances, "welch")
    with document.at("paired"):
        if paired and document.data["design"] == "orders":
            raise Problem("paired is for designs other than orders")
        if paired and variances != "welch":
            raise Problem("paired: true and variances: moderated exclude each other; remove one")
    with document.at(*["set"] * bool(document.data.get("set") and not overrides)):
        base = as_read.overridden(settings)
    of = given.get("of")
    with document.at():
        if of in settings:
            raise Problem(f"{of} is what the study varies; it cannot be set")
        # The settings decide whether a swept field has an effect, so a sweep starts from them.
        made = design(base if of else as_read.full or as_read, **given)
        if of:  # a whole recipe is in `base` already; again, it would overwrite what is swept
            settings = {key: data for key, data in settings.items() if key != "recipe"}
        variants = replace(as_read, name=path.stem, rows=made.rows)
        if as_read.scale and not of:  # steps are for the full size
            variants = variants.changed(as_read.scale.apply)
        if as_read.task and not of:  # a step that sets a recipe sets that of classification
            variants = variants.changed(as_read.task.apply)
        variants = variants.overridden(settings)
        if of and len({row.spec.fingerprint for row in variants}) < len(made.rows):
            raise Problem(f"{of} is what the study varies; what is set overwrites it")
    varied = of or " × ".join(given.get("steps", ()))
    kind = document.data["design"].replace("_", " ") + (f" of {varied}" if varied else "")
    title = _typed(document, "title", Name, f"{kind}: {as_read.title}")
    return Study(
        design=document.data["design"],
        roadmap=replace(variants, title=title),
        base=base,
        seeds=seeds,
        margin=margin or as_read.margin or MARGIN,
        contrasts=tuple(distinct(contrast, variants) for contrast in made.contrasts),
        asks=made.asks,
        left_out=made.left_out,
        paired=paired,
        variances=variances,
    )


def shipped() -> list[str]:
    """Return the names of the studies that come with the project."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def _design(document: strict_yaml.Document) -> tuple[Callable[..., Designed], dict[str, Any]]:
    """Return the design of a study and the parameters that are given for it."""
    data = document.data
    with document.at():
        if "design" not in data:
            raise Problem("key 'design' is missing")
    name = data["design"]
    with document.at("design"):
        if not isinstance(name, str) or name not in DESIGNS:
            raise unknown("design", name, DESIGNS)
    parameters = list(inspect.signature(DESIGNS[name]).parameters.values())[1:]
    keys = [parameter.name for parameter in parameters]
    with document.at():
        for key in data:
            if key not in (*COMMON, *keys):
                raise unknown(f"key of design {name!r}:", key, [*COMMON, *keys])
    hints = typing.get_type_hints(DESIGNS[name], include_extras=True)
    given = {
        key: _typed(document, key, hints[key], None) for key in keys if data.get(key) is not None
    }
    for parameter in parameters:
        if parameter.name not in given and parameter.default is inspect.Parameter.empty:
            with document.at("design"):
                raise Problem(f"design {name!r} needs the key {parameter.name!r}")
    return DESIGNS[name], given


Settings = Annotated[dict[str, Any], Field(max_length=200)]
Path_ = Annotated[str, Field(max_length=4096)]


def _typed(document: strict_yaml.Document, key: str, kind: Any, default: Any) -> Any:
    """Return the value of a key, checked; `default` if it is absent or null."""
    if document.data.get(key) is None:
        return default
    with document.at(key):
        try:
            return from_dict(kind, document.data[key])
        except Problem as problem:
            raise Problem(f"{key}: {problem}") from None
