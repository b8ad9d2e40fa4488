"""Row 01: train with a modern recipe (paper, section 2.1)."""

from roadmap.edit import edit_network, replace
from roadmap.spec import Recipe, Spec


def training_recipe(
    spec: Spec,
    recipe: Recipe,
    drop_path: float = 0.0,
    initialization: str = "truncated_normal",
) -> Spec:
    """Train the same network with the enhanced recipe.

    The recipe is that of vision transformers: AdamW, a cosine schedule with warm-up, mixup, cutmix,
    RandAugment, random erasing, label smoothing and stochastic depth. Much of the gain that was
    credited to architecture comes from training. The paper's recipe also includes a truncated
    normal initialization.
    """
    spec = edit_network(spec, drop_path=drop_path, initialization=initialization)
    return replace(spec, recipe=recipe)
