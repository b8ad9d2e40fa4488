"""Analyses that a study declares beforehand: pairs of seeds, moderated variances."""

from pathlib import Path

import numpy
import pytest
from scipy.stats import bartlett, ttest_rel

from analysis.measures import TOP1
from analysis.selection import select
from analysis.verdicts.judge import judge
from analysis.verdicts.moderation import evenness, moderate, prior
from analysis.verdicts.more_seeds import next_runs
from analysis.verdicts.pairing import paired_rights, paired_sample
from analysis.verdicts.runs import measured_runs
from analysis.verdicts.runs import samples_of as samples_of_runs
from analysis.verdicts.statistics import Sample, difference, holm
from analysis.verdicts.study import judge_study
from roadmap.errors import Problem
from roadmap.record import read_records
from steps.studies.contrast import Contrast
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


@pytest.mark.slow
def test_paired_intervals_over_images_count_the_noise_of_pairs():
    """Seeds move each image alike in both rows, so little of it is in their difference."""
    generator, covered, studies, images, runs = numpy.random.default_rng(15), 0, 400, 1000, 5
    contrast = Contrast(step="s", title="", group="", parts=(WEIGHTS,))
    for _ in range(studies):
        difficulty = generator.normal(0.8, 1.0, images)
        shared = generator.normal(size=(runs, images))
        rights = {}
        for row in "01":
            taste = difficulty + 0.4 * generator.normal(size=images)
            own = generator.normal(size=(runs, images))
            rights[row] = list((taste + 0.95 * shared + 0.3 * own > 0).astype(float))
        values = {row: [100 * run.mean() for run in group] for row, group in rights.items()}
        samples = {row: Sample.of(tops) for row, tops in values.items()}
        pairs = {row: dict(enumerate(tops)) for row, tops in values.items()}
        (verdict,) = judge([contrast], samples, 0.1, rights, pairs=pairs)
        covered += verdict.low <= 0 <= verdict.high
    assert covered / studies > 0.93, covered / studies


def test_the_images_of_pairs_are_those_of_common_seeds():
    generator = numpy.random.default_rng(16)
    rights = {name: list(generator.integers(0, 2, (3, 50)).astype(float)) for name in "01"}
    pairs = {"0": {0: 1.0, 2: 2.0, 3: 3.0}, "1": {2: 4.0, 1: 5.0, 0: 6.0}}
    (found,) = paired_rights(rights, pairs, WEIGHTS).values()
    assert len(found) == 2  # seeds 0 and 2
    assert (found[0] == rights["1"][2] - rights["0"][0]).all()
    assert (found[1] == rights["1"][0] - rights["0"][1]).all()
    rights["1"] = rights["1"][:2]  # one run has not recorded its images
    assert paired_rights(rights, pairs, WEIGHTS) == {}


def test_more_seeds_are_chosen_by_the_analysis_that_is_declared(tiny, invented, tmp_path):
    """Seeds that move all rows alike: pairs decide what unpaired runs leave open."""
    rows_ = [row.number for row in tiny if not row.is_branch]
    records = [
        invented.record(tiny, row, seed, 40 + 3 * place + top1 + 0.1 * (seed * place % 3))
        for place, row in enumerate(rows_)
        for seed, top1 in enumerate((0.0, 9.0, -9.0, 4.0, -4.0))
    ]
    paired = load_study(write(tmp_path, "paired: true"))
    alone = load_study("path")
    assert {each.verdict for each in judge_study(alone, records).verdicts} >= {"undecided"}
    assert next_runs(alone, records, most=8, runs=4)
    assert all(v.verdict in ("better", "lacks runs") for v in judge_study(paired, records).verdicts)
    branches = {row.number for row in tiny if row.is_branch}
    assert {row for row, _ in next_runs(paired, records, most=8, runs=40)} <= branches | set(rows_)


def test_partners_of_a_paired_study_get_the_same_seed(tiny, invented, tmp_path):
    records = [
        invented.record(tiny, row, seed, 60 + top1)
        for row, seeds in (("09", (0, 1, 2)), ("10", (0, 2)))
        for seed, top1 in zip(seeds, (0.0, 1.0, 5.0), strict=False)
    ]
    study = load_study(write(tmp_path, "paired: true"))
    chosen = dict(next_runs(study, records, most=8, runs=2))
    assert chosen.get("10") == 1 and "09" not in chosen


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


@pytest.mark.slow
@pytest.mark.parametrize(("rows_", "runs"), [(3, 2), (6, 2), (14, 3)])
def test_rows_of_one_spread_have_no_more_freedom_than_all_rows_together(rows_, runs):
    generator, covered, count = numpy.random.default_rng(17), 0, 0
    for _ in range(1500):
        values = generator.normal(size=(rows_, runs))
        samples = moderate(samples_of(values)).samples
        for row in range(rows_ - 1):
            estimate = _step(samples, row)
            assert estimate.freedom <= rows_ * (runs - 1) + 1e-9
            low, high = estimate.interval()
            covered, count = covered + (low <= 0 <= high), count + 1
    assert covered / count > 0.925, covered / count


@pytest.mark.slow
@pytest.mark.parametrize(("uneven", "most"), [(0.0, 0.065), (0.3, 0.11), (0.5, 0.16)])
def test_moderately_uneven_spreads_pass_the_test_and_cost_this_much(uneven, most):
    """What docs/statistics.md says of studies that are not refused, with three runs."""
    generator, wrong, accepted = numpy.random.default_rng(18), 0, 0
    for _ in range(500):
        samples = samples_of(rows(generator, 3, uneven=uneven))
        if evenness(samples) < 0.05:
            continue
        moderated = moderate(samples).samples
        ps = holm([_step(moderated, row).p for row in range(STEPS)], STEPS)
        accepted, wrong = accepted + 1, wrong + any(p < 0.05 for p in ps)
    assert wrong / accepted < most + 0.03, (wrong, accepted)


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
