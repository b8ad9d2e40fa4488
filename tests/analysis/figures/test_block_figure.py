"""Diagrams of blocks against the paper's Figure 3 and Figure 4, and what they mark as changed."""

from dataclasses import replace

import pytest
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text

from analysis.figures.block import draw_block, row_drawing
from analysis.figures.diagram import diagram, marked, plain
from analysis.figures.layer_boxes import Box
from analysis.figures.sheet.style import save
from analysis.figures.strip import COLUMNS, SCALE, draw_strip, strip_drawing
from roadmap.cli.main import main
from roadmap.edit import edit_network, insert_after, is_spatial
from roadmap.errors import Problem
from roadmap.spec import Operation, Stage
from steps.roadmaps.load import load_roadmap


def shown(row, **wanted):
    (block,) = diagram(row).blocks
    return [
        (box.text, box.detail)
        for box in block.branch
        if all(getattr(box, key) == each for key, each in wanted.items())
    ]


def convolutions(row):
    (block,) = diagram(row).blocks
    return [(box.text, box.detail) for box in block.branch if box.channels]


def test_blocks_are_those_of_the_papers_figures_3_and_4(resnet50):
    assert convolutions(resnet50["00"]) == [
        ("1×1", "256 → 64"),
        ("3×3", "64 → 64"),
        ("1×1", "64 → 256"),
    ]
    assert convolutions(resnet50["05"]) == [
        ("1×1", "384 → 96"),
        ("3×3 depthwise", "96 → 96, groups 96"),
        ("1×1", "96 → 384"),
    ]
    assert convolutions(resnet50["06"]) == [
        ("1×1", "96 → 384"),
        ("3×3 depthwise", "384 → 384, groups 384"),
        ("1×1", "384 → 96"),
    ]
    assert convolutions(resnet50["07"]) == [
        ("3×3 depthwise", "96 → 96, groups 96"),
        ("1×1", "96 → 384"),
        ("1×1", "384 → 96"),
    ]
    (block,) = plain(resnet50["13"].spec).blocks
    assert [box.text for box in block.branch] == ["7×7 depthwise", "LayerNorm", "1×1", "GELU",
                                                  "1×1", "layer scale"]  # fmt: skip
    assert (block.incoming, block.outgoing, block.after) == ("96 × 56 × 56",) * 2 + ((),)


def test_what_a_step_changes_is_marked_and_what_it_removes_stays_visible(resnet50):
    assert shown(resnet50["04"], change="new") == [("3×3 depthwise", "64 → 64, groups 64")]
    assert shown(resnet50["08"], change="new") == [("7×7 depthwise", "96 → 96, groups 96")]
    assert shown(resnet50["10"], change="gone") == [("GELU", "")]
    assert shown(resnet50["11"], change="gone") == [("BatchNorm", ""), ("BatchNorm", "")]
    assert shown(resnet50["12"], change="new") == [("LayerNorm", "")]
    assert len(shown(resnet50["06"], change="new")) == 3
    assert not shown(resnet50["00"], change="new")
    parts = [(box.text, box.change) for box in diagram(resnet50["03"]).parts[:4]]
    assert parts == [("4×4, stride 4", "new"), ("BatchNorm", "gone"), ("ReLU", "gone"),
                     ("max-pool 3×3, stride 2", "gone")]  # fmt: skip
    new = [box.text for box in diagram(resnet50["01"]).parts if box.change == "new"]
    assert new == ["recipe: AdamW, 300 epochs", "mixup, cutmix", "RandAugment, erasing",
                   "drop path 0.1"]  # fmt: skip


