"""Which records belong to which row of a roadmap. What is left out is counted and named.

A record belongs to every row that has its spec, except for the number of classes, which the data
decide. Records of different provenance are never averaged without a note.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.choosing import choose
from roadmap.errors import Problem
from roadmap.record import Record
from roadmap.rows import Roadmap, Row
from roadmap.spec import fingerprint
from roadmap.text import counted
from roadmap.unfinished import Unfinished

REFERENCE = "timm:"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Runs on one data set, by row number and by (`timm:` name, spec), and notes on the others.

    `roadmap` has the number of classes of the data. `sizes` says in words how large the data set
    is, and is empty if there are no runs. If the roadmap has a choice, `rows` are the runs at the
    `chosen` value (`05@0.004` for row 05), and `candidates` those at all values. `unfinished` are
    runs without a record yet, by row number.
    """

    roadmap: Roadmap
    data: str | None
    sizes: str
    rows: dict[str, tuple[Record, ...]]
    references: dict[tuple[str, str], tuple[Record, ...]]
    notes: tuple[str, ...]
    candidates: dict[str, tuple[Record, ...]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    unfinished: dict[str, tuple[Unfinished, ...]] = field(default_factory=dict)

    @property
    def runs(self) -> list[Record]:
        """All runs; a run is repeated for each row that has its spec."""
        groups = (*self.rows.values(), *self.references.values())
        return [run for runs in groups for run in runs]


@dataclass(frozen=True)
class _Variants:
    """A roadmap for each number of classes in the records, and its row numbers by spec.

    `starts` are the fingerprints of the weights that its rows start from; None is random ones.
    """

    roadmaps: dict[int, Roadmap]
    rows: dict[int, dict[str, Row]]
    numbers: dict[str, list[str]]
    starts: set[str | None]

    @classmethod
    def of(cls, roadmap: Roadmap, records: Iterable[Record]) -> _Variants:
        roadmaps = {count: roadmap.with_classes(count) for count in set(map(classes, records))}
        numbers: dict[str, list[str]] = defaultdict(list)
        rows: dict[int, dict[str, Row]] = {}
        for count, variant in roadmaps.items():
            candidates = [one for row in variant for one in variant.candidates(row)]
            rows[count] = {candidate.number: candidate for candidate in candidates}
            for candidate in candidates:
                numbers[candidate.spec.fingerprint].append(candidate.number)
        starts = {row.spec.weights for row in roadmap}
        return cls(roadmaps, rows, dict(numbers), starts)

    def numbers_of(self, record: Record) -> list[str]:
        """Return the rows that have a record's spec."""
        return self.numbers.get(record.identity.spec, [])


def select(
    roadmap: Roadmap,
    runs: Selection | Sequence[Record],
    data: str | None = None,
    *,
    unfinished: Sequence[Unfinished] = (),
) -> Selection:
    """Sort records under the rows of a roadmap; `data` is a data set's name or fingerprint.

    A Selection is returned as it is. Raises Problem if there are records of several data sets and
    `data` names none.
    """
    if isinstance(runs, Selection):
        return runs
    recipe = fingerprint(roadmap.rows[-1].spec.recipe)
    variants = _Variants.of(roadmap, runs)
    candidates, notes = _distinct(
        record
        for record in runs
        if record.label.roadmap == roadmap.name
        or variants.numbers_of(record)
        or (is_reference(record) and record.identity.recipe == recipe)
    )
    if runs and not candidates:
        notes.append(f"left out: {_count(len(runs))} of {_roadmaps(runs, roadmap)}")
    own = own_data(roadmap.data, {data_name(record) for record in candidates})
    name = _data_set(candidates, data, own)
    if data is None and name is not None and own not in (name, None):
        notes.append(f"{name!r} is the only data set with runs; the roadmap's is {roadmap.data!r}")
    mine, others = [], Counter[str]()
    for record in candidates:
        if name in (data_name(record), record.identity.data):
            mine.append(record)
        else:
            others[data_name(record)] += 1
    notes += [f"left out: {_count(n)} on data set {other!r}" for other, n in sorted(others.items())]

    reasons = [_misfit(record, variants, recipe) for record in mine]
    fitting = [record for record, reason in zip(mine, reasons, strict=True) if reason is None]
    notes += _left_out(mine, reasons)
    fitting, versions = _one_version(fitting)

    rows, references = defaultdict(list), defaultdict(list)
    for record in sorted(fitting, key=lambda record: record.identity.seed):
        if is_reference(record):
            references[record.label.row, record.identity.spec].append(record)
        for number in variants.numbers_of(record):
            rows[number].append(record)
    example = next(iter(fitting or mine), None)
    fitted = variants.roadmaps[classes(fitting[0])] if fitting else roadmap
    name = data_name(mine[0]) if mine else name
    if unfinished and not fitting:
        fitted = fitted.with_classes(unfinished[0].begun.classes)
    chosen = choose(fitted, rows)
    return Selection(
        roadmap=chosen.roadmap,
        data=name,
        sizes=_sizes(example.data) if example else "",
        rows=chosen.rows,
        references={key: tuple(references[key]) for key in sorted(references)},
        notes=(*notes, *versions, *chosen.notes),
        candidates={key: tuple(rows[key]) for key in rows} if roadmap.choose else {},
        chosen=chosen.numbers,
        unfinished=_unfinished(chosen.roadmap, unfinished, name, data),
    )


def _unfinished(
    roadmap: Roadmap, runs: Sequence[Unfinished], name: str | None, data: str | None
) -> dict[str, tuple[Unfinished, ...]]:
    """Sort unfinished runs on the data set `name` under the rows that have their spec."""
    rows: dict[str, list[Unfinished]] = {}
    for run in runs:
        known = (run.begun.data, run.begun.identity.data)
        if name is not None and name not in known and data not in known:
            continue
        for row in roadmap:
            if row.spec.fingerprint == run.begun.identity.spec:
                rows.setdefault(row.number, []).append(run)
    return {number: tuple(found) for number, found in rows.items()}


def source_of(roadmap: Roadmap, selection: Selection) -> str:
    """Return the number of runs and their fingerprint, which changes with any digit of a record."""
    contents = sorted(record.fingerprint for record in named(roadmap, selection).values())
    return f"{len(contents)} runs {fingerprint(contents)}"


def named(roadmap: Roadmap, selection: Selection) -> dict[str, Record]:
    """Return each selected run once, under a name that tells what it is: `05-width-seed0`."""
    names: dict[str, Record] = {}
    seen: set[str] = set()
    groups = selection.candidates or selection.rows
    for row in (one for own in roadmap for one in roadmap.candidates(own)):
        name = f"{row.number}-{row.step}" if row.number[0].isdigit() else row.number
        for run in groups.get(row.number, ()):
            if run.identity.run not in seen:
                seen.add(run.identity.run)
                names[f"{_plain(name)}-seed{run.identity.seed}"] = run
    models = Counter(name for name, _ in selection.references)
    for (name, spec), runs in selection.references.items():
        settings = f"-{spec}" if models[name] > 1 else ""
        for run in runs:
            name = _plain(f"{run.label.row}{settings}-reference")
            names[f"{name}-seed{run.identity.seed}"] = run
    return names


def _plain(name: str) -> str:
    """Make a name usable as a file name; timm's hub names have slashes."""
    return re.sub(r"[^\w.@+-]", "-", name)


def is_reference(record: Record) -> bool:
    """Tell whether a run is of a timm model, not of a row."""
    return record.label.row.startswith(REFERENCE)


def data_name(record: Record) -> str:
    """Return the name of the data set that a run was trained on."""
    return str(record.data.get("name") or "unnamed")


def classes(record: Record) -> int:
    """Return the number of classes of a run's network; records leave out the default 1000."""
    return record.spec["network"].get("classes", 1000)


def _sizes(data: Mapping[str, Any]) -> str:
    names = {"classes": "class", "train": "training image", "val": "validation image"}
    return ", ".join(counted(data[key], name) for key, name in names.items() if key in data)


def _roadmaps(records: Iterable[Record], roadmap: Roadmap) -> str:
    """Name the roadmaps of records; with their task if `roadmap` has another one."""
    own = roadmap.rows[-1].spec.recipe.task_name
    names = {
        record.label.roadmap + (f" (--task {record.task})" if record.task != own else "")
        for record in records
    }
    return f"other roadmaps or studies: {', '.join(sorted(names))}"


def _distinct(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    by_run: dict[str, Record] = {}
    repeated = 0
    for record in records:
        run = record.identity.run
        repeated += run in by_run
        by_run.setdefault(run, record)
    note = f"left out: {_count(repeated)} of runs that are there already (same spec, data, seed)"
    return list(by_run.values()), [note] if repeated else []


def own_data(data: str | None, names: set[str]) -> str | None:
    """Return the roadmap's data set as records name it: a folder or tar by its last name."""
    if data is None or data in names or not os.path.exists(data):  # Path.exists raises for some
        return data
    return Path(data).resolve().name.removesuffix(".tar")


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


def _misfit(record: Record, variants: _Variants, recipe: str) -> str | None:
    """Say why a record does not belong here; None if it does."""
    identity = record.identity
    if is_reference(record):
        if record.spec.get("weights") not in variants.starts:
            return _other_start(record)
        return None if identity.recipe == recipe else "with another recipe than the last row's"
    if variants.numbers_of(record):
        return None
    row = variants.rows[classes(record)].get(record.label.row)
    if row is None:
        return "of rows that this roadmap does not have"
    same = (
        ("network", identity.network, row.spec.network),
        ("recipe", identity.recipe, row.spec.recipe),
    )
    if record.spec.get("weights") != row.spec.weights:
        return _other_start(record)
    other = " and ".join(name for name, mine, its in same if mine != fingerprint(its))
    return f"with another {other or 'spec'} than this roadmap's"


def _other_start(record: Record) -> str:
    """Say that a run started from other weights than the roadmap that is asked for."""
    if record.weights is None:
        return "trained from random weights (leave out --weights to see them)"
    start = record.weights
    return f"started from weights {start.source} ({start.fingerprint}); --weights shows them"


def _left_out(records: Sequence[Record], reasons: Sequence[str | None]) -> list[str]:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for record, reason in zip(records, reasons, strict=True):
        if reason is not None:
            rows[reason][record.label.row] += 1
    return [
        f"left out: {_count(counts.total())} {reason}: "
        + ", ".join(f"{row} ({count})" for row, count in sorted(counts.items()))
        for reason, counts in sorted(rows.items())
    ]


def _one_version(records: list[Record]) -> tuple[list[Record], list[str]]:
    """Keep the version of the data that most runs were trained on; of two equals, the newer."""
    by_version = defaultdict(list)
    for record in records:
        by_version[record.identity.data].append(record)
    if len(by_version) < 2:
        return records, []
    newest = {
        version: (len(runs), max(run.provenance.finished for run in runs))
        for version, runs in by_version.items()
    }
    kept = max(newest, key=lambda version: newest[version])
    notes = [
        f"left out: {_count(len(runs))} on another version of the data ({version}, not {kept})"
        for version, runs in sorted(by_version.items())
        if version != kept
    ]
    return by_version[kept], notes


def _count(number: int) -> str:
    return counted(number, "record")
