"""Where a roadmap's MACs, parameters and activations sit: by stage, and by kind of layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.figures.diagram import convolution_kind
from analysis.figures.sheet.kinds import KINDS
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    LETTER,
    Label,
    Lines,
    heading,
    inches,
    labelled,
    length,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.sheet.style import TYPE, WIDTHS, Drawing, applied
from roadmap.cost import LayerCost, cost
from roadmap.plan import Layer
from roadmap.rows import Roadmap, Row

NARROW, WIDEST = 0.42, 1.1  # inches for labels in one column: of numbers; of the longest


# What is counted, in the unit of its axis.
COUNTED = {
    "macs": ("GMACs", 1e9),
    "params": ("parameters, M", 1e6),
    "activations": ("activations, M", 1e6),
}


# Parts in the order in which they are drawn. Neighbours differ in lightness, for grey print.
BLUES = ("#C5D7F0", "#7BA7D7", "#3C6DA8", "#1B3563")  # of stages, from the fifth on again


STAGES = {
    "stem": "#BBBBBB",
    **{f"stage {number}": BLUES[(number - 1) % len(BLUES)] for number in range(1, 100)},
    "head": "#EE8866",
}


def stage_of(layer: Layer) -> str:
    """The part of the network that a layer lies in."""
    where, _, rest = layer.name.partition(".")
    return f"stage {int(rest.partition('.')[0]) + 1}" if where == "stages" else where


def kind_of(layer: Layer) -> str:
    """What a layer is, as far as cost is concerned."""
    if layer.kind == "convolution":
        return convolution_kind(layer)
    named = {"linear": "classifier", "operation": "own operations"}
    return named.get(layer.kind, "norms, scales")


PARTS: dict[str, tuple[Callable[[Layer], str], Mapping[str, str]]] = {
    "stage": (stage_of, STAGES),
    "kind": (kind_of, KINDS),
}


def shares(row: Row, by: str) -> dict[str, Counter[str]]:
    """What each part of a row's network has of `macs`, `params` and `activations`."""
    part_of, _ = PARTS[by]
    found: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    layers: tuple[LayerCost, ...] = cost(row.spec.network, row.spec.recipe.image_size).layers
    for each in layers:
        for name in COUNTED:
            found[name][part_of(each.layer)] += getattr(each, name)
    return found


def draw_cost(roadmap: Roadmap, by: str, *, width: str = "two-column") -> Figure:
    """Stacked bars of every row; `by` is stage or kind. In one column rows have numbers alone."""
    rows = list(roadmap)
    labels = _room(rows, width)
    found = [shares(row, by) for row in rows]
    lines = stacked([row.group for row in rows])
    with applied():
        figure = sheet(lines, width)
        start = EDGE + labels
        room = (WIDTHS[width] - start) / len(COUNTED)
        for number, (name, (title, unit)) in enumerate(COUNTED.items()):
            axes = panel(figure, start + number * room, room - GAP, lines, title)
            if number == 0:
                labelled(axes, lines, [_label(row, width) for row in rows], labels)
            _stacks(axes, lines, [each[name] for each in found], unit, PARTS[by][1])
        what = f"cost by {_words(by)}"
        heading(figure, what if width == "one-column" else f"{roadmap.title}: {what}", EDGE)
        there = {part for each in found for one in each.values() for part in one}
        _legend(figure, there, by, EDGE if width == "one-column" else start)
    return figure


def _room(rows: Sequence[Row], width: str) -> float:
    """For labels, in inches; in one column as much as the numbers of a study's variants take."""
    if width == "two-column":
        return LABELS[width]
    longest = max(length(row.number, TYPE["one-column"]) for row in rows)
    return min(max(longest + GAP, NARROW), WIDEST)


def _label(row: Row, width: str) -> Label:
    return Label(number=row.number, title=row.title if width == "two-column" else "")


def cost_drawings(roadmap: Roadmap) -> list[Drawing]:
    """Both figures, as `cost-by-stage` and `cost-by-kind`."""
    last = roadmap.rows[-1].spec
    counted = (
        f"for one image of {last.recipe.image_size} pixels and {last.network.classes} classes. "
        "Counted from the specs, exactly; nothing was trained."
    )
    return [
        Drawing(
            name=f"cost-by-{by}",
            caption=(
                f"{roadmap.title}: multiply-accumulates (GMACs), parameters and activations "
                "(outputs of convolution and linear layers) of every row by "
                f"{_words(by)}, {counted}"
            ),
            draw=partial(draw_cost, roadmap, by),
        )
        for by in PARTS
    ]


def _words(by: str) -> str:
    return {"stage": "stage", "kind": "kind of layer"}[by]


def _stacks(
    axes: Axes, lines: Lines, found: list[Counter[str]], unit: float, parts: Mapping[str, str]
) -> None:
    size, wide = type_of(axes.figure), inches(axes)
    totals = [each.total() / unit for each in found]
    decimals = 4 if max(totals) < 0.1 else 3 if max(totals) < 1 else 2 if max(totals) < 10 else 1
    room = (decimals + 3.5) * LETTER * size / wide
    stop = max(totals) / (1 - room)
    axes.set_xlim(0, stop)
    ticks = MaxNLocator(max(round(2.4 * wide), 3), steps=[1, 2, 2.5, 5, 10]).tick_values(0, stop)
    axes.set_xticks([tick for tick in ticks if tick <= max(totals)])
    axes.xaxis.set_major_formatter("{x:g}")
    for y, counts, total in zip(lines.rows, found, totals, strict=True):
        left = 0.0
        for part, fill in parts.items():
            length = counts[part] / unit
            if length:
                axes.barh(y, length, left=left, height=0.74, color=fill, linewidth=0, zorder=2)
                left += length
        axes.text(total + 0.03 / wide * stop, y, f"{total:.{decimals}f}", fontsize=size - 0.5,
                  va="center", zorder=3)  # fmt: skip


def _legend(figure: Figure, there: set[str], by: str, start: float) -> None:
    width, height = figure.get_size_inches()
    patches = [
        Patch(color=fill, label=part) for part, fill in PARTS[by][1].items() if part in there
    ]
    figure.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(start / width, 1 - 0.22 / height),
        ncols=6, frameon=False, fontsize=type_of(figure) - 0.5, handlelength=1.0, handleheight=0.8,
        handletextpad=0.4, columnspacing=1.2, borderpad=0, borderaxespad=0,
    )  # fmt: skip
