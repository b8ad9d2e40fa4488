"""Pair runs by seed: one difference per seed, for studies that declare it beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.measures import Measure
from analysis.verdicts.statistics import Sample
from roadmap.record import Record

BySeed = Mapping[str, Mapping[int, float]]  # a measure by variant and seed
PAIRS = "pairs"  # the name under which the differences of a contrast are one sample


def by_seed(runs: Mapping[str, Sequence[Record]], measure: Measure) -> BySeed:
    """Return the measure of each variant's runs by seed."""
    return {
        number: {run.identity.seed: measure.values([run])[0] for run in group}
        for number, group in runs.items()
    }


def paired_sample(values: BySeed, weights: Mapping[str, float]) -> Sample | None:
    """Return the sample of weighted sums, one for each seed that all variants have.

    None if they share no seed. Its error is that of a paired t test: what a seed does to all
    variants alike cancels out. Its freedom is the number of shared seeds minus 1.
    """
    seeds = sorted(set.intersection(*(set(values[name]) for name in weights)))
    sums = [sum(weight * values[name][seed] for name, weight in weights.items()) for seed in seeds]
    return Sample.of(sums) if sums else None
