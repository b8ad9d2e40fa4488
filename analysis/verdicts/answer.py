"""The answer for someone who has to choose: what helps, what probably helps, what would settle it.

The numbers are those of the verdicts; this module only puts them in words.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from analysis.precision import FEW, half_width
from analysis.selection import Selection
from analysis.tables.cells import signed
from analysis.verdicts.runs import MOST_SEEDS
from analysis.verdicts.verdict import UNDECIDED, Judged, Verdict
from steps.studies.study import Study

PROBABLE = 0.9  # probability from which a step is called probably better, or probably worse
LISTED = 4  # undecided steps that get a sentence of their own
FIRST_SEEDS = 3  # for a first verdict
MORE = "more than 1,000"
# An interaction of two steps is neither better nor worse.
TOGETHER = {"better": "worth more together", "worse": "worth less together"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A sentence or two, and the command that would tell more; empty if there is none."""

    text: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.text}: {self.command}" if self.command else f"{self.text}."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What commands need: the study as the command line names it, and options for the same runs.

    `study` is empty for the path; it is None if no command can name the study. With `can_run`
    False, the records have no run folders, so that no command adds to them.
    """

    study: str | None = ""
    given: tuple[str, ...] = ()
    can_run: bool = True

    def command(self, *words: str) -> str:
        """Return `roadmap run …` for this study; empty if there is no such command."""
        if not self.can_run or self.study is None:
            return ""
        study = self.study or ("" if "--rows" in words else "path")  # with side branches
        return shlex.join(["roadmap", "run", *filter(None, [study]), *words, *self.given])


def answers(
    judged: Judged, study: Study, selection: Selection, asked: Asked | None = None
) -> tuple[Answer, ...]:
    """Return the answer to a study in sentences, the decided steps first."""
    asked = asked or Asked()
    return (
        *_decided(judged),
        *_tendencies(judged, study, selection, asked),
        *_unspread(judged, study, selection, asked),
        *_lacking(judged, asked),
        *_few_images(judged, selection),
    )


def _decided(judged: Judged) -> Iterator[Answer]:
    groups: dict[str, list[Verdict]] = {}
    for verdict in judged.verdicts:
        word = verdict.verdict
        if "×" in verdict.step:
            word = TOGETHER.get(word, word)
        groups.setdefault(word, []).append(verdict)
    unit = f" {judged.measure.difference}" if judged.measure.difference else ""
    for word in ("better", *TOGETHER.values(), "worse"):
        if group := groups.get(word):
            shown = _listed(group, judged)
            yield Answer(text=f"{_capital(word)}{unit and f' (in{unit})'}: {shown}")
    for word, group in groups.items():
        if word.startswith("no difference"):
            margin = unit.removesuffix("s") if judged.margin == 1 else unit
            yield Answer(text=f"{_capital(word)}{margin}: {_listed(group, judged)}")


def _listed(group: Sequence[Verdict], judged: Judged) -> str:
    ranked = sorted(group, key=lambda verdict: -abs(verdict.difference or 0.0))
    return ", ".join(
        f"{verdict.title} {signed(verdict.difference, judged.measure.decimals)}"
        for verdict in ranked
    )


def _tendencies(
    judged: Judged, study: Study, selection: Selection, asked: Asked
) -> Iterator[Answer]:
    """Say which undecided steps lean to one side, those that need the fewest runs first."""
    open_ones = [one for one in judged.verdicts if one.verdict == UNDECIDED and one.p is not None]
    leaning = [one for one in open_ones if one.better is not None and _certainty(one) >= PROBABLE]
    leaning.sort(key=lambda one: (one.needed or 10_000, -_certainty(one)))
    for verdict in leaning[:LISTED]:
        word = "better" if (verdict.better or 0) > 0.5 else "worse"
        number = signed(verdict.difference, judged.measure.decimals)
        text = f"{verdict.title}: probably {word} ({_per_cent(_certainty(verdict))}; {number})"
        yield _settled(text, verdict, study, selection, asked)
    if others := leaning[LISTED:]:
        yield Answer(text=f"Also leaning to one side, undecided: {_listed(others, judged)}")
    if rest := [one.title for one in open_ones if one not in leaning]:
        command = "" if leaning or study.design == "orders" else asked.command("--until-decided")
        text = f"These runs cannot tell: {', '.join(rest)}"
        if command:
            text = f"{text}. Seeds are added while a verdict is open, up to {MOST_SEEDS}, by"
        yield Answer(text=text, command=command)


def _settled(
    text: str, verdict: Verdict, study: Study, selection: Selection, asked: Asked
) -> Answer:
    """Add how many more runs would settle a verdict, how long they take, and the command."""
    if study.design == "orders":
        return Answer(text=f"{text}. More orders would tell more, not more seeds")
    if verdict.needed is None:
        return Answer(text=f"{text}. {_capital(MORE)} runs of each would be needed to settle it")
    more = max(verdict.needed - verdict.n, 1)
    fewest = max((verdict.needed_low or verdict.needed) - verdict.n, 1)
    most = MORE if verdict.needed_high is None else str(max(verdict.needed_high - verdict.n, 1))
    between = "" if str(fewest) == most else f" ({fewest} to {most})"
    rows = _rows(verdict, study)
    runs = f"{more} more run{'s' * (more > 1)} of each{between}"
    time = _duration(rows, more, selection)
    command = asked.command("--rows", ",".join(rows), "--seeds", str(verdict.n + more))
    return Answer(text=f"{text}. {runs}{time}, would probably settle it", command=command)


def _unspread(judged: Judged, study: Study, selection: Selection, asked: Asked) -> Iterator[Answer]:
    """Say that one run of each is no evidence."""
    single = [one for one in judged.verdicts if one.n and one.p is None and one.low is None]
    single = [one for one in single if one.verdict.startswith(UNDECIDED)]
    if not single:
        return
    rows = list(dict.fromkeys(row for one in single for row in _rows(one, study)))
    more = max(FIRST_SEEDS - min(one.n for one in single), 1)
    what = "All differences" if len(single) == len(judged.verdicts) else _listed(single, judged)
    time = _duration(rows, more, selection)
    yield Answer(
        text=f"{what}: one run of each is no evidence. {more} more run{'s' * (more > 1)} of "
        f"each{time}, would give a first verdict",
        command=asked.command(*_only(rows, study), "--seeds", str(FIRST_SEEDS)),
    )


def _lacking(judged: Judged, asked: Asked) -> Iterator[Answer]:
    missing = [one.title for one in judged.verdicts if one.verdict == "lacks runs"]
    diverged = [one.title for one in judged.verdicts if one.verdict.endswith("runs diverged")]
    if diverged:
        yield Answer(text=f"Not judged, because runs diverged: {', '.join(diverged)}")
    if missing:
        yield Answer(text=f"Without runs: {', '.join(missing)}", command=asked.command())


def _few_images(judged: Judged, selection: Selection) -> Iterator[Answer]:
    """Say what few validation images mean for every number."""
    data = next((run.data for run in selection.runs), None)
    numbers = [run.top1 for run in selection.runs if run.top1 is not None]
    if data is None or not judged.measure.of_images or data["val"] >= FEW or not numbers:
        return
    half = half_width(median(numbers), data["val"])
    yield Answer(
        text=f"Only {data['val']:,} validation images: one network's accuracy is known to "
        f"±{half:.0f} points, and chance is {100 / data['classes']:.0f} %. One run is no evidence"
    )


def _only(rows: Sequence[str], study: Study) -> list[str]:
    """Return the option that names the rows, unless they are all rows of the study."""
    everything = {number for one in study.contrasts for number in one.weights}
    return [] if set(rows) == everything else ["--rows", ",".join(sorted(rows))]


def _rows(verdict: Verdict, study: Study) -> list[str]:
    contrasts = [contrast for contrast in study.contrasts if contrast.step == verdict.step]
    return sorted({number for contrast in contrasts for number in contrast.weights})


def _duration(rows: Sequence[str], more: int, selection: Selection) -> str:
    """Return how long so many more runs of each row take, from their own recorded runs."""
    walls = [[run.wall_seconds for run in selection.rows.get(row, ())] for row in rows]
    if not walls or not all(walls):
        return ""
    seconds = more * sum(map(median, walls))
    return f", about {in_words(seconds)} one after the other"


def in_words(seconds: float) -> str:
    """Return a duration with its unit: `12 min`, `3 h`, `4 days`."""
    if seconds < 5400:
        return f"{max(ceil(seconds / 60), 1)} min"
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


def _certainty(verdict: Verdict) -> float:
    better = 0.5 if verdict.better is None else verdict.better
    return max(better, 1 - better)


def _per_cent(share: float) -> str:
    return "over 99 %" if share >= 0.995 else f"{100 * share:.0f} %"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
