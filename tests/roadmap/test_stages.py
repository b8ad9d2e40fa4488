"""Edits of single stages, and what they look like in words."""

import pytest

from roadmap.cost import cost
from roadmap.edit import edit_blocks, edit_units, insert_after, is_spatial, replace
from roadmap.errors import StepError
from roadmap.spec import Operation
from roadmap.text import counted, difference, lines
from steps.roadmaps.load import load_roadmap

SE = Operation(operation="se")


@pytest.fixture(scope="module")
def spec():
    return load_roadmap("tiny")["05"].spec


def test_an_edit_of_two_stages_is_one_line(spec):
    made = insert_after(spec, is_spatial, SE, stages=(2, 3))
    assert difference(spec, made) == ["  stages 3, 4: + se after unit 2"]
    assert difference(made, spec) == ["  stages 3, 4: - se (unit 3)"]
    assert [len(stage.block.units) for stage in made.network.stages] == [3, 3, 4, 4]


def test_a_changed_field_names_before_and_after(spec):
    made = edit_units(spec, is_spatial, stages=(3,), kernel=7)
    (line,) = difference(spec, made)
    assert line.startswith("  stage 4: unit 2: 3×3 depthwise") and "→ 7×7 depthwise" in line
    assert cost(made.network, 48).macs > cost(spec.network, 48).macs


def test_stages_with_one_block_are_described_once(spec):
    made = edit_blocks(spec, lambda block: replace(block, expansion=2), stages=(0,))
    text = "\n".join(lines(made))
    assert "block of stage 1, wide is 2 × narrow" in text
    assert "block of stages 2, 3, 4, unit 1: " in text
    assert difference(spec, made) == ["  stage 1: + wide is 2 × narrow"]


def test_an_edit_of_all_stages_reads_as_before(spec):
    made = edit_units(spec, is_spatial, kernel=5)
    assert [line[:2] for line in difference(spec, made)] == ["- ", "+ "]


@pytest.mark.parametrize("stages", [(4,), (-1,), ("2",)])
def test_a_stage_that_is_not_there(spec, stages):
    with pytest.raises(StepError, match="the network has no stage .*; valid: 0, 1, 2, 3"):
        edit_units(spec, is_spatial, stages=stages, kernel=5)


def test_numbers_with_their_nouns():
    shown = [counted(1, "point"), counted(2000, "field"), counted(1, "class"), counted(3, "class")]
    assert shown == ["1 point", "2,000 fields", "1 class", "3 classes"]
