"""Row 00: where every roadmap starts, ResNet with bottleneck blocks (v1.5)."""

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
    recipe: Recipe, *, depths: tuple[int, ...], width: int = 64, classes: int = 1000
) -> Spec:
    """The starting point: a ResNet under the old recipe.

    He et al., "Deep residual learning", in the version whose 3×3 convolution carries the stride.
    A 7×7 stride-2 convolution and a max-pool lead into stages of bottleneck blocks (1×1 narrow, 3×3
    narrow, 1×1 wide, each with BatchNorm and ReLU); the width doubles from stage to stage.
    """
    stages = (
        Stage(depth=depth, width=width * 2**index, block=BOTTLENECK)
        for index, depth in enumerate(depths)
    )
    stem = Stem(kernel=7, stride=2, norm="batch", activation="relu", max_pool=True)
    network = Network(stem=stem, stages=tuple(stages), classes=classes)
    return Spec(network=network, recipe=recipe)
