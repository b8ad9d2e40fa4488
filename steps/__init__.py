"""The steps, first those of the first paper's Figure 2, in its order, then those of other papers.

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
        # Steps of other roadmaps.
        _step("partial_depthwise", "depthwise share {share:g}", "large kernel"),
        _step("inception_mixer", "Inception mixer", "large kernel"),
        _step("batch_norm", "LN → BN", "micro design"),
        _step("mlp_head", "MLP head", "macro design"),
        _step("stage_expansion", "expansion by stage", "macro design"),
        _step("spatial_stride", "stride on the 3×3", "macro design"),
        _step("deep_stem", "deep stem", "macro design"),
        _step("average_pool_shortcut", "average-pool shortcut", "macro design"),
        _step("squeeze_and_excite", "squeeze-and-excitation", "macro design"),
        _step("no_layer_scale", "no layer scale", "micro design"),
        _step("response_norm", "global response norm", "micro design"),
        _step("cosine_schedule", "cosine schedule", "training"),
        _step("label_smoothing", "label smoothing {amount:g}", "training"),
        _step("mixup", "mixup {alpha:g}", "training"),
        _step("epochs", "{epochs} epochs", "training"),
        _step("weight_average", "EMA of weights", "training"),
        _step("randaugment", "RandAugment", "training"),
        _step("weight_decay", "weight decay {amount:g}", "training"),
        _step("drop_path", "stochastic depth {rate:g}", "training"),
        _step("head_dropout", "dropout {rate:g}", "training"),
        _step("network_size", "width {width}", "macro design"),
        _step("isotropic", "isotropic, width {width}", "macro design"),
        _step("robust_cnn", "robust CNN: {block}", "macro design"),
    )
}
