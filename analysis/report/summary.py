"""The report's first words: what the runs say, and what to run next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analysis.report.contents import Contents
from analysis.tables.cells import accuracy, signed
from analysis.tables.table import TableRow
from analysis.verdicts.verdict import UNDECIDED, Judged, Verdict

# An interaction is neither better nor worse.
SIGNS = {"better": "worth more together", "worse": "worth less together"}


def summary(contents: Contents) -> list[str]:
    """What the runs say, in sentences."""
    subject = contents.subject
    if contents.has_runs:
        path = "On the path, each row against the row it starts from"
        found = [*_rows(contents), *_verdicts(subject.judged, path)]
    else:
        found = [*_nothing(contents)]
    for each in contents.studies:
        told = [*_verdicts(each.judged, f"In the study {each.study.name}")]
        found += told or [f"The study {each.study.name} has no verdicts yet: it lacks runs."]
    return found


def _nothing(contents: Contents) -> Iterator[str]:
    """What there is to say without a finished run, and why there is none where records are."""
    table = contents.subject.table
    where = f" on {table.data}" if table.data else ""
    yield (
        f"There are no finished runs of this roadmap{where} yet. What can be said without: "
        "what every row is, and what it costs, exactly."
    )
    yield from _diverged(table.rows)
    yield from (f"{note[0].upper()}{note[1:]}." for note in table.notes if "left out" in note)
    if contents.subject.roadmap.paper:
        yield "The paper's own numbers stand in their place."


def _diverged(rows: Sequence[TableRow]) -> Iterator[str]:
    named = ", ".join(f"{row.row} ({row.diverged})" for row in rows if row.diverged)
    if named:
        yield f"Runs that diverged, by row: {named}; they are never averaged."


def _rows(contents: Contents) -> Iterator[str]:
    rows = [row for row in contents.subject.table.rows if row.group != "reference"]
    path = [row for row in rows if not row.branch]
    first, last = path[0], path[-1]
    decimals = contents.subject.table.decimals
    if first is not last and first.top1 is not None and last.top1 is not None:
        yield (
            f"From row {first.row}, {first.title}, to row {last.row}, {last.title}, top-1 accuracy "
            f"on {contents.subject.table.data} goes from {_percent(first, decimals)} to "
            f"{_percent(last, decimals)}: {signed(last.top1 - first.top1, decimals)} points."
        )
    known = [row for row in rows if row.top1 is not None]
    best = max(known, key=lambda row: row.top1)
    alone = sum(row.top1 == best.top1 for row in known) == 1 < len(known)
    if alone and best is not last:
        yield (
            f"The highest mean is that of row {best.row}, {best.title}: {_percent(best, decimals)}."
        )
    missing = [row.row for row in rows if not row.n]
    if missing:
        yield f"Rows without a finished run: {', '.join(missing)}."
    yield from _diverged(rows)


def _percent(row: TableRow, decimals: int) -> str:
    runs = f"{row.n} run{'s' * (row.n > 1)}"
    return f"{accuracy(row.top1, row.std, decimals=decimals)} % ({runs})"


def _verdicts(judged: Judged, where: str) -> Iterator[str]:
    """How many questions are decided, and how."""
    by_word: dict[str, list[Verdict]] = {}
    for each in judged.verdicts:
        word = each.verdict.partition(":")[0]
        if "×" in each.step and word in SIGNS:
            word = SIGNS[word]
        by_word.setdefault(word, []).append(each)
    lacking = len(by_word.pop("lacks runs", ())) + len(by_word.pop("changes nothing here", ()))
    asked = sum(map(len, by_word.values()))
    if not asked:
        return
    undecided = len(by_word.pop(UNDECIDED, ()))
    parts = [f"{word}: {_listed(found)}" for word, found in sorted(by_word.items())]
    text = f"{where}, {asked - undecided} of {asked} questions are decided"
    text += f" – {'; '.join(parts)}." if parts else "."
    if undecided:
        text += f" {undecided} {'is' if undecided == 1 else 'are'} undecided."
    if lacking:
        text += f" {lacking} more lack{'s' * (lacking == 1)} runs or change"
        text += f"{'s' * (lacking == 1)} nothing."
    yield text
    for each in judged.agreements:
        interval = (
            "" if each.low is None else f" (95 % interval {signed(each.low, 2)} to "
            f"{signed(each.high, 2)})"
        )  # fmt: skip
        yield (
            f"Agreement with the paper, {each.of}: rank correlation {signed(each.correlation, 2)}"
            f"{interval} over {each.pairs} pairs."
        )


def _listed(found: Sequence[Verdict]) -> str:
    found = sorted(found, key=lambda each: -abs(each.difference or 0.0))
    return ", ".join(f"{each.step} ({signed(each.difference, 1)})" for each in found)


def next_commands(contents: Contents) -> list[tuple[str, str]]:
    """Commands that would tell more, each with what it does, the first first."""
    if not contents.goes_on:
        return []
    given = contents.given
    if contents.subject.roadmap.data is None and "--data" not in given:
        given += " --data DATA"
    rows = [row for row in contents.subject.table.rows if row.group != "reference"]
    missing = [row.row for row in rows if not row.n and not row.branch and not row.diverged]
    found = []
    if not contents.has_runs and missing:
        found.append((f"roadmap plan path{given}", "how many runs, MACs and hours it would take"))
        found.append((f"roadmap run{given}", "train every row once"))
    elif missing:
        listed = ",".join(missing)
        found.append((f"roadmap run --rows {listed}{given}", "train the rows that have no run"))
    if any(row.n == 1 for row in rows):
        found.append((f"roadmap run path --seeds 3{given}", "three seeds a row: without a second "
                      "there is no spread and no verdict"))  # fmt: skip
    elif contents.has_runs and any(_is_open(each) for each in contents.subject.judged.verdicts):
        found.append((f"roadmap run path --until-decided{given}", "seeds where verdicts are open"))
    if contents.has_runs and not contents.studies:
        found.append((f"roadmap run leave-one-out{given}", "what each step is worth at the end"))
    return found


def _is_open(verdict: Verdict) -> bool:
    return verdict.verdict.startswith(UNDECIDED)
