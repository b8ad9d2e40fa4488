"""The figure shows the numbers it is given, and the same numbers make the same bytes."""

import dataclasses

import pytest
from matplotlib.patches import Rectangle

from analysis.colours import COLOURS, colour
from analysis.figures.bars import aligned, table_bars
from analysis.figures.cost import draw_cost
from analysis.figures.paper import paper_bars
from analysis.figures.roadmap import draw, side_by_side
from analysis.figures.sheet.style import WIDTHS, Drawing, cleaned, save
from analysis.measures import MEASURES
from analysis.tables.table import tabulate
from roadmap.errors import Problem
from steps import BASE, STEPS
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

PAPER = paper_bars(load_roadmap("resnet50"))


def dots(axes) -> tuple[list[float], list[bool]]:
    """Where the dots of a panel are, and which are hollow."""
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    hollow = [mark.get_markerfacecolor() == "white" for mark in marks]
    return [mark.get_xdata()[0] for mark in marks], hollow


def drawn(axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", ["resnet50", "resnet200"])
@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_the_papers_figure(name, width):
    bars, printed = paper_bars(load_roadmap(name)), load_roadmap(name).paper.rows
    accuracy, cost = draw(bars, width=width).axes
    ends, hollow = dots(accuracy)
    numbers = [bar.number or "swin" for bar in bars.bars]
    assert numbers[:10] == ["00", "01", "02", "03", "04", "05", "06", "07", "08", "08-k5"]
    assert ends == pytest.approx([printed[number].top1 for number in numbers])
    start, stop = accuracy.get_xlim()
    assert 0 < start < min(ends) and max(ends) < stop and not drawn(accuracy)
    assert "The axis does not start at zero." in bars.details and cost.get_xlim()[0] == 0
    branches = [number for number, empty in zip(numbers, hollow, strict=True) if empty]
    assert branches == ["08-k5", "08-k9", "08-k11"]
    assert [f"{printed[number].gflops:.2f}" for number in numbers] == texts(cost)
    assert {"ResNet", '"patchify" stem', "inverted bottleneck", "08-k11"} <= set(texts(accuracy))
    spreads = sum(printed[number].std is not None for number in numbers)
    assert len(accuracy.containers) == spreads


def test_values_carry_their_spread_where_there_is_one():
    shown = texts(draw(PAPER).axes[0])
    assert {"76.13", "78.82 ± 0.07", "81.30", "Swin-T"} <= set(shown)


def test_missing_and_diverged_rows_are_shown_as_such(tiny, invented):
    runs = invented.study(tiny, without=("08-k9", "12"))
    runs.append(invented.record(tiny, "12", 0, 3.0, status="diverged"))
    accuracy, cost = draw(table_bars(tabulate(tiny, runs))).axes
    assert len(drawn(accuracy)) == 15 and {"–", "diverged (1)"} <= set(texts(accuracy))
    assert accuracy.get_xlim()[0] == 0 and accuracy.get_xlabel() == "top-1, %"
    assert len(texts(cost)) == 17


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_without_runs_there_is_no_panel_for_them(tiny, width):
    bars = table_bars(tabulate(tiny, []))
    (cost,) = draw(bars, width=width).axes
    assert cost.get_xlabel() == "MMACs" and "n = 0." in bars.summary
    assert {"00", "ResNet", "8.83"} <= set(texts(cost))


def test_small_differences_are_dots_since_bars_would_be_cut(tiny, invented):
    runs = [
        invented.record(tiny, row.number, 0, 90 + index / 100) for index, row in enumerate(tiny)
    ]
    accuracy = draw(table_bars(tabulate(tiny, runs)), width="one-column").axes[0]
    ends, _ = dots(accuracy)
    assert not drawn(accuracy) and min(ends) == 90 > accuracy.get_xlim()[0]


def test_a_measure_that_is_better_lower_names_its_axis_and_reference(tiny, invented):
    names = {"swin_tiny": 1.5, "other": 0.5}
    runs = [dataclasses.replace(run, loss=2.0 - run.top1 / 100) for run in invented.study(tiny)]
    runs += [
        dataclasses.replace(invented.reference(tiny, name), loss=loss)
        for name, loss in names.items()
    ]
    bars = table_bars(tabulate(tiny, runs, measure=MEASURES["loss"]))
    panel, _ = draw(bars).axes
    assert panel.get_xlabel() == "loss" and bars.reference == ("other", 0.5)
    assert "loss on fractals" in bars.summary and "top-1" not in bars.caption


@pytest.mark.slow
@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_labels_of_shipped_rows_are_never_cut(tiny, invented, width):
    ours = table_bars(tabulate(tiny, invented.study(tiny)))
    for figure in (
        draw(ours, width=width),
        side_by_side(PAPER, ours, titles=("paper", "here"), width=width),
        draw_cost(tiny, "kind", width=width),
    ):
        assert not [text for axes in figure.axes for text in texts(axes) if "…" in text]


def test_one_column_has_one_side_above_the_other(tiny, invented):
    ours = table_bars(tabulate(tiny, invented.study(tiny)))
    figure = side_by_side(PAPER, ours, titles=("paper", "here"), width="one-column")
    assert figure.get_figwidth() == WIDTHS["one-column"]
    theirs, _, own, _ = figure.axes
    assert theirs.get_position().y0 > own.get_position().y1
    assert "ResNet" in texts(theirs) and "ResNet" in texts(own)


def test_titles_of_users_cannot_draw_formulas_or_control_characters(tiny, invented, tmp_path):
    title = "costs $5_x$ \x1b[31m\x00\u202e"
    table = tabulate(tiny, invented.study(tiny, seeds=1))
    rows = [dataclasses.replace(row, title=title, group=title) for row in table.rows[:2]]
    bars = table_bars(dataclasses.replace(table, rows=tuple(rows), title=title, data=title))
    drawing = Drawing(name="one", summary=bars.summary, details=bars.details,
                      draw=lambda width: draw(bars, width=width))  # fmt: skip
    figure = cleaned(drawing.draw(width="two-column"))
    words = " ".join([*texts(figure.axes[0]), *(text.get_text() for text in figure.texts)])
    assert "costs $5_x$" in words
    for text in (words, (save(drawing, tmp_path)[-1]).read_text()):
        assert not {"\x1b", "\x00", "\u202e"} & set(text)


def test_side_by_side_has_common_rows(tiny, resnet50, invented):
    ours = table_bars(tabulate(tiny, invented.study(tiny)))
    left, right = aligned(PAPER, ours)
    assert [bar.number for bar in left.bars] == [bar.number for bar in right.bars]
    assert right.bars[-1].value is None and left.bars[-1].title == "Swin-T"
    figure = side_by_side(PAPER, ours, titles=("paper", "here"), width="two-column")
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.texts] == ["paper", "here"]


