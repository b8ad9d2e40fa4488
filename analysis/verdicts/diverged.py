"""Diverged runs: they have no accuracy, so a mean over the others says too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.measures import Measure
from analysis.selection import Selection
from analysis.tables.cells import signed
from analysis.verdicts.statistics import Sample
from analysis.verdicts.verdict import UNDECIDED, Verdict

OFTEN = f"{UNDECIDED}: runs diverged"


def diverged_runs(selection: Selection) -> dict[str, int]:
    """Return the number of diverged runs of each row that has some."""
    counts = {
        number: sum(run.status == "diverged" for run in runs)
        for number, runs in selection.rows.items()
    }
    return {number: count for number, count in counts.items() if count}


def count_diverged(
    verdict: Verdict,
    weights: Mapping[str, float],
    samples: Mapping[str, Sample],
    diverged: Mapping[str, int],
    measure: Measure,
) -> Verdict:
    """Return a verdict with its diverged runs, undecided if it favours the side with more of them.

    Sides are compared by the share of their runs that diverged. A verdict of no difference needs
    equal shares. If all runs of a variant diverged, the orders with it are not in the mean, and
    nothing is decided.
    """
    if not any(name in diverged for name in weights):
        return verdict
    added = [name for name, weight in weights.items() if weight > 0]
    subtracted = [name for name in weights if name not in added]
    more = _share(added, samples, diverged) - _share(subtracted, samples, diverged)
    favoured = {"better": more > 0, "worse": more < 0}.get(
        verdict.verdict, verdict.verdict.startswith("no difference") and more != 0
    )
    lost = any(name in diverged and name not in samples for name in weights)
    undecided = favoured or (lost and verdict.difference is not None)
    return replace(
        verdict,
        verdict=OFTEN if undecided else verdict.verdict,
        diverged=sum(diverged.get(name, 0) for name in added),
        diverged_before=sum(diverged.get(name, 0) for name in subtracted),
        worst=_worst(verdict, weights, samples, diverged, measure),
    )


def _share(
    names: Sequence[str], samples: Mapping[str, Sample], diverged: Mapping[str, int]
) -> float:
    lost = sum(diverged.get(name, 0) for name in names)
    return lost / ((lost + sum(samples[name].n for name in names if name in samples)) or 1)


def _worst(
    verdict: Verdict,
    weights: Mapping[str, float],
    samples: Mapping[str, Sample],
    diverged: Mapping[str, int],
    measure: Measure,
) -> float | None:
    """Return the difference with 0 % for each diverged run; None without such a bound."""
    if verdict.difference is None or not measure.is_percentage:
        return None
    total = 0.0
    for name, weight in weights.items():
        sample = samples.get(name)
        if sample is not None:
            total += weight * sample.mean * sample.n / (sample.n + diverged.get(name, 0))
        elif name not in diverged:
            return None  # it has no runs yet
    return total


def worst_cases(verdicts: Sequence[Verdict], measure: Measure) -> list[str]:
    """Say what steps with diverged runs add if each of these counts as 0 %."""
    steps = [
        f"{verdict.step} {signed(verdict.worst, measure.decimals)}"
        for verdict in verdicts
        if verdict.worst is not None
    ]
    return [f"with 0 % for each diverged run: {', '.join(steps)}"] if steps else []
