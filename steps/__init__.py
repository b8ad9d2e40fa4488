"""The steps, in the order of the paper's Figure 2. Reading this table is reading that figure.

A step is a pure function `spec -> spec` with typed parameters. Each has a module of its own with
the same name; a new step is such a module and one line here. `resnet` is the starting point. A
roadmap (`steps.roadmaps.load`) names steps and parameters, row by row.
"""

from importlib import import_module

from roadmap.step import Step


def _step(name: str, title: str, group: str) -> Step:
    """Return the step whose function and module have this name."""
    return Step(getattr(import_module(f"steps.{name}"), name), title, group)


BASE = _step("resnet", "ResNet", "baseline")

STEPS = {
    step.name: step
    for step in (
        _step("training_recipe", "enhanced training recipe", "training"),
        _step("stage_ratio", "stage ratio", "macro design"),
        _step("patchify_stem", '"patchify" stem', "macro design"),
        _step("depthwise", "depthwise conv", "ResNeXt"),
        _step("width", "increase width", "ResNeXt"),
        _step("inverted_bottleneck", "inverting dimensions", "inverted bottleneck"),
        _step("move_up_depthwise", "move up depthwise conv", "large kernel"),
        _step("kernel_size", "kernel size {kernel}", "large kernel"),
        _step("gelu", "ReLU → GELU", "micro design"),
        _step("fewer_activations", "fewer activations", "micro design"),
        _step("fewer_norms", "fewer norms", "micro design"),
        _step("layer_norm", "BN → LN", "micro design"),
        _step("separate_downsampling", "separate downsampling", "micro design"),
        _step("layer_scale", "layer scale", "micro design"),
    )
}
