"""Which records belong to which row of a roadmap; what is left out is counted and named.

A record belongs to a row when it was started as that row of that roadmap and its spec is still the
row's, up to the number of classes, which comes with the data. Records of different provenance are
never averaged silently.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.rows import Roadmap, Row
from roadmap.spec import fingerprint

REFERENCE = "timm:"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Runs on one data set, by row number and by (`timm:` name, spec), and what was left out.

    `sizes` says in words how large the data set is, `classes` is its number of classes; they are
    empty and None where there are no records to tell it.
    """

    data: str | None
    sizes: str
    classes: int | None
    rows: dict[str, tuple[Record, ...]]
    references: dict[tuple[str, str], tuple[Record, ...]]
    notes: tuple[str, ...]


def select(roadmap: Roadmap, records: Sequence[Record], data: str | None = None) -> Selection:
    """Sort records under the rows of a roadmap; `data` is a data set's name or fingerprint.

    A record belongs to every row whose spec it has, whatever row it was started as. Raises Problem
    where there are records of several data sets and none is asked for.
    """
    recipe = fingerprint(roadmap.rows[-1].spec.recipe)
    variants = {count: _numbered(roadmap, count) for count in set(map(classes, records))}
    found, notes = _distinct(
        record
        for record in records
        if record.label.roadmap == roadmap.name
        or _rows_of(record, variants)
        or (is_reference(record) and record.identity.recipe == recipe)
    )
    if records and not found:
        notes.append(f"left out: {_count(len(records))} of {_roadmaps(records)}")
    name = _data_set(found, data, roadmap.data)
    if data is None and name is not None and roadmap.data not in (name, None):
        notes.append(f"{name!r} is the only data set with runs; the roadmap's is {roadmap.data!r}")
    mine = [record for record in found if name in (data_name(record), record.identity.data)]
    others = Counter(data_name(record) for record in found if record not in mine)
    notes += [f"left out: {_count(n)} on data set {other!r}" for other, n in sorted(others.items())]

    reasons = [_misfit(record, variants, recipe) for record in mine]
    fitting = [record for record, reason in zip(mine, reasons, strict=True) if reason is None]
    notes += _left_out(mine, reasons)
    fitting, versions = _one_version(fitting)

    rows, references = defaultdict(list), defaultdict(list)
    for record in sorted(fitting, key=lambda record: record.identity.seed):
        if is_reference(record):
            references[record.label.row, record.identity.spec].append(record)
        for number in _rows_of(record, variants):
            rows[number].append(record)
    return Selection(
        data=data_name(mine[0]) if mine else name,
        sizes=_sizes((fitting or mine)[0].data) if mine else "",
        classes=classes((fitting or mine)[0]) if mine else None,
        rows={number: tuple(runs) for number, runs in rows.items()},
        references={key: tuple(references[key]) for key in sorted(references)},
        notes=(*notes, *versions),
    )


def named(roadmap: Roadmap, chosen: Selection) -> dict[str, Record]:
    """Each run that was chosen, once, under a name that says what it is: `05-width-seed0`."""
    found: dict[str, Record] = {}
    for row in roadmap:
        name = f"{row.number}-{row.step}" if row.number[0].isdigit() else row.number
        for run in chosen.rows.get(row.number, ()):
            if run not in found.values():
                found[f"{_plain(name)}-seed{run.identity.seed}"] = run
    models = Counter(name for name, _ in chosen.references)
    for (name, spec), runs in chosen.references.items():
        settings = f"-{spec}" if models[name] > 1 else ""
        for run in runs:
            name = _plain(f"{run.label.row}{settings}-reference")
            found[f"{name}-seed{run.identity.seed}"] = run
    return found


def _plain(name: str) -> str:
    """A name that is a file's: timm's hub names have slashes."""
    return re.sub(r"[^\w.@+-]", "-", name)


