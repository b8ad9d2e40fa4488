"""Judge the paper's own table, from its printed numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from analysis.verdicts.judge import judge, verdict_words
from analysis.verdicts.statistics import Estimate, Sample, difference, holm
from analysis.verdicts.verdict import Judged, Verdict
from roadmap.paper import Paper
from steps.studies.contrast import Contrast
from steps.studies.study import Study

IMAGES = 0.25  # assumed half-width of a difference over other validation images, in points
DECIMALS = {1: "one decimal", 2: "two decimals"}  # of printed accuracies


def judge_paper(study: Study, paper: Paper) -> Judged:
    """Return the verdicts of a paper's printed means and standard deviations."""
    samples = paper_samples(paper)
    verdicts = judge(study.contrasts, samples, study.margin)
    known = [each for each in study.contrasts if all(name in samples for name in each.weights)]
    printed_as = "means and standard deviations" if paper.has_spread else "means of one run each"
    notes = [
        f"given the 50,000 validation images; {_other_images(known, samples, verdicts, study)}"
    ]
    notes += [f"from printed {printed_as}, rounded to {DECIMALS[paper.decimals]}"]
    if not paper.has_spread:
        notes.append("one run per row: without a spread between runs, n = 1 decides no step")
    if unsure := _sensitive_to_rounding(known, samples, study.margin, paper.decimals):
        notes.append(f"may change with the digits that rounding lost: {', '.join(unsure)}")
    return Judged(
        name=f"paper-{paper.name}",
        title=f"the paper: {study.roadmap.title}",
        data=paper.data,
        margin=study.margin,
        asks=study.asks,
        verdicts=verdicts,
        recipe=paper.recipe,
        numbers=study.numbers,
        notes=tuple(notes),
    )


def _other_images(
    contrasts: Sequence[Contrast],
    samples: Mapping[str, Sample],
    verdicts: Sequence[Verdict],
    study: Study,
) -> str:
    """Say which verdicts change if other images add ±0.25 points to every interval."""
    images = Estimate(value=0.0, error=IMAGES / 1.96, freedom=49_999)
    estimates = [difference(samples, contrast.weights).plus(images) for contrast in contrasts]
    ps = holm([estimate.p for estimate in estimates], len(estimates))
    steps = {contrast.step for contrast in contrasts}
    judged = [verdict for verdict in verdicts if verdict.step in steps]
    changed = [
        verdict.step
        for verdict, estimate, p in zip(judged, estimates, ps, strict=True)
        if verdict.p is not None
        and verdict_words(estimate, p, study.margin, looks=1) != verdict.verdict
    ]
    what = f"would change {', '.join(changed)}" if changed else "would change no verdict"
    return f"±{IMAGES:g} points for other images {what}"


def _sensitive_to_rounding(
    contrasts: Sequence[Contrast], samples: Mapping[str, Sample], margin: float, decimals: int
) -> list[str]:
    """Return the steps whose verdict differs between the two ends of the rounding."""
    ends = []
    for clearer in (0.5 / 10**decimals, -0.5 / 10**decimals):
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


def paper_samples(paper: Paper) -> dict[str, Sample]:
    """Return the printed mean, std and n of each row of a paper's table that has a mean."""
    return {
        number: Sample(mean=row.top1, std=row.std, n=row.n)
        for number, row in paper.rows.items()
        if row.top1 is not None
    }