@pytest.mark.parametrize("runs", ["no-such-folder", "runs"])
def test_block_needs_no_folder_of_runs(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = ["--roadmap", "inceptionnext", "--row", "07", "--runs", runs, "--out", "figures"]
    assert main(["plot", "block", *given]) == 0
    assert "figures/block-07.svg" in capsys.readouterr().out


def test_the_parts_of_a_parallel_convolution_fit_its_box():
    drawn = draw_strip(load_roadmap("inceptionnext"))
    texts = [text.get_text() for text in drawn.findobj(Text)]
    assert "3×3|1×11|11×1" in texts


def test_side_branches_are_marked_against_the_row_they_start_from(resnet50):
    assert shown(resnet50["08-k11"], change="new") == [("11×11 depthwise", "96 → 96, groups 96")]


def test_a_box_that_moved_is_new_once_and_one_that_is_gone_is_dashed():
    one, two, three = (Box(kind=kind, text=kind) for kind in ("norm", "operation", "activation"))
    changes = [box.change for box in marked((one, two), (two, one))]
    assert sorted(changes) == ["", "gone", "new"]
    assert [box.change for box in marked((one, three), (one,))] == ["", "gone"]


def test_operations_of_the_users_own_and_blocks_that_differ_by_stage_are_drawn(tiny):
    operation = Operation(
        operation="attention",
        parameters={"ratio": 4},
        build=lambda channels, ratio: None,
        cost=lambda channels, height, width, ratio: {"macs": 0, "params": 0, "activations": 0},
    )
    row = tiny["05"]
    spec = insert_after(row.spec, is_spatial, operation)
    (block,) = plain(spec).blocks
    assert ("attention", "ratio 4") in [(box.text, box.detail) for box in block.branch]
    stages = row.spec.network.stages
    last = Stage(
        depth=2,
        width=stages[-1].width,
        block=load_roadmap("tiny")["07"].spec.network.stages[-1].block,
    )
    mixed = edit_network(row.spec, stages=(*stages[:-1], last))
    assert [block.stages for block in plain(mixed).blocks] == [(1, 2, 3), (4,)]
    words = texts(draw_block(replace(row, spec=mixed)))
    assert {"block of stages 1, 2, 3", "block of stage 4"} <= set(words)


def test_each_stage_is_compared_with_its_own_block_of_the_row_before(tiny):
    """Blocks that alternate; then the last stage's kernel alone changes."""
    row = tiny["08"]
    first, second, third, fourth = row.spec.network.stages
    other = tiny["06"].spec.network.stages[0].block
    alternating = edit_network(
        row.spec, stages=(first, replace(second, block=other), third, replace(fourth, block=other))
    )
    before = replace(row, spec=alternating)
    found = diagram(replace(row, spec=alternating, before=row))
    assert [(block.where, block.is_new) for block in found.blocks] == [
        ("stages 1, 3", False),
        ("stages 2, 4", True),
    ]
    last = edit_network(alternating, stages=(*alternating.network.stages[:3], fourth))
    found = diagram(replace(row, spec=last, before=before))
    assert [(block.where, block.is_new) for block in found.blocks] == [
        ("stages 1, 3", False),
        ("stage 2", False),
        ("stage 4", True),
    ]
    for width in ("one-column", "two-column"):
        figure = draw_block(replace(row, spec=last, before=before), width=width)
        assert inside(figure) and not [text for text in texts(figure) if "…" in text]
    (words,) = [
        text
        for text in texts(draw_strip(replace(tiny, rows=(replace(row, spec=last, before=before),))))
        if text.startswith("block of")
    ]
    assert words == "block of stage 4"


def test_a_projection_stands_beside_the_branch(tiny):
    """A stage of one block, which strides: nothing lies over anything."""
    row = tiny["04"]
    stages = tuple(replace(stage, depth=1) for stage in row.spec.network.stages)
    shallow = replace(row, spec=edit_network(row.spec, stages=stages))
    (block,) = plain(shallow.spec).blocks
    assert block.shortcut
    axes = draw_block(shallow).axes[0]
    boxes = [
        patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)
    ]
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            tall = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert wide < 1 or tall < 4, (one, other)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "cifar", "resnet50", "resnet200"])
def test_no_box_of_any_shipped_row_is_cut_short_or_leaves_the_sheet(name):
    for row in load_roadmap(name):
        figure = draw_block(row)
        assert not [text for text in texts(figure) if "…" in text], row.number
        assert inside(figure), row.number


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_the_strip_shows_every_row_once_and_stays_on_the_sheet(resnet50, width):
    figure = draw_strip(resnet50, width=width)
    bold = [text.get_text() for axes in figure.axes for text in axes.texts
            if text.get_weight() == "bold" and text.get_size() == SCALE.size + 1]  # fmt: skip
    assert bold == [row.number for row in resnet50]
    assert inside(figure) and len(resnet50.rows) > COLUMNS[width]


def inside(figure):
    """Whether every text lies on the sheet, to a hundredth of an inch."""
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    slack = 0.01 * figure.dpi
    return all(
        box.x0 > -slack and box.y0 > -slack and box.x1 < width + slack and box.y1 < height + slack
        for box in boxes
    )


def test_two_columns_show_the_block_of_the_row_before(resnet50):
    words = texts(draw_block(resnet50["07"], width="two-column"))
    assert {"block of row 06", "block of row 07"} <= set(words)
    assert "block of row 06" not in texts(draw_block(resnet50["07"]))
    with pytest.raises(Problem, match="three-column"):
        draw_block(resnet50["07"], width="three-column")


@pytest.mark.slow
def test_files_and_captions(tiny, tmp_path):
    drawings = [row_drawing(tiny["08"]), strip_drawing(tiny)]
    files = [path for drawing in drawings for path in save(drawing, tmp_path)]
    assert {path.name for path in files} == {
        f"{name}.{kind}" for name in ("block-08", "blocks") for kind in ("pdf", "png", "svg", "txt")
    }
    caption = (tmp_path / "block-08.txt").read_text()
    assert "48 pixels" in caption and "compared with row 07" in caption
