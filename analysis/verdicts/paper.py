"""Judge the paper's own table, from its printed numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.verdicts.judge import judge, verdict_words
from analysis.verdicts.statistics import Estimate, Sample, difference, holm
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.paper import RECIPE, paper_rows
from steps.studies.contrast import Contrast
from steps.studies.study import Study

IMAGES = 0.25  # assumed half-width of a difference over other validation images, in points
HALF_A_DIGIT = 0.005  # of the paper's printed numbers


def judge_paper(study: Study, table: str) -> Judged:
    """Return the verdicts of the paper's printed means and standard deviations."""
    samples = paper_samples(table)
    verdicts = judge(study.contrasts, samples, study.margin)
    has_spread = any(sample.std is not None for sample in samples.values())
    printed_as = "means and standard deviations" if has_spread else "means of one run each"
    notes = [f"given the 50,000 validation images; {_other_images(study, samples, verdicts)}"]
    notes += [f"from printed {printed_as}, rounded to two decimals"]
    if unsure := _sensitive_to_rounding(study.contrasts, samples, study.margin):
        notes.append(f"may change with the digits that rounding lost: {', '.join(unsure)}")
    return Judged(
        name=f"paper-{table}",
        title=f"the paper: {study.roadmap.title}",
        data="ImageNet-1K",
        margin=study.margin,
        asks=study.asks,
        verdicts=verdicts,
        recipe=RECIPE,
        numbers=study.numbers,
        notes=tuple(notes),
    )


def _other_images(study: Study, samples: Mapping[str, Sample], verdicts: Sequence[Verdict]) -> str:
    """Say which verdicts change if other images add ±0.25 points to every interval."""
    images = Estimate(value=0.0, error=IMAGES / 1.96, freedom=49_999)
    estimates = [difference(samples, contrast.weights).plus(images) for contrast in study.contrasts]
    ps = holm([estimate.p for estimate in estimates], len(estimates))
    changed = [
        verdict.step
        for verdict, estimate, p in zip(verdicts, estimates, ps, strict=True)
        if verdict.p is not None
        and verdict_words(estimate, p, study.margin, looks=1) != verdict.verdict
    ]
    what = f"would change {', '.join(changed)}" if changed else "would change no verdict"
    return f"±{IMAGES:g} points for other images {what}"


def _sensitive_to_rounding(
    contrasts: Sequence[Contrast], samples: Mapping[str, Sample], margin: float
) -> list[str]:
    """Return the steps whose verdict differs between the two ends of the rounding."""
    ends = []
    for clearer in (HALF_A_DIGIT, -HALF_A_DIGIT):
        estimates = [_shifted(samples, contrast.weights, clearer) for contrast in contrasts]
        ps = holm([estimate.p for estimate in estimates], len(contrasts))
        ends.append(
            [
                verdict_words(estimate, p, margin, looks=1)
                for estimate, p in zip(estimates, ps, strict=True)
            ]
        )
    rows = zip(contrasts, *ends, strict=True)
    return [contrast.step for contrast, clearest, vaguest in rows if clearest != vaguest]


def _shifted(samples: Mapping[str, Sample], weights: Mapping[str, float], by: float) -> Estimate:
    """Return the difference with every mean `by` points clearer, every spread as much smaller."""
    sign = 1 if difference(samples, weights).value > 0 else -1
    moved = {}
    for name, weight in weights.items():
        sample = samples[name]
        mean = sample.mean + (by * sign if weight > 0 else -by * sign)
        std = None if sample.std is None else max(0.0, sample.std - by)
        moved[name] = replace(sample, mean=mean, std=std)
    return difference(moved, weights)


def paper_samples(table: str) -> dict[str, Sample]:
    """Return the printed mean, std and n of each row of one of the paper's tables."""
    return {
        number: Sample(mean=row.top1, std=row.std, n=row.n)
        for number, row in paper_rows(table).items()
    }
