"""Specs: validation, fingerprints, changes, readable differences."""

import dataclasses

import pytest

from roadmap.edit import edit_units, insert_after, is_depthwise, is_spatial, replace
from roadmap.errors import Problem
from roadmap.override import override, scaled_with_epochs, unused
from roadmap.spec import Block, Convolution, Recipe, Spec, Stem, fingerprint, from_dict, to_dict
from roadmap.strict_yaml import scalar
from roadmap.tasks import Segmentation
from roadmap.text import difference
from steps.roadmaps.load import load_roadmap

PATH = load_roadmap("resnet50")


@pytest.mark.parametrize("row", list(PATH), ids=lambda row: row.number)
def test_serialize_and_load(row):
    again = from_dict(Spec, to_dict(row.spec))
    assert again == row.spec
    assert again.fingerprint == row.spec.fingerprint


def test_fingerprints_tell_rows_apart_and_never_change():
    found = [row.spec.fingerprint for row in PATH]
    assert len(set(found)) == len(found)
    # Records are found by these: a change here loses every run that users have.
    assert PATH["00"].spec.fingerprint == "bf558ebaaad3"
    assert PATH["13"].spec.fingerprint == "39eba449fbe3"


def test_a_default_written_out_does_not_change_the_fingerprint():
    assert fingerprint(Convolution(width="same")) == fingerprint(
        Convolution(width="same", kernel=1, bias=False)
    )


def test_specs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PATH["00"].spec.network.classes = 5


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (Stem, {"kernel": 4, "strid": 4}, "unknown key 'strid'; did you mean 'stride'"),
        (Stem, {"kernel": 4}, "key 'stride' is missing"),
        (Stem, {"kernel": 0, "stride": 4}, "kernel: .*greater than or equal to 1, got 0"),
        (Stem, {"kernel": 4, "stride": 4, "norm": "group"}, "norm: .*'batch' or 'layer'"),
        (Stem, {"kernel": True, "stride": 4}, "kernel: .*valid integer"),
        (Convolution, {"kernel": 4, "width": "same"}, "kernel 4 is even"),
        (Block, {"units": []}, "units"),
    ],
)
def test_bad_values_are_named(kind, data, message):
    with pytest.raises(Problem, match=message):
        from_dict(kind, data)


@pytest.mark.parametrize(
    ("key", "data", "message"),
    [
        ("recipe.epoch", 3, "unknown field of recipe 'epoch'; did you mean 'epochs'"),
        ("recipe.optimizer", "lamp", "unknown optimizer 'lamp'; did you mean 'lamb'"),
        ("recipe.optimizer_options", {"betas": [0.9]}, "betas must be like .0.9, 0.999., got"),
        ("recipe.optimizer_options", {"epsilon": 1e-6}, "option 'epsilon'; .*valid: betas, eps"),
        ("recipe.epochs", "three", "recipe.epochs: .*valid integer"),
        ("recipe.epochs", 0, "recipe.epochs: .*greater than or equal to 1"),
        ("recipe.warmup_epochs", 300, "warmup_epochs 300 must be below epochs 300"),
        ("recipe", 3, "recipe is not one value; set one of: recipe.epochs"),
        ("network.stages", 3, "network.stages is not one value; set a field of one"),
        (
            "network.stages.0",
            3,
            r"0 cannot be set: network.stages takes a place \(0, 1, 2, 3, all\)",
        ),
        ("network.stages.4.depth", 3, "network.stages takes a place"),
        ("network.stages.all.depht", 3, "of network.stages.0 'depht'; did you mean 'depth'"),
        ("network.stages.1.block.units.0.kernel", 4, "network.stages.1.block.units.0.kernel 4 is"),
        ("recipe.epochs.x", 3, "recipe.epochs.x cannot be set: recipe.epochs is one value"),
        ("recipe.momentum", 0.8, "momentum has no effect here: recipe.optimizer is 'adamw'"),
        ("recipe.step_factor", 0.5, "step_factor has no effect here: recipe.schedule is 'cosine'"),
        ("nothing", 3, "valid: network, recipe"),
    ],
)
def test_bad_overrides_are_named(key, data, message):
    with pytest.raises(Problem, match=message):
        override(PATH["13"].spec, {key: data})


