"""Where the MACs, parameters and activations of a roadmap are: by stage, and by kind of layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.colours import KINDS
from analysis.figures.layer_boxes import convolution_kind
from analysis.figures.sheet.layout import (
    EDGE,
    GAP,
    LABELS,
    LETTER,
    Lines,
    heading,
    inches,
    panel,
    sheet,
    stacked,
    type_of,
)
from analysis.figures.sheet.legend import legend
from analysis.figures.sheet.row_labels import Label, labelled
from analysis.figures.sheet.style import TYPE, Drawing, applied
from analysis.figures.sheet.text import called, length
from analysis.figures.sheet.units import mac_unit
from analysis.subject import Subject
from roadmap.heads import spec_cost
from roadmap.plan import Layer
from roadmap.rows import Roadmap, Row

NARROW, WIDEST = 0.42, 1.1  # inches for labels in one column: of numbers; of the longest
COUNTED = ("macs", "params", "activations")

# Parts in the order in which they are drawn. Neighbours differ in lightness, for grey print.
BLUES = ("#C5D7F0", "#7BA7D7", "#3C6DA8", "#1B3563")  # of stages, from the fifth on again
STAGES = {
    "stem": "#BBBBBB",
    **{f"stage {number}": BLUES[(number - 1) % len(BLUES)] for number in range(1, 100)},
    "head": "#EE8866",
}


def stage_of(layer: Layer) -> str:
    """Return the part of the network that a layer is in."""
    where, _, rest = layer.name.partition(".")
    if where == "stages":
        return f"stage {int(rest.partition('.')[0]) + 1}"
    return where if where == "stem" else "head"


def kind_of(layer: Layer) -> str:
    """Return what a layer is, as far as cost is concerned."""
    if layer.kind == "convolution":
        return convolution_kind(layer)
    if layer.kind == "linear" and layer.name.startswith("roi_heads."):
        return "linear layers"
    named = {
        "linear": "classifier",
        "operation": "own operations",
        "transposed_convolution": "k×k",
    }
    return named.get(layer.kind, "norms, scales")


PARTS: dict[str, tuple[str, Callable[[Layer], str], Mapping[str, str]]] = {
    "stage": ("stage", stage_of, STAGES),
    "kind": ("kind of layer", kind_of, KINDS),
}


def shares(row: Row, by: str) -> dict[str, Counter[str]]:
    """Return what each part of a row's network has of `macs`, `params` and `activations`."""
    _, part_of, _ = PARTS[by]
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    for layer in spec_cost(row.spec).layers:
        for name in COUNTED:
            counts[name][part_of(layer.layer)] += getattr(layer, name)
    return counts


def draw_cost(roadmap: Roadmap, by: str, *, width: str = "two-column") -> Figure:
    """Draw stacked bars of every row; `by` is stage or kind. In one column rows have only numbers.

    Raises Problem for an unknown width.
    """
    rows = list(roadmap)
    words, _, colours = PARTS[by]
    counts = [shares(row, by) for row in rows]
    axis = {
        "macs": mac_unit(count["macs"].total() for count in counts),
        "params": ("parameters, M", 1e6),
        "activations": ("activations, M", 1e6),
    }
    lines = stacked([row.group for row in rows])
    narrow = width == "one-column"
    with applied():
        figure = sheet(lines, width)
        label_room = _label_room(rows) if narrow else LABELS[width]
        start = EDGE + label_room
        room = (figure.get_figwidth() - start) / len(COUNTED)
        for place, (name, (title, unit)) in enumerate(axis.items()):
            axes = panel(figure, start + place * room, room - GAP, lines, title)
            if place == 0:
                labels = [
                    Label(number=row.number, title="" if narrow else row.title) for row in rows
                ]
                labelled(axes, lines, labels, label_room)
            _stacks(axes, lines, [count[name] for count in counts], unit, colours)
        what = f"cost by {words}"
        heading(figure, what if narrow else f"{roadmap.title}: {what}", EDGE)
        parts = {part for count in counts for kinds in count.values() for part in kinds}
        patches = [Patch(color=colours[part], label=part) for part in colours if part in parts]
        legend(figure, patches, EDGE if narrow else start, 0.25, columns=6)
    return figure


def _label_room(rows: Sequence[Row]) -> float:
    """Return inches for the numbers of rows in one column."""
    size = TYPE["one-column"]
    return min(max(max(length(called(row.number, ""), size) for row in rows) + GAP, NARROW), WIDEST)


def _stacks(
    axes: Axes, lines: Lines, counts: list[Counter[str]], unit: float, parts: Mapping[str, str]
) -> None:
    size, wide = type_of(axes), inches(axes)
    totals = [count.total() / unit for count in counts]
    most = max(totals)
    decimals = 3 if most < 1 else 2 if most < 10 else 1
    room = (len(f"{most:.{decimals}f}") + 0.8) * LETTER * size / wide
    stop = most / (1 - room)
    axes.set_xlim(0, stop)
    ticks = MaxNLocator(max(round(2.4 * wide), 3), steps=[1, 2, 2.5, 5, 10]).tick_values(0, stop)
    axes.set_xticks([tick for tick in ticks if tick <= most])
    axes.xaxis.set_major_formatter("{x:g}")
    for y, count, total in zip(lines.rows, counts, totals, strict=True):
        left = 0.0
        for part, fill in parts.items():
            share = count[part] / unit
            if share:
                axes.barh(y, share, left=left, height=0.74, color=fill, linewidth=0, zorder=2)
                left += share
        axes.text(total + 0.03 / wide * stop, y, f"{total:.{decimals}f}", fontsize=size - 0.5,
                  va="center", zorder=3)  # fmt: skip


def cost_drawings(subject: Subject) -> list[Drawing]:
    """Return both figures, as `cost-by-stage` and `cost-by-kind`."""
    roadmap = subject.fitted
    last = roadmap.rows[-1].spec
    return [
        Drawing(
            name=f"cost-by-{by}",
            summary=(
                f"{roadmap.title}: multiply-accumulates, parameters and activations of every row "
                f"by {words}."
            ),
            details=(
                f"For one image of {last.recipe.image_size} pixels and {last.network.classes} "
                "classes. Activations: outputs of convolution and linear layers. Counted from the "
                "specs, exactly; nothing was trained."
            ),
            draw=partial(draw_cost, roadmap, by),
        )
        for by, (words, _, _) in PARTS.items()
    ]
