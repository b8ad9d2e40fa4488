"""Row 00: the start of every roadmap, a ResNet with bottleneck blocks (v1.5)."""

from roadmap.edit import replace
from roadmap.spec import Block, Convolution, Network, Recipe, Spec, Stage, Stem

BOTTLENECK = Block(
    units=(
        Convolution(kernel=1, width="narrow", norm="batch", activation="relu"),
        Convolution(kernel=3, width="narrow", norm="batch", activation="relu"),
        Convolution(kernel=1, width="wide", norm="batch"),
    ),
    shortcut_norm="batch",
    activation="relu",
)


def resnet(
    recipe: Recipe,
    *,
    depths: tuple[int, ...],
    width: int = 64,
    max_pool: bool = True,
    stride_at: str = "spatial",
    classes: int = 1000,
) -> Spec:
    """Start from a ResNet with the old recipe.

    He et al., "Deep residual learning for image recognition", in the version with the stride on the
    3×3 convolution. The stem is a 7×7 stride-2 convolution and a max-pool (small images can do
    without: `max_pool=False`). The stages have bottleneck blocks: 1×1 narrow, 3×3 narrow, 1×1 wide,
    each with BatchNorm and ReLU. The width doubles from stage to stage. With `stride_at: first` the
    first 1×1 convolution of a block has its stride, as in the first publication.
    """
    block = replace(BOTTLENECK, stride_at=stride_at)
    stages = (
        Stage(depth=depth, width=width * 2**index, block=block)
        for index, depth in enumerate(depths)
    )
    stem = Stem(kernel=7, stride=2, norm="batch", activation="relu", max_pool=max_pool)
    network = Network(stem=stem, stages=tuple(stages), classes=classes)
    return Spec(network=network, recipe=recipe)