def test_overrides_are_typed():
    spec = override(PATH["13"].spec, {"recipe.learning_rate": 1})
    assert spec.recipe.learning_rate == 1.0
    assert override(spec, {"network.layer_scale": None}).network.layer_scale is None
    together = {"recipe.epochs": 5, "recipe.warmup_epochs": 1}
    for settings in (together, dict(reversed(together.items()))):
        assert override(spec, settings).recipe.epochs == 5
    assert override(spec, {"recipe.betas": [0.8, 0.9]}).recipe.betas == (0.8, 0.9)


def test_every_part_of_a_network_can_be_set():
    spec = PATH["13"].spec
    settings = {
        "network.stages.all.block.expansion": 2,
        "network.stages.0.depth": 5,
        "network.stages.2.block.units.0.kernel": 5,
        "network.downsampling.kernel": 3,
    }
    network = override(spec, settings).network
    assert [stage.block.expansion for stage in network.stages] == [2, 2, 2, 2]
    depths = [stage.depth for stage in spec.network.stages]
    assert [stage.depth for stage in network.stages] == [5, *depths[1:]]
    assert [stage.block.units[0].kernel for stage in network.stages] == [7, 7, 5, 7]
    assert network.downsampling.kernel == 3 and network.downsampling.norm == "layer"
    assert override(spec, {"network.downsampling": None}).network.downsampling is None
    given = override(PATH["12"].spec, {"network.downsampling": {"kernel": 4}})
    assert given.network.downsampling.kernel == 4
    one, every = ("network.stages.0.depth", 5), ("network.stages.all.depth", 3)
    for settings in (dict([one, every]), dict([every, one])):
        assert [stage.depth for stage in override(spec, settings).network.stages] == [5, 3, 3, 3]
    both = {"network.downsampling": {"kernel": 3}, "network.downsampling.bias": False}
    with pytest.raises(Problem, match="network.downsampling is set as a whole, and network.down"):
        override(spec, both)
    with pytest.raises(Problem, match="kernel has no effect here: network.downsampling is null"):
        override(PATH["12"].spec, {"network.downsampling.kernel": 3})


def test_a_setting_is_for_the_rows_in_which_it_has_an_effect():
    changed = PATH.overridden({"recipe.momentum": 0.8, "recipe.betas": [0.8, 0.9]})
    assert (changed["00"].spec.recipe.momentum, changed["01"].spec.recipe.momentum) == (0.8, 0.9)
    assert changed["00"].spec.recipe.betas == (0.9, 0.999)
    assert changed["01"].spec.recipe.betas == (0.8, 0.9)
    alone = PATH.overridden({"network.downsampling.kernel": 3})
    differing = [row.number for row, was in zip(alone, PATH, strict=True) if row.spec != was.spec]
    assert differing == ["13"]
    together = PATH.overridden({"recipe.optimizer": "sgd", "recipe.momentum": 0.8})
    assert {row.spec.recipe.momentum for row in together} == {0.8}
    with pytest.raises(Problem, match="mixup_switch has no effect here: recipe.mixup is 0"):
        PATH.overridden({"recipe.mixup": 0.0, "recipe.momentum": 0.8, "recipe.mixup_switch": 0.3})


def test_fields_without_effect_are_what_the_runner_does_not_read():
    """Every field has an effect in some shipped recipe, and those named so in none of theirs."""
    recipes = [PATH[row].spec.recipe for row in ("00", "01")]
    idle = [set(unused(recipe)) for recipe in recipes]
    threshold = "recipe.target_threshold"
    idle = [fields - {"recipe.power"} for fields in idle]  # no shipped row has schedule poly
    assert idle[0] == {
        "recipe.betas",
        "recipe.final_learning_rate",
        "recipe.mixup_switch",
        threshold,
        "recipe.mixup_per",
    }
    assert idle[1] == {
        "recipe.momentum",
        "recipe.step_epochs",
        "recipe.step_factor",
        threshold,
        "recipe.color_jitter",
    }


def test_epochs_alone_scale_what_is_counted_in_epochs():
    old, new = (override(PATH[row].spec, {"recipe.epochs": 30}).recipe for row in ("00", "13"))
    assert (old.epochs, old.step_epochs) == (30, 10)
    assert (new.epochs, new.warmup_epochs) == (30, 2)
    both = {"recipe.epochs": 30, "recipe.warmup_epochs": 5}
    assert override(PATH["13"].spec, both).recipe.warmup_epochs == 5


