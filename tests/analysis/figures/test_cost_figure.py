"""The figure of cost shows the walk's numbers, part by part."""

from dataclasses import replace

import pytest

from analysis.colours import KINDS
from analysis.figures.cost import COUNTED, PARTS, STAGES, cost_drawings, draw_cost, shares
from analysis.subject import Subject
from roadmap.cost import cost
from roadmap.edit import edit_network
from roadmap.heads import spec_cost
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

UNITS = {"macs": 1e9, "params": 1e6, "activations": 1e6}


@pytest.mark.parametrize("by", PARTS)
def test_parts_are_all_of_a_row(resnet50, by):
    for row in resnet50:
        found = shares(row, by)
        walked = cost(row.spec.network, row.spec.recipe.image_size)
        for name in COUNTED:
            assert found[name].total() == getattr(walked, name)
            assert set(found[name]) <= set(PARTS[by][2])


def test_kinds_and_stages_of_known_networks(resnet50):
    last = shares(resnet50["13"], "kind")
    assert last["params"]["classifier"] == 768 * 1000 + 1000
    depths_and_widths = zip((3, 3, 9, 3), (96, 192, 384, 768), strict=True)
    depthwise = sum(depth * width * (49 + 1) for depth, width in depths_and_widths)
    assert last["params"]["depthwise"] == depthwise  # 7×7 kernels and biases
    first = shares(resnet50["00"], "stage")
    assert first["macs"]["stem"] == 64 * 3 * 49 * 112**2
    assert first["macs"]["head"] == 2048 * 1000


@pytest.mark.parametrize(("by", "parts"), [("stage", STAGES), ("kind", KINDS)])
def test_bars_are_as_long_as_the_numbers_beside_them(resnet50, by, parts):
    figure = draw_cost(resnet50, by)
    for axes, (name, unit) in zip(figure.axes, UNITS.items(), strict=True):
        ends = {}
        for bar in axes.patches:
            middle = round(bar.get_y() + bar.get_height() / 2, 6)
            ends[middle] = max(ends.get(middle, 0), bar.get_x() + bar.get_width())
        walked = [getattr(cost(row.spec.network, 224), name) / unit for row in resnet50]
        assert list(ends.values()) == pytest.approx(walked)
        printed = axes.texts[-len(walked) :]  # after the labels of rows
        numbers = [float(text.get_text()) for text in printed]
        assert numbers == pytest.approx(walked, abs=0.051)
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.texts} <= set(parts)


def test_captions_say_what_was_counted(tiny):
    by_stage, by_kind = cost_drawings(Subject(roadmap=tiny, study=load_study("path"), records=()))
    assert (by_stage.name, by_kind.name) == ("cost-by-stage", "cost-by-kind")
    caption = by_kind.caption
    assert "48 pixels and 20 classes" in caption and "exactly" in caption


def test_a_fifth_stage_has_its_part_of_the_bar(tiny):
    spec = tiny["05"].spec
    stages = (*spec.network.stages, spec.network.stages[-1])
    row = replace(tiny["05"], spec=edit_network(spec, stages=stages), before=None)
    found = shares(row, "stage")["macs"]
    assert found["stage 5"] > 0
    axes = draw_cost(replace(tiny, rows=(row,)), "stage").axes[0]
    reach = max(bar.get_x() + bar.get_width() for bar in axes.patches)
    assert reach == pytest.approx(found.total() / 1e6)


def test_a_task_shows_backbone_and_head():
    """No operations stand under norms, and the box head is no classifier."""
    row = load_roadmap("resnet50").for_task("detection")["13"]
    total = spec_cost(row.spec)
    for by in ("stage", "kind"):
        found = shares(row, by)
        assert found["macs"].total() == total.macs
        assert found["params"].total() == total.params
    kinds, stages = shares(row, "kind")["macs"], shares(row, "stage")["macs"]
    assert kinds["norms, scales"] == 0 and "classifier" not in kinds
    assert kinds["linear layers"] > 0
    assert set(stages) == {"stem", "stage 1", "stage 2", "stage 3", "stage 4", "head"}
