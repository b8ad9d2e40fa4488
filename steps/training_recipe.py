"""Row 01: train with today's recipe (paper, section 2.1)."""

from roadmap.edit import edit_network, replace
from roadmap.spec import Recipe, Spec


def training_recipe(
    spec: Spec,
    recipe: Recipe,
    drop_path: float = 0.0,
    initialization: str = "truncated_normal",
) -> Spec:
    """Train the same network with the enhanced recipe.

    AdamW, a cosine schedule with warm-up, mixup, cutmix, RandAugment, random erasing, label
    smoothing and stochastic depth, as for vision transformers: much of what was put down to
    architecture is training. In the paper weights start from a truncated normal, an item of the
    same recipe.
    """
    spec = edit_network(spec, drop_path=drop_path, initialization=initialization)
    return replace(spec, recipe=recipe)
