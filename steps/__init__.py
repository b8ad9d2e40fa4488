"""The steps, in the order of the paper's Figure 2: reading this table is reading that figure.

A step is a pure function `spec -> spec` with typed parameters, one module each. `resnet` is where
they start. A roadmap (`steps.roadmaps.load`) names steps and parameters, row by row.
"""

from roadmap.step import Step
from steps.depthwise import depthwise
from steps.fewer_activations import fewer_activations
from steps.fewer_norms import fewer_norms
from steps.gelu import gelu
from steps.inverted_bottleneck import inverted_bottleneck
from steps.kernel_size import kernel_size
from steps.layer_norm import layer_norm
from steps.layer_scale import layer_scale
from steps.move_up_depthwise import move_up_depthwise
from steps.patchify_stem import patchify_stem
from steps.resnet import resnet
from steps.separate_downsampling import separate_downsampling
from steps.stage_ratio import stage_ratio
from steps.training_recipe import training_recipe
from steps.width import width

BASE = Step(resnet, "ResNet", "baseline")

STEPS = {
    step.name: step
    for step in (
        Step(training_recipe, "enhanced training recipe", "training"),
        Step(stage_ratio, "stage ratio", "macro design"),
        Step(patchify_stem, '"patchify" stem', "macro design"),
        Step(depthwise, "depthwise conv", "ResNeXt"),
        Step(width, "increase width", "ResNeXt"),
        Step(inverted_bottleneck, "inverting dimensions", "inverted bottleneck"),
        Step(move_up_depthwise, "move up depthwise conv", "large kernel"),
        Step(kernel_size, "kernel size {kernel}", "large kernel"),
        Step(gelu, "ReLU → GELU", "micro design"),
        Step(fewer_activations, "fewer activations", "micro design"),
        Step(fewer_norms, "fewer norms", "micro design"),
        Step(layer_norm, "BN → LN", "micro design"),
        Step(separate_downsampling, "separate downsampling", "micro design"),
        Step(layer_scale, "layer scale", "micro design"),
    )
}