def is_reference(record: Record) -> bool:
    """Whether a run is of a timm model, not of a row."""
    return record.label.row.startswith(REFERENCE)


def data_name(record: Record) -> str:
    """The name of the data set a run was trained on."""
    return str(record.data.get("name") or "unnamed")


def classes(record: Record) -> int:
    """How many classes a run's network tells apart; records leave the default 1000 out."""
    return record.spec["network"].get("classes", 1000)


def _sizes(data: Mapping[str, Any]) -> str:
    names = {"classes": "classes", "train": "training images", "val": "validation images"}
    return ", ".join(f"{data[key]:,} {name}" for key, name in names.items() if key in data)


def _numbered(roadmap: Roadmap, count: int) -> dict[str, Row]:
    return {row.number: row for row in roadmap.with_classes(count)}


def _roadmaps(records: Iterable[Record]) -> str:
    names = sorted({record.label.roadmap for record in records})
    return f"other roadmaps or studies: {', '.join(names)}"


def _distinct(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    found, repeated = {}, 0
    for record in records:
        repeated += record.identity.run in found
        found.setdefault(record.identity.run, record)
    note = f"left out: {_count(repeated)} of runs that are there already (same spec, data, seed)"
    return list(found.values()), [note] if repeated else []


def _data_set(records: Iterable[Record], asked: str | None, default: str | None) -> str | None:
    names = {data_name(record) for record in records}
    versions = {record.identity.data for record in records}
    if asked is not None:
        known = ", ".join(sorted(names))
        if names and asked not in names | versions:
            raise Problem(f"no runs on the data set {asked!r}; there are runs on: {known}")
        return asked
    if default in names or not names:
        return default
    if len(names) > 1:
        raise Problem(f"records of several data sets: {', '.join(sorted(names))}; ask for one")
    return names.pop()


def _rows_of(record: Record, variants: dict[int, dict[str, Row]]) -> list[str]:
    rows = variants[classes(record)].values()
    return [row.number for row in rows if row.spec.fingerprint == record.identity.spec]


def _misfit(record: Record, variants: dict[int, dict[str, Row]], recipe: str) -> str | None:
    """Why a record does not belong here, or None."""
    identity = record.identity
    if is_reference(record):
        return None if identity.recipe == recipe else "with another recipe than the last row's"
    if _rows_of(record, variants):
        return None
    row = variants[classes(record)].get(record.label.row)
    if row is None:
        return "of rows that this roadmap does not have"
    same = (("network", identity.network, row.spec.network),
            ("recipe", identity.recipe, row.spec.recipe))  # fmt: skip
    other = " and ".join(name for name, mine, its in same if mine != fingerprint(its))
    return f"with another {other or 'spec'} than this roadmap's"


def _left_out(records: Sequence[Record], reasons: Sequence[str | None]) -> list[str]:
    rows = defaultdict(Counter)
    for record, reason in zip(records, reasons, strict=True):
        if reason is not None:
            rows[reason][record.label.row] += 1
    return [
        f"left out: {_count(counts.total())} {reason}: "
        + ", ".join(f"{row} ({count})" for row, count in sorted(counts.items()))
        for reason, counts in sorted(rows.items())
    ]


def _one_version(records: list[Record]) -> tuple[list[Record], list[str]]:
    """The runs on the version of the data that most were trained on, of two equals the newer."""
    by_version = defaultdict(list)
    for record in records:
        by_version[record.identity.data].append(record)
    if len(by_version) < 2:
        return records, []
    newest = {
        version: (len(runs), max(run.provenance.finished for run in runs))
        for version, runs in by_version.items()
    }
    kept = max(newest, key=newest.get)
    notes = [
        f"left out: {_count(len(runs))} on another version of the data ({version}, not {kept})"
        for version, runs in sorted(by_version.items())
        if version != kept
    ]
    return by_version[kept], notes


def _count(number: int) -> str:
    return f"{number} record" if number == 1 else f"{number} records"
