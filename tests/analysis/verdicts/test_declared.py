"""Analyses that a study declares beforehand: pairs of seeds, moderated variances."""

from pathlib import Path

import numpy
import pytest
from scipy.stats import bartlett, ttest_rel

from analysis.measures import TOP1
from analysis.selection import select
from analysis.verdicts.moderation import evenness, moderate, prior
from analysis.verdicts.pairing import paired_sample
from analysis.verdicts.runs import measured_runs
from analysis.verdicts.runs import samples_of as samples_of_runs
from analysis.verdicts.statistics import Sample, difference, holm
from analysis.verdicts.study import judge_study
from roadmap.errors import Problem
from roadmap.record import read_records
from steps.studies.load import load_study

ROOT = Path(__file__).parents[3]
STEPS, WEIGHTS = 12, {"1": 1.0, "0": -1.0}


def rows(generator, runs, *, shared=0.0, uneven=0.0, gain=0.0):
    """Values of a path of rows by seed: (rows, runs). `shared` is the seeds' part of variance."""
    stds = numpy.exp(uneven * generator.normal(size=(STEPS + 1, 1)))
    seeds = generator.normal(size=(1, runs))
    own = generator.normal(size=(STEPS + 1, runs))
    means = numpy.arange(STEPS + 1)[:, None] * gain
    return means + stds * (shared**0.5 * seeds + (1 - shared) ** 0.5 * own)


def samples_of(values):
    return {str(row): Sample.of(list(each)) for row, each in enumerate(values)}


def write(folder, text):
    file = folder / "mine.yaml"
    file.write_text(f"design: path\nroadmap: tiny\nseeds: 5\n{text}")
    return file


def test_pairs_are_those_of_a_paired_t_test_of_common_seeds(tiny, invented, tmp_path):
    after = {0: 61.0, 1: 63.5, 2: 60.2, 3: 64.0}
    before = {0: 60.0, 1: 62.0, 2: 59.9, 4: 50.0}  # seeds 3 and 4 have no partner
    records = [
        invented.record(tiny, row, seed, top1)
        for row, values in (("09", before), ("10", after))
        for seed, top1 in values.items()
    ]
    judged = judge_study(load_study(write(tmp_path, "paired: true")), records)
    found = next(each for each in judged.verdicts if each.step == "fewer_activations")
    truth = ttest_rel([after[seed] for seed in range(3)], [before[seed] for seed in range(3)])
    assert found.n == 3 and found.difference == pytest.approx((1.0 + 1.5 + 0.3) / 3)
    assert found.p_alone == pytest.approx(truth.pvalue)
    assert "runs are paired by seed, as the study declares" in judged.notes
    alone = judge_study(load_study("path"), records)
    assert "paired" not in " ".join(alone.notes)


def test_without_a_common_seed_there_are_no_pairs(tiny, invented, tmp_path):
    records = [invented.record(tiny, "09", 0, 60.0), invented.record(tiny, "10", 1, 61.0)]
    judged = judge_study(load_study(write(tmp_path, "paired: true")), records)
    found = next(each for each in judged.verdicts if each.step == "fewer_activations")
    assert found.verdict == "lacks runs" and found.difference is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("paired: 1", 4, "paired"),
        ("variances: pooled", 4, "variances"),
        ("paired: true\nvariances: moderated", 4, "exclude each other; remove one"),
    ],
)
def test_what_cannot_be_declared_is_named_with_its_line(text, line, words, tmp_path):
    with pytest.raises(Problem, match=words) as found:
        load_study(write(tmp_path, text))
    assert f"mine.yaml:{line}:" in str(found.value)