def test_editing_is_by_predicate_and_leaves_the_input():
    spec = PATH["13"].spec
    before = to_dict(spec)
    changed = edit_units(spec, is_depthwise, kernel=3)
    kernels = {unit.kernel for stage in changed.network.stages for unit in stage.block.units}
    assert kernels == {1, 3}
    longer = insert_after(spec, is_spatial, Convolution(width="same"))
    assert [len(stage.block.units) for stage in longer.network.stages] == [4, 4, 4, 4]
    assert to_dict(spec) == before


def test_difference_is_what_a_step_does():
    changed = difference(PATH["09"].spec, PATH["10"].spec)
    assert changed == [
        "- block, unit 1: 7×7 depthwise, same width, batch norm, gelu",
        "+ block, unit 1: 7×7 depthwise, same width, batch norm",
        "- block, after the addition: gelu",
        "+ block, after the addition: nothing",
    ]
    assert difference(PATH["05"].spec, PATH["05"].spec) == []
    assert difference(PATH["01"].spec, PATH["02"].spec) == [
        "- depths: 3, 4, 6, 3",
        "+ depths: 3, 3, 9, 3",
    ]


OTHER = {
    "mixup_per": 128, "sampling": "balanced", "class_weights": "balanced",
    "statistics": "data", "ema": 0.999,
    "epochs": 301, "image_size": 64, "batch": 64, "optimizer": "sgd", "learning_rate": 1.0,
    "base_batch": 64, "momentum": 0.5, "betas": (0.5, 0.5), "weight_decay": 0.5,
    "decay_norms_and_biases": True, "schedule": "step", "step_epochs": 5.0, "step_factor": 0.5,
    "warmup_epochs": 5.0, "final_learning_rate": 0.5, "label_smoothing": 0.5, "mixup": 0.5,
    "cutmix": 0.5, "mixup_switch": 0.25, "randaugment": "rand-m1", "erasing": 0.5,
    "optimizer_options": {"eps": 1e-6}, "no_decay": ("head.*",), "repeats": 2,
    "loss": "binary_cross_entropy", "target_threshold": 0.2, "color_jitter": 0.4,
    "evaluation_size": 288,
    "layer_decay": 0.5, "head_init_scale": 0.5, "freeze": ("stem",),
    "crop_scale": (0.5, 0.5), "flip": 0.25, "interpolation": "bilinear", "evaluation_crop": 0.5,
    "task": Segmentation(segmentation="upernet"), "milestones": (5.0,), "power": 0.9,
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Recipe)])
def test_every_field_of_a_recipe_shows_and_counts(name):
    spec = PATH["13"].spec
    given = {name: OTHER[name]} | ({"schedule": "multistep"} if name == "milestones" else {})
    other = replace(spec, recipe=replace(spec.recipe, **given))
    keys = {line.split(":")[0][2:] for line in difference(spec, other)}
    if name == "task":
        keys = {key.rpartition(".")[0] for key in keys}
    assert keys == {f"recipe.{key}" for key in given}
    assert other.fingerprint != spec.fingerprint


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-12", -12), ("1e-3", 1e-3), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0),
     ("1.5e+2", 150.0), ("010", "010"), ("1:30", "1:30"), ("0x10", "0x10"), ("05", "05")],
)  # fmt: skip
def test_numbers_are_those_of_yaml_1_2(text, value):
    """A batch of 010 is no batch of eight."""
    found = scalar(text)
    assert (found, type(found)) == (value, type(value))


def test_what_epochs_scale_is_said_unless_it_is_set_too():
    specs = [row.spec for row in PATH]
    said = scaled_with_epochs(specs, {"recipe.epochs": 30})
    assert said == (
        "recipe.epochs=30 also scales what is counted in epochs: step_epochs 30 → 10, "
        "warmup_epochs 20 → 2; --set changes them"
    )
    both = {"recipe.epochs": 30, "recipe.warmup_epochs": 5, "recipe.step_epochs": 9}
    assert scaled_with_epochs(specs, both) == ""
    assert scaled_with_epochs(specs, {"recipe.mixup": 0.5}) == ""
