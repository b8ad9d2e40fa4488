"""The recipes for detection and segmentation: each constant of the paper and of its release."""

import dataclasses

import pytest
import yaml

from roadmap.errors import Problem
from roadmap.heads import task_cost
from roadmap.override import override, unused
from roadmap.spec import Recipe, from_dict, to_dict
from steps.config import Config
from steps.recipes.load import load_recipe
from steps.roadmaps.load import load_roadmap

ADAMW = {
    "batch": 16, "base_batch": 16, "optimizer": "adamw", "betas": (0.9, 0.999),
    "weight_decay": 0.05, "flip": 0.5, "interpolation": "bilinear", "statistics": "imagenet",
}  # fmt: skip
MASK_RCNN = {
    "detection": "mask_rcnn", "long_side": 1333, "pyramid": 256,
    "anchors": (32, 64, 128, 256, 512), "candidates": (2000, 1000), "proposals": (1000, 1000),
    "sampled": (256, 512), "box_features": 1024, "mask_convolutions": 4, "detections": 100,
    "cost_size": (800, 1280),
}  # fmt: skip
COCO = ADAMW | {
    "learning_rate": 1e-4, "image_size": 800, "schedule": "multistep", "step_factor": 0.1,
    "warmup_epochs": 0.0682, "layer_decay": 0.95,
}  # fmt: skip
TINY = ADAMW | {
    "learning_rate": 5e-3, "epochs": 7, "image_size": 96, "schedule": "cosine", "warmup_epochs": 1,
    "final_learning_rate": 0, "layer_decay": 1,
}  # fmt: skip
RECIPES = {
    "coco-mask-rcnn-3x": (
        COCO | {"epochs": 36, "milestones": (27, 33)},
        MASK_RCNN | {"short_sides": tuple(range(480, 801, 32)), "crops": True},
    ),
    "coco-mask-rcnn-1x": (
        COCO | {"epochs": 12, "milestones": (8, 11)},
        MASK_RCNN | {"short_sides": (800,), "crops": False},
    ),
    "ade20k-upernet": (
        ADAMW | {
            "epochs": 127, "image_size": 512, "learning_rate": 1e-4, "schedule": "poly",
            "power": 1, "final_learning_rate": 0, "warmup_epochs": 1.1876, "layer_decay": 0.9,
        },
        {
            "segmentation": "upernet", "short_side": 512, "long_side": 2048, "scales": (0.5, 2.0),
            "most_of_class": 0.75, "photometric": True, "channels": 512, "dropout": 0.1,
            "auxiliary": 0.4, "window_stride": 341, "cost_size": (512, 2048),
        },
    ),
    "tiny-detection": (
        TINY,
        {
            "detection": "mask_rcnn", "short_sides": (96,), "long_side": 96, "crops": False,
            "pyramid": 32, "anchors": (16, 32, 48, 96), "candidates": (200, 200),
            "proposals": (100, 50), "sampled": (64, 32), "box_features": 128,
            "mask_convolutions": 2, "detections": 20, "cost_size": (96, 96),
        },
    ),
    "tiny-segmentation": (
        TINY | {"epochs": 12, "batch": 8, "base_batch": 8, "learning_rate": 1e-2},
        {
            "segmentation": "upernet", "short_side": 96, "long_side": 96, "scales": (0.9, 1.1),
            "most_of_class": 0.75, "photometric": False, "channels": 32, "dropout": 0.1,
            "auxiliary": 0, "window_stride": None, "cost_size": (96, 96),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_constants(name):
    recipe = load_recipe(name)
    whole, task = RECIPES[name]
    assert {field: getattr(recipe, field) for field in whole} == whole
    assert {field: getattr(recipe.task, field) for field in task} == task
    assert {field.name for field in dataclasses.fields(recipe.task)} == set(task)
    idle = {key.removeprefix("recipe.") for key in unused(recipe)}
    rest = {field.name: field for field in dataclasses.fields(Recipe)}
    for field in set(rest) - set(whole) - idle - {"task"}:
        assert getattr(recipe, field) == rest[field].default, field


def test_warm_up_and_length_in_steps():
    """COCO has 117,266 training images with objects, ADE20K 20,210."""
    for name in ("coco-mask-rcnn-3x", "coco-mask-rcnn-1x"):
        assert round(load_recipe(name).warmup_epochs * 7330) == 500
        assert round(load_recipe(name).warmup_epochs * (117_266 // 16)) == 500
    recipe = load_recipe("ade20k-upernet")
    assert round(recipe.warmup_epochs * (20_210 // 16)) == 1500
    assert recipe.epochs * (20_210 // 16) == 160_401


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_fits(name):
    recipe = load_recipe(name)
    for row in load_roadmap("tiny" if name.startswith("tiny") else "resnet50"):
        assert task_cost(dataclasses.replace(row.spec, recipe=recipe)).head.params > 0


def test_a_field_of_a_task_is_set():
    whole = {"recipe": to_dict(load_recipe("tiny-detection")), "recipe.task.pyramid": 16}
    rows = Config(roadmap="tiny", overrides=whole).roadmap
    assert {row.spec.recipe.task.pyramid for row in rows} == {16}


def test_windows_that_leave_out_pixels_are_refused():
    spec = load_roadmap("resnet50").for_task("segmentation")["13"].spec
    with pytest.raises(Problem, match="window_stride 513 must be at most image_size 512"):
        override(spec, {"recipe.task.window_stride": 513})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"recipe.interpolation": "bicubic"}, "interpolation has no effect here: detectors resize"),
        ({"recipe.task.detection": "faster_rcnn", "recipe.task.mask_convolutions": 2},
         "mask_convolutions has no effect here: recipe.task.detection is 'faster_rcnn'"),
        ({"recipe.mixup": 0.5}, "mixup has no effect here: recipe.task is 'detection'"),
    ],
)  # fmt: skip
def test_settings_without_effect_in_detection_are_refused(settings, words):
    roadmap = load_roadmap("tiny:detection")
    with pytest.raises(Problem, match=words):
        roadmap.overridden(settings)
    same = roadmap.overridden({"recipe.interpolation": "bilinear"})
    assert [row.spec for row in same] == [row.spec for row in roadmap]


FAULTS = [
    ("detection", {"pyramid": "32"}, "task.pyramid: input should be a valid integer, got '32'"),
    ("detection", {"pyramid": -1}, "task.pyramid: input should be greater than or equal to 1"),
    ("detection", {"pyramid": None}, "task.pyramid: input should be a valid integer, got None"),
    ("detection", {"detection": "yolo"}, "task.detection: input should be 'faster_rcnn' or 'mask_"),
    ("detection", {"short_sides": ...}, "key 'task.short_sides' is missing"),
    ("detection", {"proposals": [100]}, "task.proposals: value 2 is missing"),
    ("detection", {"box_features": 128.5}, "task.box_features: input should be a valid integer"),
    ("detection", {"anchors": []}, "task.anchors: tuple should have at least 1 item"),
    ("detection", {"piramid": 32}, "'task.piramid'; did you mean 'pyramid'? valid: detection, "),
    ("detection", {"segmentation": "fpn"}, "unknown key 'task.segmentation'; valid: detection, "),
    ("detection", {"detection": ...}, "task: input should be null, {detection: faster_rcnn or "),
    ("segmentation", {"segmentation": "unet"}, "task.segmentation: input should be 'upernet'"),
    ("segmentation", {"channels": "x"}, "task.channels: input should be a valid integer"),
    ("segmentation", {"chanels": 8}, "'task.chanels'; did you mean 'channels'? valid: segm"),
]


@pytest.mark.parametrize(("task", "change", "words"), FAULTS)
def test_a_wrong_value_of_a_task_is_named_with_its_line(tmp_path, task, change, words):
    """A recipe in a file of its own, and one in a roadmap's `tasks`."""
    recipe = to_dict(load_recipe(f"tiny-{task}"))
    given = recipe.pop("task") | change
    ((key, value),) = change.items()
    if value is ...:
        del given[key]
    lines = yaml.safe_dump({**recipe, "task": given}, sort_keys=False).splitlines()
    place = next((line for line in lines if line.startswith(f"  {key}:")), "task:")
    (tmp_path / "mine.yaml").write_text("\n".join(lines))
    with pytest.raises(Problem) as fault:
        load_recipe(tmp_path / "mine.yaml")
    assert str(fault.value).startswith(f"{tmp_path}/mine.yaml:{lines.index(place) + 1}: ")
    assert words in str(fault.value)
    before = ["base: {roadmap: tiny}", "rows: []", "tasks:", f"  {task}:", "    recipe:"]
    (tmp_path / "road.yaml").write_text("\n".join(before + [f"      {line}" for line in lines]))
    with pytest.raises(Problem) as fault:
        load_roadmap(tmp_path / "road.yaml")
    assert f"road.yaml:{len(before) + lines.index(place) + 1}: recipe: " in str(fault.value)
    assert words in str(fault.value)


def test_a_task_that_is_no_mapping_is_refused_with_the_valid_ones():
    recipe = to_dict(load_recipe("tiny-detection")) | {"task": "classification"}
    with pytest.raises(Problem, match="task: .* null, {detection: .*upernet or fpn, …}, got 'clas"):
        from_dict(Recipe, recipe)
    with pytest.raises(Problem, match="unknown key 'piramid'; did you mean 'pyramid'"):
        override(
            load_roadmap("tiny:detection")["13"].spec,
            {"recipe.task": {"detection": "mask_rcnn", "short_sides": [96], "piramid": 32}},
        )
