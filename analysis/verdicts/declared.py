"""The analysis that a study declares before its runs: pairs of seeds, moderated variances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.measures import Measure
from analysis.verdicts.moderation import moderate
from analysis.verdicts.pairing import BySeed, by_seed
from analysis.verdicts.runs import samples_of
from analysis.verdicts.statistics import Sample
from roadmap.record import Record
from steps.studies.study import Study


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The samples that a study is judged by, its pairs if it has some, and notes on both."""

    samples: Mapping[str, Sample]
    pairs: BySeed | None = None
    notes: tuple[str, ...] = ()


def as_declared(study: Study, runs: Mapping[str, Sequence[Record]], measure: Measure) -> Declared:
    """Return the samples of runs as the study declares that they are judged."""
    samples = samples_of(runs, measure)
    if study.paired:
        note = "runs are paired by seed, as the study declares"
        return Declared(samples=samples, pairs=by_seed(runs, measure), notes=(note,))
    if study.variances == "moderated":
        moderated = moderate(samples)
        return Declared(samples=moderated.samples, notes=(moderated.note,))
    return Declared(samples=samples)