def test_orders_cannot_be_paired(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("design: orders\nroadmap: tiny\npaired: true\n")
    with pytest.raises(Problem, match=r"mine.yaml:3: paired is for designs other than orders"):
        load_study(file)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("runs", [2, 3, 5])
def test_paired_intervals_cover_95_percent_however_much_seeds_share(shared, runs):
    generator, covered, studies = numpy.random.default_rng(5), 0, 3000
    for _ in range(studies):
        values = rows(generator, runs, shared=shared)[:2]
        by_seed = {str(row): dict(enumerate(each)) for row, each in enumerate(values)}
        sample = paired_sample(by_seed, WEIGHTS)
        low, high = difference({"p": sample}, {"p": 1.0}).interval()
        covered += low <= 0 <= high
    assert abs(covered / studies - 0.95) < 0.015, covered / studies


@pytest.mark.parametrize("truth", [(0.25, 4.0), (1.0, 20.0)])
def test_the_prior_of_variances_is_found_again(truth):
    """Variances s₀²·d₀/χ²(d₀), each estimated with 2 to 4 degrees of freedom."""
    scale, freedom = truth
    generator, rows_ = numpy.random.default_rng(3), 20_000
    free = generator.integers(2, 5, rows_)
    true = scale * freedom / generator.chisquare(freedom, rows_)
    variance, found = prior(list(true * generator.chisquare(free) / free), list(free))
    assert variance == pytest.approx(scale, rel=0.05)
    assert found == pytest.approx(freedom, rel=0.15)


def test_evenness_is_bartletts_test():
    generator = numpy.random.default_rng(4)
    values = [list(generator.normal(0, std, n)) for std, n in ((1, 3), (2, 5), (1, 4), (3, 3))]
    samples = {str(row): Sample.of(each) for row, each in enumerate(values)}
    assert evenness(samples) == pytest.approx(bartlett(*values).pvalue)


@pytest.mark.slow
def test_moderation_finds_what_three_runs_hide_and_errs_no_more():
    """Of twelve steps of 3.3 standard deviations each, Welch with three runs decides few."""
    generator, studies = numpy.random.default_rng(6), 300
    counts = {}
    for gain in (0.0, 3.3):
        for name in ("welch", "moderated"):
            wrong_or_right = 0
            for _ in range(studies):
                samples = samples_of(rows(generator, 3, gain=gain))
                if name == "moderated":
                    samples = moderate(samples).samples
                ps = holm([_step(samples, row).p for row in range(STEPS)], STEPS)
                below = sum(p < 0.05 for p in ps)
                wrong_or_right += below / STEPS if gain else below > 0
            counts[name, gain] = wrong_or_right / studies
    assert counts["welch", 3.3] < 0.35 and counts["moderated", 3.3] > 0.8, counts
    assert counts["moderated", 0.0] < 0.075, counts


def _step(samples, row):
    return difference(samples, {str(row + 1): 1.0, str(row): -1.0})


@pytest.mark.parametrize(
    ("study", "folder"), [("path", "tiny"), ("leave-one-out", "tiny-leave-one-out")]
)
def test_the_committed_results_are_too_uneven_to_be_moderated(study, folder):
    read = read_records(ROOT / "results" / folder)
    selection = select(load_study(study).roadmap, read.records)
    note = moderate(samples_of_runs(measured_runs(selection, TOP1), TOP1)).note
    assert "they are refused: the spreads of rows differ" in note


def test_moderation_is_refused_where_spreads_differ(tiny, invented, tmp_path):
    spreads = {"08": 5.0, "09": 0.1, "10": 5.0, "11": 0.1}
    records = [
        invented.record(tiny, row, seed, 60 + spread * shift)
        for row, spread in spreads.items()
        for seed, shift in enumerate((-1.0, 0.2, 0.9, -0.4, 0.3))
    ]
    study = load_study(write(tmp_path, "variances: moderated"))
    judged, alone = judge_study(study, records), judge_study(load_study("path"), records)
    assert judged.verdicts == alone.verdicts
    assert "they are refused: the spreads of rows differ (Bartlett" in " ".join(judged.notes)
    even = [
        invented.record(tiny, row, seed, 60 + shift)
        for row in spreads
        for seed, shift in enumerate((-1.0, 0.2, 0.9, -0.4, 0.3))
    ]
    judged = judge_study(study, even)
    assert "variances are moderated, as the study declares" in " ".join(judged.notes)
