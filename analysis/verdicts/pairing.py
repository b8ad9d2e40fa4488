"""Pair runs by seed: one difference per seed, for studies that declare it beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy

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
    seeds = _shared(values, weights)
    sums = [sum(weight * values[name][seed] for name, weight in weights.items()) for seed in seeds]
    return Sample.of(sums) if sums else None


def paired_rights(
    rights: Mapping[str, Sequence[numpy.ndarray]], values: BySeed, weights: Mapping[str, float]
) -> dict[str, list[numpy.ndarray]]:
    """Return the weighted sums of each image's results, one for each shared seed, under PAIRS.

    `rights` has the runs of each variant in the order of `values`. Empty if a variant lacks some,
    or if runs have different numbers of images.
    """
    if any(len(rights.get(name, ())) != len(values[name]) for name in weights):
        return {}
    if len({len(run) for name in weights for run in rights[name]}) != 1:
        return {}
    runs = {name: dict(zip(values[name], rights[name], strict=True)) for name in weights}
    return {
        PAIRS: [
            numpy.sum([weight * runs[name][seed] for name, weight in weights.items()], axis=0)
            for seed in _shared(values, weights)
        ]
    }


def _shared(values: BySeed, names: Iterable[str]) -> list[int]:
    return sorted(set.intersection(*(set(values[name]) for name in names)))
