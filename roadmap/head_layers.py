"""The layers of the heads of detection and segmentation, with shapes. No torch here.

The heads are torchvision's and segmentation-models-pytorch's; `experiments.tasks` builds them. A
layer's name is the path of its module there. The box head counts as many regions as the recipe's
`proposals` for validation, and the mask head as many as its `detections`, for every image.
Layers that only training uses have parameters and no positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from roadmap.kinds import LayerKind
from roadmap.plan import Layer, Layers, Shape
from roadmap.tasks import Detection, Segmentation, Task

ASPECT_RATIOS = (0.5, 1.0, 2.0)  # of anchors: height / width
BOX_SIDE, MASK_SIDE = 7, 14  # positions a side of a region in the box head and in the mask head
POOLED = (1, 2, 3, 6)  # positions a side in UPerNet's pyramid of pooled features
AUXILIARY = 256  # channels of the second head of segmentation


def head_layers(shapes: Sequence[Shape], task: Task, classes: int) -> Layers:
    """Return a head's layers on features of these shapes, from fine to coarse.

    `classes` does not count the ground of detection. A layer that runs on several maps or regions
    has the positions of all of them.
    """
    if isinstance(task, Detection):
        return tuple(_detection(shapes, task, classes + 1))
    return tuple(_segmentation(shapes, task, classes))


def _convolution(
    name: str, channels: int, outputs: Shape, kernel: int = 1, bias: bool = True
) -> Layer:
    """Return a convolution with stride 1 that keeps the resolution."""
    return Layer(
        name=name, kind=LayerKind.CONVOLUTION, inputs=(channels, *outputs[1:]), outputs=outputs,
        kernel=kernel, padding=kernel // 2, bias=bias,
    )  # fmt: skip


def _detection(shapes: Sequence[Shape], task: Detection, classes: int) -> Iterator[Layer]:
    width = task.pyramid
    maps = [(width, rows, columns) for _, rows, columns in shapes]
    for index, (shape, made) in enumerate(zip(shapes, maps, strict=True)):
        yield _convolution(f"backbone.fpn.inner_blocks.{index}.0", shape[0], made)
        yield _convolution(f"backbone.fpn.layer_blocks.{index}.0", width, made, 3)
    for _ in range(len(task.anchors) - len(shapes)):
        _, rows, columns = maps[-1]
        maps.append((width, (rows - 1) // 2 + 1, (columns - 1) // 2 + 1))
    positions = sum(rows * columns for _, rows, columns in maps)
    anchors = len(ASPECT_RATIOS)
    yield _convolution("rpn.head.conv.0.0", width, (width, positions, 1), 3)
    yield _convolution("rpn.head.cls_logits", width, (anchors, positions, 1))
    yield _convolution("rpn.head.bbox_pred", width, (4 * anchors, positions, 1))
    yield from _boxes(task, classes)
    if task.has_masks:
        yield from _masks(task, classes)


def _boxes(task: Detection, classes: int) -> Iterator[Layer]:
    widths = (task.pyramid * BOX_SIDE**2, task.box_features, task.box_features)
    regions = task.proposals[1]
    for name, before, after in (
        ("box_head.fc6", *widths[:2]),
        ("box_head.fc7", *widths[1:]),
        ("box_predictor.cls_score", widths[-1], classes),
        ("box_predictor.bbox_pred", widths[-1], 4 * classes),
    ):
        yield Layer(
            name=f"roi_heads.{name}", kind=LayerKind.LINEAR, inputs=(before, regions, 1),
            outputs=(after, regions, 1), bias=True,
        )  # fmt: skip


def _masks(task: Detection, classes: int) -> Iterator[Layer]:
    width, rows = task.pyramid, task.detections * MASK_SIDE  # regions one below the other
    made = (width, rows, MASK_SIDE)
    for index in range(task.mask_convolutions):
        yield _convolution(f"roi_heads.mask_head.{index}.0", width, made, 3)
    twice = (width, 2 * rows, 2 * MASK_SIDE)
    yield Layer(
        name="roi_heads.mask_predictor.conv5_mask", kind=LayerKind.TRANSPOSED_CONVOLUTION,
        inputs=made, outputs=twice, kernel=2, stride=2, bias=True,
    )  # fmt: skip
    yield _convolution("roi_heads.mask_predictor.mask_fcn_logits", width, (classes, *twice[1:]))


def _segmentation(shapes: Sequence[Shape], task: Segmentation, classes: int) -> Iterator[Layer]:
    width = task.channels
    yield from (_upernet if task.segmentation == "upernet" else _fpn)(shapes, width)
    yield _convolution("classifier", width, (classes, *shapes[0][1:]))
    if task.auxiliary:
        unseen = (AUXILIARY, 0, 0)
        yield from _with_norm("auxiliary.0", shapes[-2][0], unseen, 3)
        yield _convolution("auxiliary.2", AUXILIARY, (classes, 0, 0))


def _with_norm(
    name: str, channels: int, outputs: Shape, kernel: int, norm: LayerKind = LayerKind.BATCH_NORM
) -> Iterator[Layer]:
    yield _convolution(f"{name}.0", channels, outputs, kernel, bias=False)
    yield Layer(name=f"{name}.1", kind=norm, inputs=outputs, outputs=outputs)


def _upernet(shapes: Sequence[Shape], width: int) -> Iterator[Layer]:
    *lateral, coarsest = shapes
    for index, shape in enumerate(shapes):
        name = f"decoder.feature_norms.{index}"
        yield Layer(name=name, kind=LayerKind.LAYER_NORM, inputs=shape, outputs=shape)
    for index, side in enumerate(POOLED):
        name = f"decoder.psp.blocks.{index}.1"
        yield from _with_norm(name, coarsest[0], (width, side, side), 1)
    pooled = coarsest[0] + len(POOLED) * width
    yield from _with_norm("decoder.psp.out_conv", pooled, (width, *coarsest[1:]), 3)
    for index, (channels, rows, columns) in enumerate(reversed(lateral)):
        made, name = (width, rows, columns), f"decoder.fpn_lateral_blocks.{index}.conv_norm_relu"
        yield from _with_norm(name, channels, made, 1)
        yield from _with_norm(f"decoder.fpn_conv_blocks.{index}", width, made, 3)
    fused = (width, *shapes[0][1:])
    yield from _with_norm("decoder.fusion_block", len(shapes) * width, fused, 3)


def _fpn(shapes: Sequence[Shape], width: int) -> Iterator[Layer]:
    maps = [(width, rows, columns) for _, rows, columns in shapes]
    for index, (shape, made) in enumerate(zip(shapes, maps, strict=True)):
        last = index == len(shapes) - 1
        yield _convolution(f"decoder.p{index + 2}{'' if last else '.skip_conv'}", shape[0], made)
    for place in range(len(shapes)):  # from coarse to fine: so many convolutions, each doubling
        coarse = len(shapes) - 1 - place
        for number in range(max(1, coarse)):
            name = f"decoder.seg_blocks.{place}.block.{number}.block"
            yield from _with_norm(name, width, maps[coarse - number], 3, LayerKind.HEAD_NORM)
