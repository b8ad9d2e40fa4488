"""Names of roadmaps with a scale and a task."""

import pytest

from roadmap.errors import Problem
from steps.roadmaps.load import load_roadmap
from steps.roadmaps.names import full_name, split_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tiny", ("tiny", "", "")),
        ("resnet50@tiny:detection", ("resnet50", "tiny", "detection")),
        ("a@b/mine.yaml@tiny", ("a@b/mine.yaml", "tiny", "")),
        ("a:b/mine.yaml", ("a:b/mine.yaml", "", "")),
        ("tiny:", ("tiny:", "", "")),
    ],
)
def test_a_name_is_split(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("name", "scale", "task", "whole"),
    [
        ("tiny", None, "detection", "tiny:detection"),
        ("tiny:detection", None, "detection", "tiny:detection"),
        ("resnet50:detection", "tiny", None, "resnet50@tiny:detection"),
        ("resnet50@tiny", "tiny", None, "resnet50@tiny"),
    ],
)
def test_the_same_task_and_scale_may_be_named_twice(name, scale, task, whole):
    assert full_name(name, scale=scale, task=task) == whole


@pytest.mark.parametrize(
    ("name", "scale", "task", "words"),
    [
        ("tiny:detection", None, "segmentation",
         "--roadmap tiny:detection and --task segmentation name two tasks; give one"),
        ("resnet50@tiny", "cifar", None,
         "--roadmap resnet50@tiny and --scale cifar name two scales; give one"),
        ("tiny", None, "a.b", "unknown task 'a.b'; valid: classification, detection, segm"),
        ("tiny", "a.b", None, "unknown scale 'a.b'; valid: tiny, cifar"),
    ],
)  # fmt: skip
def test_two_different_ones_and_unknown_ones_are_refused(name, scale, task, words):
    with pytest.raises(Problem, match=words):
        full_name(name, scale=scale, task=task)


def test_a_roadmap_may_start_from_a_row_of_a_task(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: {roadmap: 'tiny:detection', row: '05'}\nrows: []\n")
    base = load_roadmap(tmp_path / "mine.yaml")["00"]
    assert base.spec == load_roadmap("tiny:detection")["05"].spec