def test_aligned_keeps_the_order_of_rows_that_only_one_side_has(tiny, invented):
    ours = table_bars(tabulate(tiny, invented.study(tiny)))
    fewer = dataclasses.replace(ours, bars=ours.bars[:3] + ours.bars[5:])
    left, right = aligned(fewer, ours)
    assert [bar.number for bar in left.bars] == [bar.number for bar in ours.bars]
    assert left.bars[3].value is None and right.bars == ours.bars


def test_unknown_width():
    with pytest.raises(Problem, match="unknown width 'wide'"):
        draw(PAPER, title="", width="wide")


@pytest.mark.slow
def test_files_are_the_same_bytes_again_with_fonts_and_caption(tmp_path):
    bars = PAPER
    few = dataclasses.replace(bars, bars=bars.bars[7:10])  # quicker, and still with a hatched bar
    first, again = (
        save(
            Drawing(
                name="roadmap",
                summary=bars.summary,
                details=bars.details,
                draw=lambda width: draw(few),
            ),
            tmp_path / folder,
        )
        for folder in ("one", "two")
    )
    assert [path.name for path in first] == [
        f"roadmap.{end}" for end in ("pdf", "svg", "png", "txt")
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert b"/FontFile2" in first[0].read_bytes() and b"/Type3" not in first[0].read_bytes()
    assert b"<text" not in first[1].read_bytes() and b"<dc:date>" not in first[1].read_bytes()
    caption = first[3].read_text(encoding="utf-8")
    for part in ("ImageNet-1K", "n = 3 (00: 1, Swin-T: 1)", "300 epochs", "Table 10"):
        assert part in caption


def test_our_caption_names_data_recipe_and_runs(tiny, invented):
    caption = table_bars(tabulate(tiny, invented.study(tiny, without=("05",)))).caption
    sizes = "fractals (40 classes, 10,000 training images, 2,000 validation images)"
    for part in (sizes, "n = 3 (05: 0)", "row 00: SGD", "rows 01–13: AdamW"):
        assert part in caption


def test_every_group_has_a_colour_and_neighbours_differ_in_grey():
    def lightness(group: str) -> float:
        parts = [int(COLOURS[group][start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 116 * (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]) ** (1 / 3) - 16

    groups = list(dict.fromkeys([BASE.group, *(step.group for step in STEPS.values())]))
    assert set(groups) <= set(COLOURS) and len(set(COLOURS.values())) == len(COLOURS)
    for one, following in zip(groups, groups[1:], strict=False):
        assert abs(lightness(one) - lightness(following)) > 15
    assert colour("a group of the user's") == COLOURS["own steps"]


def test_references_of_each_side_have_rows_of_their_own(tiny, invented):
    runs = [*invented.study(tiny, seeds=1), invented.reference(tiny, "convnext_atto")]
    left, right = aligned(PAPER, table_bars(tabulate(tiny, runs)))
    assert [bar.title for bar in left.bars[-2:]] == ["Swin-T", "convnext_atto"]
    assert [bar.value for bar in left.bars[-2:]] == [81.3, None]
    assert [bar.value for bar in right.bars[-2:]] == [None, 90.0]


def test_one_row_alone_is_drawn_from_zero(tiny, invented):
    accuracy = draw(table_bars(tabulate(tiny, [invented.record(tiny, "05", 0, 62.0)]))).axes[0]
    assert accuracy.get_xlim()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("width", ["one-column", "two-column"])
@pytest.mark.parametrize("name", ["leave-one-out", "learning-rate", "orders", "micro-design"])
def test_labels_of_a_studys_variants_do_not_meet(name, width, invented):
    """Their numbers are words, and longer than those of rows."""
    study = load_study(name)
    runs = [invented.record(study.roadmap, row.number) for row in study.roadmap][:8]
    for figure in (
        draw(table_bars(tabulate(study.roadmap, runs)), width=width),
        draw_cost(study.roadmap, "kind", width=width),
    ):
        figure.draw_without_rendering()
        axes = figure.axes[0]
        left = axes.get_window_extent().x0
        titles = [text for text in axes.texts if text.get_text() and text.get_weight() != "bold"]
        boxes = [text.get_window_extent() for text in titles]
        boxes = [box for box in boxes if box.x0 < left]  # a group's name has a line of its own
        for place, one in enumerate(boxes):
            assert one.x0 >= 0 and one.x1 <= left
            for other in boxes[place + 1 :]:
                apart = one.x1 <= other.x0 or other.x1 <= one.x0
                assert apart or abs(one.y0 - other.y0) > 5
