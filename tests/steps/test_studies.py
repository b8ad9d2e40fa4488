"""Studies: which variants a design has, what its contrasts ask, and what is said of bad files."""

from dataclasses import replace

import pytest

from roadmap.errors import Problem
from steps.roadmaps.load import load_roadmap
from steps.studies import designs, orders
from steps.studies.designs import DESIGNS
from steps.studies.load import load_study

SHIPPED = (
    "path",
    "leave-one-out",
    "one-at-a-time",
    "orders",
    "learning-rate",
    "micro-design",
    "details",
    "fair",
)
PATH = load_roadmap("tiny")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_short_and_their_contrasts_are_differences(name):
    from steps.studies.load import _FOLDER

    text = (_FOLDER / f"{name}.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) <= 10
    study = load_study(name)
    numbers = [row.number for row in study.roadmap]
    assert len(set(numbers)) == len(numbers)
    specs = [row.spec.fingerprint for row in study.roadmap if name != "path"]
    assert len(set(specs)) == len(specs)
    for contrast in study.contrasts:
        for part in contrast.parts:
            assert set(part) <= set(numbers) and abs(sum(part.values())) < 1e-12
            added = sum(weight for weight in part.values() if weight > 0)
            assert added == pytest.approx(2 if "×" in contrast.step else 1)


def test_a_path_asks_of_each_row_against_the_one_it_starts_from():
    study = load_study("path")
    assert study.roadmap.rows == PATH.rows
    weights = {each.step: each.weights for each in study.contrasts}
    assert weights["width"] == {"05": 1.0, "04": -1.0}
    assert weights["08-k9"] == {"08-k9": 1.0, "07": -1.0}
    assert len(weights) == 16


def test_leaving_one_out_is_the_end_without_it_and_says_what_cannot_be():
    study = load_study("leave-one-out")
    assert study.roadmap["13"].spec == PATH["13"].spec
    without = study.roadmap["without-gelu"].spec
    activations = {
        unit.activation for stage in without.network.stages for unit in stage.block.units
    }
    assert "relu" in activations and "gelu" not in activations
    assert list(study.left_out) == ["depthwise"]
    assert "'move_up_depthwise' needs a depthwise convolution" in study.left_out["depthwise"]


def test_the_last_step_left_out_is_the_row_before_the_last():
    study = load_study("leave-one-out")
    found = study.roadmap["without-separate_downsampling"].spec
    assert found.fingerprint == PATH["12"].spec.fingerprint  # so its runs are shared


def test_details_are_kernels_against_each_other_and_the_parts_of_a_row():
    study = load_study("details")
    asked = {contrast.step: contrast.weights for contrast in study.contrasts}
    assert asked == {
        "kernel_size-k5": {"08": 1.0, "08-k5": -1.0},
        "kernel_size-k9": {"08": 1.0, "08-k9": -1.0},
        "kernel_size-k11": {"08": 1.0, "08-k11": -1.0},
        "separate_downsampling": {"13-part1": 1.0, "12": -1.0},
        "layer_scale": {"13": 1.0, "13-part1": -1.0},
    }
    assert study.roadmap["13"].spec.fingerprint == PATH["13"].spec.fingerprint
    half = study.roadmap["13-part1"].spec.network
    assert half.downsampling is not None and half.layer_scale is None
    with pytest.raises(Problem, match="neither side branches nor rows of several steps"):
        DESIGNS["details"](replace(PATH, rows=PATH.rows[:1]))


def test_one_at_a_time_is_the_base_with_each():
    study = load_study("one-at-a-time")
    assert study.roadmap["with-training_recipe"].spec.fingerprint == PATH["01"].spec.fingerprint
    assert list(study.left_out) == ["move_up_depthwise"]


def test_orders_are_those_that_the_specs_allow_and_end_alike():
    study = load_study("orders")
    for contrast in study.contrasts:
        assert len(contrast.parts) == 6
    total: dict[str, float] = {}
    for contrast in study.contrasts:  # what all steps add is what the path adds
        for number, weight in contrast.weights.items():
            total[number] = total.get(number, 0.0) + weight
    ends = {number: round(weight, 9) for number, weight in total.items() if abs(weight) > 1e-9}
    assert sorted(ends.values()) == [-1.0, 1.0]
    (last,) = (number for number, weight in ends.items() if weight > 0)
    assert study.roadmap[last].spec.fingerprint == PATH["13"].spec.fingerprint
    again = DESIGNS["orders"](PATH, samples=6, seed=0)
    assert [row.spec for row in again.rows] == [row.spec for row in study.roadmap]
    other = DESIGNS["orders"](PATH, samples=6, seed=1)
    assert [row.spec for row in again.rows] != [row.spec for row in other.rows]


@pytest.mark.slow
def test_every_allowed_order_is_as_likely_as_any_other():
    """Of two steps without needs, either comes first in half of many orders."""
    made = DESIGNS["orders"](PATH, samples=200, seed=3)
    first = next(each for each in made.contrasts if each.step == "gelu").parts
    second = next(each for each in made.contrasts if each.step == "stage_ratio").parts
    rows = {row.number: index for index, row in enumerate(made.rows)}

    def place(part):
        return rows[max(part, key=part.get)]

    share = sum(place(one) < place(two) for one, two in zip(first, second, strict=True)) / 200
    assert 0.35 < share < 0.65


def test_a_sweep_sets_a_field_or_a_parameter(tmp_path):
    study = load_study("learning-rate")
    rates = [row.spec.recipe.learning_rate for row in study.roadmap][:4]
    assert rates == [5e-4, 1e-3, 2e-3, 4e-3]
    assert study.roadmap["13@0.002"].spec.fingerprint == PATH["13"].spec.fingerprint
    file = tmp_path / "kernels.yaml"
    file.write_text('design: sweep\nof: kernel_size.kernel\nvalues: [3, 5, 7]\nrows: ["08"]\n')
    kernels = load_study(file)
    assert kernels.roadmap["08@5"].spec.fingerprint == PATH["08-k5"].spec.fingerprint
    assert kernels.contrasts[0].weights == {"08@5": 1.0, "08@3": -1.0}


def test_a_grid_has_main_effects_and_interactions():
    study = load_study("micro-design")
    weights = {each.step: each.weights for each in study.contrasts}
    assert set(weights) == {
        "gelu", "fewer_activations", "fewer_norms", "gelu × fewer_activations",
        "gelu × fewer_norms", "fewer_activations × fewer_norms",
    }  # fmt: skip
    # a planted world: 1 for gelu, 2 for fewer norms, 4 more for both
    world = {
        row.number: 1.0 * ("gelu" in row.number)
        + 2.0 * ("fewer_norms" in row.number)
        + 4.0 * ("gelu" in row.number and "fewer_norms" in row.number)
        for row in study.roadmap
    }
    found = {
        step: sum(weight * world[number] for number, weight in each.items())
        for step, each in weights.items()
    }
    assert found["gelu"] == 3.0 and found["fewer_norms"] == 4.0
    assert found["gelu × fewer_norms"] == 4.0 and found["fewer_activations"] == 0.0


def test_overrides_hold_in_every_variant():
    study = load_study("leave-one-out", overrides={"recipe.epochs": 2})
    assert {row.spec.recipe.epochs for row in study.roadmap} == {2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roadmap: tiny", "key 'design' is missing"),
        ("design: paths", "unknown design 'paths'; did you mean 'path'"),
        ("design: path\nseed: 3", "unknown key of design 'path': 'seed'"),
        ("design: path\nseeds: 0", "seeds must be 1 to 1000"),
        ("design: path\nseeds: many", "seeds: "),
        ("design: path\nmargin: -1", "margin must be above 0"),
        ("design: path\nroadmap: tinny", "unknown roadmap 'tinny'"),
        ("design: path\nset: {recipe.epoch: 3}", "did you mean 'epochs'"),
        ("design: sweep\nof: recipe.epochs", "needs the key 'values'"),
        ("design: sweep\nof: recipe.epoch\nvalues: [1, 2]", "did you mean 'epochs'"),
        ("design: sweep\nof: gelus.kernel\nvalues: [1, 2]", "unknown step on the way to row 13"),
        ("design: sweep\nof: kernel_size.size\nvalues: [3, 5]", "unknown parameter of step"),
        ("design: sweep\nof: kernel_size.kernel\nvalues: [3, 4]", "kernel"),
        ("design: sweep\nof: recipe.epochs\nvalues: [3]", "must be two or more"),
        ("design: sweep\nof: recipe.epochs\nvalues: [3, 4]\nset: {recipe.epochs: 2}", "it cannot"),
        ("design: grid\nsteps: [gelu]", "two to five"),
        ("design: grid\nsteps: [gelu, norms]", "unknown step of the grid 'norms'"),
        ("design: orders\nsamples: few", "samples: "),
        ("design: orders\nsamples: 2", "samples 2 must be 3 to 1000"),
        ("design: [path]", "unknown design"),
        ("design: grid\nsteps: [gelu, fewer_norms]\nrow: 08-k9", "08-k9 is not on the path"),
        ("design: sweep\nof: recipe.epochs\nvalues:", "needs the key 'values'"),
        ("design: sweep\nof: network.classes\nvalues: [2, 3]", "comes from the data"),
        ("design: path\nset: {network.classes: 7}", "comes from the data"),
        ('design: sweep\nof: recipe.epochs\nvalues: [2, 3]\nrows: ["01", "1"]', "different ones"),
        ("design: path\nmargin: .inf", "margin"),
        ("design: path\nseeds: 100000000000", "seeds must be 1 to 1000"),
    ],
)
def test_bad_files_are_named(text, message, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(Problem, match=message) as found:
        load_study(file)
    assert "mine.yaml" in str(found.value)


def test_unknown_studies_are_named():
    with pytest.raises(Problem, match="unknown study 'loo'; valid: .*leave-one-out"):
        load_study("loo")


@pytest.mark.slow
def test_few_allowed_orders_are_all_taken_and_none_twice(tmp_path):
    steps = tmp_path / "chain.py"
    steps.write_text(
        "from dataclasses import replace\n"
        "from roadmap.errors import StepError\n"
        + "".join(
            f"def s{number}(spec):\n"
            f"    'One of a chain.'\n"
            f"    if spec.network.stages[0].width != {16 + number}:\n"
            f"        raise StepError('step s{number} comes after another')\n"
            f"    first = replace(spec.network.stages[0], width={17 + number})\n"
            f"    stages = (first, *spec.network.stages[1:])\n"
            f"    return replace(spec, network=replace(spec.network, stages=stages))\n"
            for number in range(7)
        )
    )
    file = tmp_path / "chain.yaml"
    file.write_text(
        'base: {roadmap: tiny, row: "00"}\nrows:\n'
        + "".join(f"  - s{number}:\n" for number in range(7))
    )
    study = load_study("orders", roadmap=str(file), steps=steps)
    assert study.left_out == {"orders": "the steps allow no more than 1"}
    assert all(len(each.parts) == 1 for each in study.contrasts)
    made = DESIGNS["orders"](PATH, samples=40)
    assert not made.left_out
    ways = {tuple(next(iter(each.parts[order])) for each in made.contrasts) for order in range(40)}
    assert len(ways) == 40


def test_a_step_used_twice_is_two_questions(tmp_path):
    """Kernel 5, later kernel 9: each has variants and a contrast of its own in every design."""
    (tmp_path / "twice.yaml").write_text(
        'title: twice\nbase: {roadmap: tiny, row: "05"}\nrows:\n  - kernel_size: {kernel: 5}\n'
        "  - gelu:\n  - kernel_size: {kernel: 9}\n"
    )
    roadmap = load_roadmap(tmp_path / "twice.yaml")
    for design in (designs.path, designs.leave_one_out, designs.one_at_a_time):
        made = design(roadmap)
        names = [each.step for each in made.contrasts]
        assert names == ["kernel_size-01", "gelu", "kernel_size-03"], design
        numbers = [row.number for row in made.rows]
        assert len(set(numbers)) == len(numbers)
    five, _, nine = designs.one_at_a_time(roadmap).contrasts
    assert five.weights.keys() != nine.weights.keys()
    made = designs.orders(roadmap, samples=6)
    assert [len(each.parts) for each in made.contrasts] == [6, 6, 6]
    assert all(each.complete for each in made.contrasts)  # three steps have no more than six orders
    grid = designs.grid(roadmap, steps=["gelu", "kernel_size-03"])
    assert len(grid.rows) == 4


@pytest.mark.slow
def test_random_orders_stay_as_likely_as_one_another_however_many(monkeypatch):
    """Refusals of many draws do not add up to drawing step by step."""
    tries = []
    drawn = orders._drawn

    def counted(spec, changes):
        tries.append(1)
        return drawn(spec, changes)

    monkeypatch.setattr(orders, "_drawn", counted)
    monkeypatch.setattr(orders, "TRIES", 12)
    found = designs.orders(load_roadmap("tiny"), samples=40)
    assert len(found.contrasts[0].parts) == 40 and len(tries) > 40 + 12


def study_of(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    return load_study(tmp_path / "mine.yaml")


def test_what_a_study_sets_decides_whether_what_it_sweeps_matters(tmp_path):
    momentum = "design: sweep\nof: recipe.momentum\nvalues: [0.8, 0.9]\n"
    with pytest.raises(Problem, match=r"mine.yaml:2: .*momentum has no effect here|mine.yaml:3: "):
        study_of(tmp_path, momentum)
    study = study_of(tmp_path, momentum + "set: {recipe.optimizer: sgd}\n")
    assert {row.spec.recipe.momentum for row in study.roadmap} == {0.8, 0.9}
    warmup = "design: sweep\nof: recipe.warmup_epochs\nvalues: [6, 7]\nset: {recipe.epochs: 20}\n"
    assert {row.spec.recipe.warmup_epochs for row in study_of(tmp_path, warmup).roadmap} == {6, 7}
    betas = "design: sweep\nof: recipe.betas\nvalues: [[0.8, 0.9], [0.9, 0.99]]\n"
    with pytest.raises(Problem, match="betas has no effect here"):
        study_of(tmp_path, betas + "set: {recipe.optimizer: sgd}\n")
    depth = "design: sweep\nof: network.stages.0.depth\nvalues: [2, 3]\n"
    with pytest.raises(Problem, match="is what the study varies; what is set overwrites it"):
        study_of(tmp_path, depth + "set: {network.stages.all.depth: 3}\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("design: sweep\nof: kernel_size.kernel\nvalues: [3, 3]\n", 3),
        ("design: sweep\nof: kernel_size.kernel\nvalues: [3, 4]\n", 3),
        ("design: sweep\nvalues: [3, 5]\nof: kernel_size\n", 2),
        ("design: grid\nseeds: 3\nsteps: [gelu]\n", 3),
        ("design: grid\nseeds: 3\nsteps: [gelu, gelo]\n", 3),
        ("design: grid\nsteps: [width, depthwise]\n", 2),
        ("design: orders\nsamples: 2\n", 2),
        ("design: path\nseeds: 2\nset:\n  recipe.bogus: 3\n", 3),
    ],
)
def test_faults_of_a_study_have_the_line_of_their_key(text, line, tmp_path):
    with pytest.raises(Problem, match=f"mine.yaml:{line}: "):
        study_of(tmp_path, text)


def test_a_sweep_of_recipes_takes_their_names_and_titles_say_what_is_varied(tmp_path):
    study = study_of(
        tmp_path,
        "design: sweep\nof: training_recipe.recipe\nvalues: [tiny-old, tiny-enhanced]\n",
    )
    assert {row.spec.recipe.optimizer for row in study.roadmap} == {"sgd", "adamw"}
    assert study.roadmap.title.startswith("sweep of training_recipe.recipe: tiny ResNet")
    assert load_study("micro-design").roadmap.title.startswith("grid of gelu × fewer_activations")


def test_a_recipe_written_in_place_has_its_faults_on_their_lines(tmp_path):
    text = "base: {depths: [1, 1], width: 16}\nrecipe:\n"
    recipe = (
        "  epochs: 3\n  image_size: 32\n  batch: 8\n  optimizer: sgd\n  learning_rate: 0.1\n"
        "  base_batch: 8\n  weight_decay: 0\n  schedule: cosine\n  interpolation: bilinear\n"
    )
    path = tmp_path / "mine.yaml"
    for line, expected in (("  warmup_epochs: 5\n", "warmup_epochs 5"), ("  bogus: 5\n", "bogus")):
        path.write_text(text + recipe + line + "rows: []\n")
        with pytest.raises(Problem, match=f"mine.yaml:12: .*{expected}"):
            load_roadmap(path)


@pytest.mark.parametrize("end", ["", "@tiny", ":detection", "@tiny:detection"])
def test_a_roadmap_file_is_relative_to_the_studys_folder(tmp_path, monkeypatch, end):
    inner = tmp_path / "inner"
    inner.mkdir()
    tasks = "tasks: {detection: {recipe: tiny-detection}}\n"
    text = "base: {roadmap: tiny}\n" + tasks + "rows:\n  - patchify_stem:\n"
    (inner / "mine.yaml").write_text(text)
    (tmp_path / "mine.yaml").write_text(text.replace("patchify_stem", "gelu"))
    (inner / "study.yaml").write_text(f"design: path\nroadmap: mine.yaml{end}\n")
    monkeypatch.chdir(tmp_path)
    assert [row.step for row in load_study("inner/study.yaml").base] == ["resnet", "patchify_stem"]
