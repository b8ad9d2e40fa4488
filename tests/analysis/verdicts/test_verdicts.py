"""Verdicts, against scipy, the paper's own table, and simulated studies whose truth is known."""

import base64
import dataclasses
import json
from dataclasses import replace

import numpy
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.tables.verdict_table import FORMATS, render_verdicts
from analysis.verdicts.agreement import rank_correlation
from analysis.verdicts.images import over_images, right
from analysis.verdicts.judge import judge
from analysis.verdicts.more_seeds import next_runs
from analysis.verdicts.orders import order_dependence, over_orders, over_seeds
from analysis.verdicts.paper import judge_paper
from analysis.verdicts.statistics import Sample, difference, holm, seeds_needed
from analysis.verdicts.study import judge_study
from analysis.verdicts.verdict import UNDECIDED
from roadmap.errors import Problem
from roadmap.record import Asked, read_records, write_record
from steps.roadmaps.load import load_roadmap
from steps.studies.contrast import Contrast
from steps.studies.designs import DESIGNS
from steps.studies.load import load_study

PATH = load_roadmap("tiny")
PAPER = load_roadmap("resnet50").paper
SHORT = dataclasses.replace(PATH, rows=PATH.rows[:4])  # three steps: six orders share six variants
STUDIES = 2000


def test_a_difference_is_welchs_test():
    one, other = [80.1, 80.5, 79.9, 80.3], [81.0, 82.1, 80.2]
    found = difference({"a": Sample.of(one), "b": Sample.of(other)}, {"b": 1.0, "a": -1.0})
    theirs = stats.ttest_ind(other, one, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.value == pytest.approx(theirs.statistic * found.error)


def test_a_mean_over_orders_that_share_nothing_is_students():
    values = [1.0, 2.5, 0.4, 1.9]
    parts = [{f"a{order}": 1.0} for order in range(4)]
    cells = {f"a{order}": Sample.of([value]) for order, value in enumerate(values)}
    found, theirs = over_orders(cells, parts), stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_orders_that_share_a_run_share_its_noise():
    """All orders begin at the same run: that noise stays in the mean however many there are."""
    cells = {"base": Sample(mean=80.0, std=3.0, n=2)}
    cells |= {f"a{order}": Sample(mean=81.0, std=0.1, n=2) for order in range(20)}
    found = over_orders(cells, [{f"a{order}": 1.0, "base": -1.0} for order in range(20)])
    assert found.error == pytest.approx(3.0 / 2**0.5, rel=0.01)
    assert found.freedom == pytest.approx(1.0, rel=0.05)


def test_holm_is_that_of_a_fixed_case_and_skips_what_is_not_known():
    # by hand: .01 × 4, .02 × 3, then .03 × 2 below the one before it, .5
    assert holm([0.03, None, 0.01, 0.02, 0.5]) == [
        pytest.approx(0.06), None, pytest.approx(0.04), pytest.approx(0.06), pytest.approx(0.5)
    ]  # fmt: skip


def test_holm_is_statsmodels():
    ps = numpy.random.default_rng(0).beta(0.3, 2, 40).tolist()
    assert holm(ps) == pytest.approx(list(multipletests(ps, method="holm")[1]))


def test_the_smallest_effect_is_seen_in_four_of_five_studies():
    generator = numpy.random.default_rng(1)
    smallest = difference(
        {"a": Sample(mean=0, std=1, n=5), "b": Sample(mean=1, std=1, n=5)}, {"b": 1.0, "a": -1.0}
    ).smallest()
    one = generator.normal(0, 1, (20000, 5))
    other = generator.normal(smallest, 1, (20000, 5))
    seen = stats.ttest_ind(one, other, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_seeds_needed_are_the_fewest_that_show_the_difference():
    cells = {"a": Sample(mean=80, std=1.0, n=3), "b": Sample(mean=81, std=1.0, n=3)}
    weights = {"b": 1.0, "a": -1.0}
    needed = seeds_needed(cells, weights)
    assert needed == 17  # the textbook's 16.7 a group for an effect of one standard deviation
    assert seeds_needed(cells, weights, alpha=0.005) > needed
    assert seeds_needed({**cells, "b": Sample(mean=80.001, std=1.0, n=3)}, weights) is None
    assert seeds_needed({**cells, "b": Sample(mean=81, std=None, n=1)}, weights) is None


@pytest.mark.parametrize(
    ("steady", "noisy", "alpha"), [(3.0, 3.0, 0.05), (0.01, 2.0, 0.05 / 13), (0.3, 3.0, 0.05 / 16)]
)
def test_needs_are_what_simulated_studies_need(steady, noisy, alpha):
    """Also of rows so unlike in spread that Welch's test has one degree of freedom left."""
    cells = {"a": Sample(mean=80, std=steady, n=3), "b": Sample(mean=86, std=noisy, n=3)}
    needed = seeds_needed(cells, {"b": 1.0, "a": -1.0}, alpha)
    generator = numpy.random.default_rng(5)

    def seen(n):
        one = generator.normal(80, steady, (40000, n))
        other = generator.normal(86, noisy, (40000, n))
        return (stats.ttest_ind(one, other, axis=1, equal_var=False).pvalue < alpha).mean()

    assert seen(needed) > 0.79
    assert needed == 2 or seen(needed - 1) < 0.81


def test_verdicts_hold_when_the_other_runs_are_there():
    """Holm's adjustment is over all that the study will test, those without runs as well."""
    cells = {"a": Sample(mean=80, std=1.0, n=3), "b": Sample(mean=83, std=1.0, n=3)}
    planned = [contrast("b", "a"), contrast("c", "a"), contrast("d", "a"), contrast("e", "a")]
    alone, among = judge(planned[:1], cells, 1.0)[0], judge(planned, cells, 1.0)[0]
    assert among.p == pytest.approx(4 * alone.p) and alone.verdict == "better"
    assert among.verdict == UNDECIDED and among.needed > 2
    nothing = Contrast(step="none", title="none", group="", parts=({},))
    assert judge([planned[0], nothing], cells, 1.0)[0].p == alone.p


def test_orders_are_judged_from_three_on():
    parts = tuple({f"b{order}": 1.0, f"a{order}": -1.0} for order in range(4))
    cells = {
        name: Sample(mean=80.0 + order, std=1.0, n=2)
        for order, part in enumerate(parts[:2])
        for name in part
    }
    planned = [Contrast(step="it", title="it", group="", parts=parts)]
    assert judge(planned, cells, 1.0)[0].verdict == "lacks runs"


def test_one_seed_has_no_spread_and_none_is_invented():
    cells = {"a": Sample.of([80.0]), "b": Sample.of([90.0])}
    found = difference(cells, {"b": 1.0, "a": -1.0})
    assert found.value == 10 and found.interval() is found.p is None
    (verdict,) = judge([contrast("b", "a")], cells, 1.0)
    assert verdict.verdict == "undecided: no spread" and verdict.low is None


def contrast(plus, minus, step="it"):
    return Contrast(step=step, title=step, group="", parts=({plus: 1.0, minus: -1.0},))


def test_the_papers_own_table_has_the_verdicts_known_from_it():
    """Section 5 of the notes on the paper: Welch's p of each row against the one before."""
    judged = judge_paper(load_study("path", roadmap="resnet50"), PAPER)
    found = {each.step: each for each in judged.verdicts}
    assert found["training_recipe"].verdict == "undecided: no spread"
    plain = {"patchify_stem": 0.28, "gelu": 0.68, "fewer_norms": 0.10, "layer_norm": 0.46}
    for step, p in plain.items():
        assert found[step].verdict not in ("better", "worse")
        assert unadjusted(found[step]) == pytest.approx(p, abs=0.006)
    assert found["kernel_size"].verdict == "better"
    assert unadjusted(found["kernel_size"]) == pytest.approx(0.005, abs=0.0006)
    assert {each.verdict for each in judged.verdicts if each.difference < -0.5} == {"worse"}


@pytest.mark.slow
def test_verdicts_of_the_paper_that_hang_on_its_rounding_are_named():
    """One number moved by what rounding may hide turns the named verdicts, and no others."""
    study = load_study("path", roadmap="resnet50")
    *_, note = judge_paper(study, PAPER).notes
    named = set(note.partition("lost: ")[2].split(", "))
    cells = {
        number: Sample(mean=row.top1, std=row.std, n=row.n) for number, row in PAPER.rows.items()
    }
    before = {each.step: each.verdict for each in judge(study.contrasts, cells, study.margin)}
    generator, turned = numpy.random.default_rng(0), set()
    for _ in range(300):
        moved = {
            number: replace(
                cell,
                mean=cell.mean + generator.uniform(-0.005, 0.005),
                std=cell.std and cell.std + generator.uniform(-0.005, 0.005),
            )
            for number, cell in cells.items()
        }
        after = judge(study.contrasts, moved, study.margin)
        turned |= {each.step for each in after if each.verdict != before[each.step]}
    assert turned == named == {"inverted_bottleneck", "fewer_activations"}


def unadjusted(verdict):
    rows = PAPER.rows
    study = load_study("path", roadmap="resnet50")
    (weights,) = (each.weights for each in study.contrasts if each.step == verdict.step)
    cells = {name: Sample(mean=rows[name].top1, std=rows[name].std, n=3) for name in weights}
    return difference(cells, weights).p


def test_the_papers_power_is_as_noted():
    """About a third of a point by Welch's test, three runs a row."""
    study = load_study("path", roadmap="resnet50")
    cells = {
        number: Sample(mean=row.top1, std=row.std, n=row.n) for number, row in PAPER.rows.items()
    }
    smallest = [difference(cells, each.weights).smallest() for each in study.contrasts]
    assert numpy.mean([each for each in smallest if each]) == pytest.approx(0.31, abs=0.03)


# Noise of rows as in our own records: standard deviations from half a point to five.
def simulated(design, seeds, effects, generator):
    """Cells of one study in which each step adds its effect, whatever the others are."""
    spreads = numpy.exp(generator.uniform(numpy.log(0.5), numpy.log(5), len(design.rows)))
    return {
        row.number: Sample.of(effects[row.number] + spread * generator.normal(size=seeds))
        for row, spread in zip(design.rows, spreads, strict=True)
    }


DESIGNED = {
    "path": (DESIGNS["path"](PATH), 3),
    "leave_one_out": (DESIGNS["leave_one_out"](PATH), 3),
    "one_at_a_time": (DESIGNS["one_at_a_time"](PATH), 3),
    "orders": (DESIGNS["orders"](PATH, samples=6), 2),
    "orders, one seed": (DESIGNS["orders"](PATH, samples=6), 1),
    "orders of few steps": (DESIGNS["orders"](SHORT, samples=6), 3),
    "sweep": (
        DESIGNS["sweep"](PATH, of="recipe.learning_rate", values=[1e-3, 2e-3], rows=["08", "13"]),
        3,
    ),
    "grid": (DESIGNS["grid"](PATH, steps=["gelu", "fewer_activations", "fewer_norms"]), 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNED)
def test_intervals_cover_what_is_true_and_verdicts_err_at_the_stated_rate(name):
    design, seeds = DESIGNED[name]
    generator = numpy.random.default_rng(7)
    effects = dict.fromkeys((row.number for row in design.rows), 60.0)  # no step does anything
    covered, erred, count = 0, 0, 0
    for _ in range(STUDIES):
        cells = simulated(design, seeds, effects, generator)
        estimates = [estimate(each, cells) for each in design.contrasts]
        covered += sum(one.interval()[0] <= 0 <= one.interval()[1] for one in estimates)
        count += len(estimates)
        erred += any(p < 0.05 for p in holm([one.p for one in estimates]))
    assert covered / count == pytest.approx(0.95, abs=0.015)
    assert erred / STUDIES < 0.05 + 0.015  # any false verdict in a study


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "first", "most"), [(1, 3, 8), (1, 2, 12), (4, 2, 8)])
def test_adding_seeds_until_decided_keeps_the_error_rate(pairs, first, most):
    """Looking after every seed, where no step does anything."""
    contrasts = [contrast(f"x{pair}", f"y{pair}", step=str(pair)) for pair in range(pairs)]
    generator, erred = numpy.random.default_rng(3), 0
    studies = 300 if pairs == 1 else 150  # uncorrected for looks, 4 pairs err in 18 %
    for _ in range(studies):
        runs = {
            name: generator.uniform(0.5, 5) * generator.normal(size=most)
            for each in contrasts
            for name in each.weights
        }
        seeds = dict.fromkeys(runs, first)
        looks = {contrast.step: most - first + 1 for contrast in contrasts}
        while True:
            cells = {name: Sample.of(each[: seeds[name]]) for name, each in runs.items()}
            verdicts = judge(
                contrasts,
                cells,
                0.1,
                looks=looks,
            )
            more = {name for each, verdict in zip(contrasts, verdicts, strict=True)
                    if verdict.verdict == UNDECIDED for name in each.weights
                    if seeds[name] < most}  # fmt: skip
            if not more:
                break
            seeds.update({name: seeds[name] + 1 for name in more})
        erred += any(each.verdict in ("better", "worse") for each in verdicts)
    assert erred / studies < 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5


def estimate(contrast, cells):
    return over_seeds(cells, contrast.parts)


@pytest.mark.slow
def test_orders_recover_a_planted_interaction():
    """GELU is worth 4 points after fewer norms and nothing before; so 2 on average."""
    design = DESIGNS["orders"](PATH, samples=40, seed=5)
    generator = numpy.random.default_rng(3)
    truth = {}
    for row in design.rows:
        units = [unit for stage in row.spec.network.stages for unit in stage.block.units]
        gelu = any(unit.activation == "gelu" for unit in units)
        few = sum(unit.norm is not None for unit in units) <= len(row.spec.network.stages)
        truth[row.number] = 60.0 + 4.0 * (gelu and few)
    cells = {name: Sample.of(mean + 0.3 * generator.normal(size=2)) for name, mean in truth.items()}
    found = {each.step: each for each in judge(design.contrasts, cells, 0.5)}
    for step in ("gelu", "fewer_norms"):
        assert found[step].verdict == "better" and found[step].difference == pytest.approx(2, abs=1)
        assert found[step].order_std == pytest.approx(2, abs=0.4) and found[step].order_p < 1e-6
    assert found["stage_ratio"].order_std < 0.3 and found["stage_ratio"].verdict != "better"


def test_what_is_small_for_sure_is_called_so():
    generator = numpy.random.default_rng(0)
    noise = {name: 0.1 * generator.normal(size=8) for name in "ab"}
    cells = {name: Sample.of(80 + each - each.mean()) for name, each in noise.items()}
    (verdict,) = judge([contrast("a", "b")], cells, 0.5)
    assert verdict.verdict == "no difference larger than 0.5"
    (verdict,) = judge([contrast("a", "b")], cells, 0.01)
    assert verdict.verdict == UNDECIDED and (verdict.needed is None or verdict.needed > 8)


def test_images_and_seeds_are_two_sources():
    generator = numpy.random.default_rng(0)
    one = generator.random(4000) < 0.70
    other = one ^ (generator.random(4000) < 0.05)  # the same images, except a few
    packed = base64.b64encode(numpy.packbits(one)).decode()
    assert (right(packed)[:4000] == one).all()
    rights = {"a": [one.astype(int)] * 2, "b": [other.astype(int)] * 2}
    found = over_images(rights, {"b": 1.0, "a": -1.0})
    theirs = stats.ttest_rel(100.0 * other, 100.0 * one)
    assert found.value == pytest.approx(100 * (other.mean() - one.mean()))
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_rank_correlation_is_scipys_with_an_interval_that_covers():
    generator = numpy.random.default_rng(2)
    ours, theirs = generator.normal(size=13), generator.normal(size=13)
    found, (low, high) = rank_correlation(ours, theirs)
    assert found == pytest.approx(stats.spearmanr(ours, theirs).statistic) and low < found < high
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None


def test_a_study_is_judged_from_records_whatever_is_missing(tiny, invented):
    study = load_study("path")
    runs = invented.study(tiny, without=("05",))
    runs = [run for run in runs if (run.label.row, run.identity.seed) not in {("09", 1), ("09", 2)}]
    runs.append(invented.record(tiny, "11", 3, None, status="diverged"))
    judged = judge_study(study, runs)
    found = {each.step: each for each in judged.verdicts}
    assert found["width"].verdict == found["inverted_bottleneck"].verdict == "lacks runs"
    assert found["gelu"].verdict == "undecided: no spread" and found["gelu"].n == 1
    assert found["separate_downsampling"].verdict == "better"
    notes = " ".join(judged.notes)
    assert "no finished runs of 1 variant: 05" in notes
    assert "diverged, not averaged: 11 (1)" in notes
    assert {each.of for each in judged.agreements} == {"rows", "what steps add"}
    nothing = judge_study(study, [])
    assert {each.verdict for each in nothing.verdicts} == {"lacks runs"}
    for format in FORMATS:
        assert render_verdicts(judged, format) and render_verdicts(nothing, format)


@pytest.mark.parametrize("name", ["path", "leave-one-out", "orders", "learning-rate"])
def test_verdicts_fit_80_columns(name, tiny, invented):
    text = render_verdicts(judge_study(load_study(name), invented.study(tiny)), "terminal")
    assert max(map(len, text.splitlines())) <= 80


def test_formats_say_the_same(tiny, invented):
    judged = judge_study(load_study("path"), invented.study(tiny))
    rows = json.loads(render_verdicts(judged, "json"))
    assert [row["step"] for row in rows] == [each.step for each in judged.verdicts]
    last = rows[-1]
    assert last["verdict"] == "better" and last["low"] < last["difference"] < last["high"]
    assert "separate\\_downsampling" in render_verdicts(judged, "latex")
    assert render_verdicts(judged, "latex").isascii()
    with pytest.raises(Problem, match="unknown format 'pdf'"):
        render_verdicts(judged, "pdf")


def test_the_next_runs_go_where_a_verdict_is_open(tiny, invented):
    study = load_study("leave-one-out")
    decided = [("without-gelu", 0.1, 85.0), ("13", 0.1, 95.0)]
    open_one = [("without-fewer_norms", 4.0, 93.0)]
    runs = [
        invented.record(study.roadmap, number, seed, mean + spread * (seed - 1))
        for number, spread, mean in decided + open_one
        for seed in range(3)
    ]
    only = dataclasses.replace(
        study,
        contrasts=tuple(each for each in study.contrasts if each.step in ("gelu", "fewer_norms")),
    )
    both = [("13", 3), ("without-fewer_norms", 3)]  # of both sides, whatever is asked for
    assert next_runs(only, runs, most=8, runs=1) == both
    assert next_runs(only, runs, most=8, runs=1, tried=both[:1]) == [("13", 4), both[1]]
    assert next_runs(only, runs, most=3, runs=2) == []
    settled = [run for run in runs if run.label.row != "without-fewer_norms"]
    settled += [
        invented.record(study.roadmap, "without-fewer_norms", seed, 70 + 0.1 * seed)
        for seed in range(3)
    ]
    assert next_runs(only, settled, most=8, runs=2) == []


def test_a_step_that_changes_nothing_is_a_question_without_runs(tmp_path, tiny, invented):
    (tmp_path / "noop.yaml").write_text(
        'base: {roadmap: tiny, row: "08"}\nrows:\n  - kernel_size: {kernel: 7}\n  - gelu:\n'
    )
    study = load_study("path", roadmap=str(tmp_path / "noop.yaml"))
    nothing, gelu = study.contrasts
    assert nothing.weights == {} and gelu.weights == {"02": 1.0, "00": -1.0}
    runs = [
        invented.record(tiny, row, seed=seed, top1=60.0 + seed)
        for row in ("08", "09")
        for seed in range(3)
    ]
    judged = judge_study(study, runs)
    assert judged.verdicts[0].verdict == "changes nothing here"
    assert judged.verdicts[1].n == 3 and judged.verdicts[1].p == judged.verdicts[1].p_alone


def test_orders_in_which_a_step_changes_nothing_do_not_lean_towards_zero():
    parts = ({}, {}, {}, {"a": 1.0, "b": -1.0}, {"c": 1.0, "d": -1.0})
    planned = [Contrast(step="it", title="it", group="", parts=parts)]
    assert judge(planned, {}, 1.0)[0].verdict == "lacks runs"
    some = {name: Sample(mean=80.0, std=None, n=1) for name in "ab"}
    assert judge(planned, some, 1.0)[0].verdict == "lacks runs"
    nothing = [Contrast(step="it", title="it", group="", parts=({},) * 4)]
    assert judge(nothing, {}, 1.0)[0].verdict == "changes nothing here"


def test_looks_are_read_from_what_the_runs_asked_for(tiny, invented):
    def judged(asked, seeds=5):
        runs = [
            dataclasses.replace(
                (run := invented.record(tiny, row, seed=seed, top1=top1 + 0.5 * seed)),
                asked=asked,
                provenance=dataclasses.replace(run.provenance, command="run --until-decided"),
            )
            for row, top1 in (("00", 60.0), ("01", 70.0))
            for seed in range(seeds)
        ]
        return judge_study(load_study("path"), runs)

    once = judged(Asked())
    often = judged(Asked(until_decided=True))  # from the study's 5 seeds to 8
    more = judged(Asked(until_decided=True, first_seeds=2, most_seeds=7))
    ps = [each.verdicts[0].p for each in (once, often, more)]
    assert ps[1] == pytest.approx(4 * ps[0]) and ps[2] == pytest.approx(6 * ps[0])
    assert not any("looks" in note for note in once.notes)
    assert "p counts 6 looks at the runs" in " ".join(more.notes)
    assert judged(None).verdicts == once.verdicts


def trained_by(tiny, invented, *commands):
    """Runs of rows 00 and 01: of each command its seeds and the minute at which it started."""
    return [
        dataclasses.replace(
            (run := invented.record(tiny, row, seed=seed, top1=top1 + 0.5 * seed)),
            provenance=dataclasses.replace(
                run.provenance,
                command=command,
                started=f"2026-01-01T00:{minute + place:02}:00Z",
                finished=f"2026-01-01T00:{minute + place:02}:50Z",
            ),
        )
        for command, minute, seeds in commands
        for place, seed in enumerate(seeds)
        for row, top1 in (("00", 60.0), ("01", 70.0))
    ]


@pytest.mark.parametrize(
    ("looks", "commands"),
    [
        (1, [("run --seeds 5", 0, range(5))]),
        (1, [("run --seeds 5", 0, range(2)), ("run --seeds 5", 30, range(2, 5))]),  # resumed
        (2, [("run --seeds 3", 0, range(3)), ("run --seeds 5", 30, range(3, 5))]),
        (3, [("run", 0, range(2)), ("run --seeds 3", 20, [2]), ("run --seeds 5", 30, [3, 4])]),
        (1, [("run --seeds 1", 0, [0]), ("run --seeds 5", 30, range(1, 5))]),  # none to read
        (1, [("run a", 0, [0, 2, 4]), ("run b", 0, [1, 3])]),  # at the same time
    ],
)
def test_looks_are_counted_when_seeds_grow(looks, commands, tiny, invented):
    judged = judge_study(load_study("path"), trained_by(tiny, invented, *commands))
    step = judged.verdicts[0]
    assert step.p == pytest.approx(16 * looks * step.p_alone)
    assert any(f"p counts 1 to {looks} looks" in note for note in judged.notes) is (looks > 1)


def test_looks_of_one_step_cost_the_others_nothing(tiny, invented):
    added = trained_by(tiny, invented, ("a", 0, range(3)), ("b", 30, range(3, 5)))
    others = [run for run in invented.study(tiny) if run.label.row not in ("00", "01")]
    judged = judge_study(load_study("path"), [*added, *others])
    alone = judge_study(
        load_study("path"), [*trained_by(tiny, invented, ("a", 0, range(5))), *others]
    )
    found, before = ({each.step: each.p for each in one.verdicts} for one in (judged, alone))
    assert found["separate_downsampling"] == before["separate_downsampling"]
    assert found["training_recipe"] == pytest.approx(2 * before["training_recipe"], rel=0.2)


def test_orders_are_not_decided_by_seeds():
    with pytest.raises(Problem, match="by more samples"):
        next_runs(load_study("orders"), (), most=8, runs=1)


def test_no_difference_is_what_the_printed_interval_says():
    cells = {"a": Sample(mean=90.0, std=0.5, n=5), "b": Sample(mean=90.35, std=0.5, n=5)}
    (found,) = judge([contrast("b", "a")], cells, 1.0)
    assert found.high > 1 and found.verdict == UNDECIDED
    (found,) = judge([contrast("b", "a")], cells, 1.1)
    assert found.high < 1.1 and found.verdict == "no difference larger than 1.1"


def test_what_a_study_sees_is_what_it_would_decide():
    cells = {name: Sample(mean=80.0, std=1.0, n=5) for name in "abcd"}
    alone = judge([contrast("b", "a")], cells, 0.1)[0]
    among = judge([contrast("b", "a"), contrast("c", "a"), contrast("d", "a")], cells, 0.1)[0]
    assert among.smallest > 1.15 * alone.smallest


def test_agreement_is_of_rows_with_the_papers_steps(tmp_path, tiny, invented):
    (tmp_path / "other.yaml").write_text(
        'base: {roadmap: tiny, row: "08"}\npaper: resnet50\nrows:\n'
        "  - gelu:\n  - fewer_activations:\n  - fewer_norms:\n  - layer_norm:\n"
    )
    study = load_study("path", roadmap=str(tmp_path / "other.yaml"))
    runs = [
        invented.record(tiny, row, top1=top1)
        for row, top1 in (("08", 60.0), ("09", 61.0), ("10", 70.0), ("11", 69.0), ("12", 75.0))
    ]
    judged = judge_study(study, runs)
    assert [each.difference for each in judged.verdicts] and not judged.agreements


def test_titles_and_data_are_shown_as_they_are(tiny, invented):
    judged = dataclasses.replace(judge_study(load_study("path"), []), title="a [/b] [v2]")
    assert render_verdicts(judged, "terminal").startswith("a [/b] [v2]")


def test_latex_is_ascii_without_signs_that_text_mode_turns_round(tiny, invented):
    runs = [
        invented.record(tiny, row, seed=seed, top1=top1 + 0.01 * seed)
        for row, top1 in (("00", 60.0), ("01", 70.0))
        for seed in range(5)
    ]
    text = render_verdicts(judge_study(load_study("path"), runs), "latex")
    assert text.isascii() and "$<$.001" in text and "P$>$0" in text
    assert r"\caption{path: tiny ResNet" in text and "no finished runs of 15 variants" in text


def test_a_small_p_stays_small_in_files(tiny, invented):
    runs = [
        invented.record(tiny, row, seed=seed, top1=top1 + 0.01 * seed)
        for row, top1 in (("00", 60.0), ("01", 70.0))
        for seed in range(5)
    ]
    found = json.loads(render_verdicts(judge_study(load_study("path"), runs), "json"))[0]
    assert 0 < found["p_alone"] < found["p"] < 1e-9


@pytest.mark.parametrize(
    "harm",
    [
        {"data": {"name": "x", "classes": 2, "train": 8}},
        {"data": {"name": "x", "classes": 2, "train": 8, "val": 0}},
        {"correct": "abc"},
        {"top1": 1e308},
        {"spec": {"network": {}, "recipe": {}}},
        {"spec": {"network": {}, "recipe": {"epochs": "x"}}},
        {"spec": {"network": {"classes": "x"}, "recipe": {"epochs": 1}}},
    ],
)
def test_a_record_without_what_verdicts_need_is_named_and_left_out(harm, tiny, invented, tmp_path):
    write_record(invented.record(tiny, "00"), tmp_path / "good.json")
    broken = json.loads((tmp_path / "good.json").read_text()) | harm
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    found = read_records(tmp_path)
    assert len(found.records) == 1 and "broken.json: not a record" in found.broken[0]


@pytest.mark.slow
def test_dependence_on_order_is_not_seen_where_there_is_none():
    """Without effects, with as many runs everywhere and with very unequal numbers of them."""
    generator = numpy.random.default_rng(0)
    parts = [{f"{order}a": 1.0, f"{order}b": -1.0} for order in range(6)]
    for runs in (
        lambda place: 3,
        lambda place: 5 if place % 2 else 1,
        lambda place: 8 if place % 2 else 2,
    ):
        wrong = 0
        for _ in range(1500):
            cells = {
                name: Sample.of(list(generator.normal(50, 1, runs(place))))
                for place, name in enumerate(name for part in parts for name in part)
            }
            _, p = order_dependence(parts, cells)
            wrong += p is not None and p < 0.05
        assert wrong / 1500 < 0.08, wrong


def test_all_orders_that_there_are_stand_for_themselves():
    """Their scatter is no error: only that of seeds is."""
    parts = ({"a": 1.0, "b": -1.0}, {"c": 1.0, "d": -1.0}, {"e": 1.0, "f": -1.0})
    tops = {"a": 60.0, "b": 50.0, "c": 50.0, "d": 60.0, "e": 55.0, "f": 50.0}
    cells = {name: Sample.of([top1 - 0.1, top1, top1 + 0.1]) for name, top1 in tops.items()}
    found = {}
    for complete in (False, True):
        contrast = Contrast(step="s", title="", group="", parts=parts, complete=complete)
        (each,) = judge([contrast], cells, 1.0)
        found[complete] = each.high - each.low
    assert found[True] < 0.5 < 10 < found[False]


@pytest.mark.parametrize(("orders", "complete"), [(6, False), (19, False), (20, False), (6, True)])
def test_no_difference_needs_twenty_sampled_orders(orders, complete):
    parts = tuple({f"a{order}": 1.0, f"b{order}": -1.0} for order in range(orders))
    contrast = Contrast(step="s", title="", group="", parts=parts, complete=complete)
    cells = {name: Sample.of([50.0, 50.1, 49.9]) for part in parts for name in part}
    cells |= {"a0": Sample.of([50.05, 50.15, 49.95])}
    (found,) = judge([contrast], cells, 1.0)
    assert -1 < found.low < found.high < 1
    enough = orders >= 20 or complete
    assert found.verdict == ("no difference larger than 1" if enough else UNDECIDED)


def test_the_margin_is_the_roadmaps_unless_the_study_has_one(tmp_path):
    for roadmap, margin in (("resnet50", 0.2), ("resnet200", 0.2), ("cifar", 0.5), ("tiny", 1.0)):
        assert load_study("path", roadmap=roadmap).margin == margin
    (tmp_path / "own.yaml").write_text("design: path\nroadmap: resnet50\nmargin: 0.7\n")
    assert load_study(tmp_path / "own.yaml").margin == 0.7
    rows = 'base: {roadmap: tiny, row: "08"}\nrows:\n  - gelu:\n'
    (tmp_path / "plain.yaml").write_text(rows)
    assert load_study("path", roadmap=str(tmp_path / "plain.yaml")).margin == 0.5
    (tmp_path / "small.yaml").write_text(rows + "margin: 0.1\n")
    assert load_study("path", roadmap=str(tmp_path / "small.yaml")).margin == 0.1
    (tmp_path / "wrong.yaml").write_text(rows + "margin: 0\n")
    with pytest.raises(Problem, match="yaml:4: margin must be above 0 and below 100"):
        load_roadmap(str(tmp_path / "wrong.yaml"))


def test_the_table_says_its_margin(tiny, invented):
    judged = judge_study(load_study("path"), invented.study(tiny))
    for format in ("terminal", "md", "latex"):
        assert "1 point, the margin" in " ".join(render_verdicts(judged, format).split())


def test_no_difference_pays_for_looking_too():
    """An interval that lies within the margin once does not at six looks."""
    contrast = Contrast(step="s", title="", group="", parts=({"a": 1.0, "b": -1.0},))
    cells = {"a": Sample.of([50.0, 50.6, 51.2, 49.9]), "b": Sample.of([50.1, 50.5, 51.0, 50.0])}
    once, often = (judge([contrast], cells, 1.0, looks={"s": looks})[0].verdict for looks in (1, 6))
    assert once == "no difference larger than 1" and often == "undecided"


def test_rows_of_a_path_are_no_independent_pairs(tiny, invented):
    judged = judge_study(load_study("path", roadmap="tiny"), invented.study(tiny))
    rows, steps = judged.agreements
    assert rows.of == "rows" and rows.low is None and steps.low is not None


def test_images_of_some_runs_only_make_no_interval(tiny, invented):
    """Else it would belong to other runs than its line."""
    runs = invented.study(tiny)
    correct = base64.b64encode(bytes(250)).decode()
    some = [
        dataclasses.replace(run, correct=correct) if run.identity.seed == 0 else run for run in runs
    ]
    every = [dataclasses.replace(run, correct=correct) for run in runs]
    path = load_study("path", roadmap="tiny")
    assert all(each.images_low is None for each in judge_study(path, some).verdicts)
    assert any(
        each.images_low is not None or each.difference for each in judge_study(path, every).verdicts
    )


def test_why_rows_have_no_interval_beside_the_papers():
    """Paths of steps that have nothing in common: an interval as of independent pairs misses zero
    far too often over rows, and about as often as it says over steps."""
    generator = numpy.random.default_rng(1)
    missed = {"rows": 0, "steps": 0}
    for _ in range(1000):
        ours, theirs = generator.normal(size=(2, 14))
        for name, pair in (("rows", (ours.cumsum(), theirs.cumsum())), ("steps", (ours, theirs))):
            _, (low, high) = rank_correlation(*pair)
            missed[name] += low > 0 or high < 0
    assert missed["rows"] > 200 and missed["steps"] < 80, missed


@pytest.mark.parametrize(
    ("name", "asks"),
    [
        ("path", "a row minus the row it starts from"),
        ("leave-one-out", "the end of the path minus the same without the step"),
        ("one-at-a-time", "the base with the step alone minus the base"),
        ("orders", "mean over 6 random orders"),
        ("learning-rate", "a row minus the one before it of 01, 08, 13, both at the same"),
        ("micro-design", "the step on minus off, mean over the settings of the others"),
    ],
)
def test_every_table_says_what_is_subtracted_from_what(name, asks, tiny, invented):
    judged = judge_study(load_study(name), invented.study(tiny))
    for format in ("terminal", "md", "latex"):
        assert asks in " ".join(render_verdicts(judged, format).split()), format


@pytest.mark.slow
def test_one_seed_cannot_tell_order_from_noise_and_the_table_says_so(invented):
    study = load_study("orders")
    for seeds, said in ((1, True), (2, False)):
        runs = [
            invented.record(study.roadmap, row.number, seed, 60.0 + (7 * place + 3 * seed) % 11)
            for place, row in enumerate(study.roadmap)
            for seed in range(seeds)
        ]
        judged = judge_study(study, runs)
        assert all(each.difference is not None for each in judged.verdicts)
        assert any("needs two seeds" in note for note in judged.notes) is said
        assert all(each.order_std is None for each in judged.verdicts) is said
