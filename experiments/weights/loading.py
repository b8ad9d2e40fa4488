"""Load weights into a network that may differ from theirs: what fits by name and shape."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from experiments.weights.fitting import common_names, same_layer
from experiments.weights.source import Weights
from roadmap.edit import replace
from roadmap.errors import Problem, escaped
from roadmap.network import RoadmapNetwork, build
from roadmap.record import StartWeights
from roadmap.spec import Reference
from roadmap.timm_weights import shaped
from roadmap.weight_layouts import OTHER, OURS, Layout, recognize


def load_start(network: nn.Module, weights: Weights) -> StartWeights:
    """Load what fits into the network, and return what was loaded and what was not.

    The classifier is loaded only if it has the same number of classes. Raises Problem if no
    convolution or linear layer except the classifier fits.
    """
    read = weights.read()
    layout = recognize(read.weights)
    theirs = {name: own for own, name in common_names(read.weights, layout).items()}
    state = network.state_dict()
    ours = {name: own for own, name in common_names(state, _layout(network)).items()}
    shapes = {name: tuple(read.weights[own].shape) for name, own in theirs.items()}
    wanted = {name: tuple(state[own].shape) for name, own in ours.items()}
    taken = [name for name in wanted if same_layer(name, shapes, wanted)]
    classifier = classifier_names(network)
    if not any(state[ours[name]].ndim > 1 and ours[name] not in classifier for name in taken):
        known = "" if layout is OTHER else f" ({layout.name})"
        raise Problem(
            f"no layer of weights {escaped(weights.name)}{known} fits this network; "
            "their names or shapes differ"
        )
    loaded = {ours[name]: shaped(read.weights[theirs[name]], state[ours[name]]) for name in taken}
    network.load_state_dict(loaded, strict=False)
    numbers = dict(network.named_parameters())
    total = sum(parameter.numel() for parameter in numbers.values())
    share = sum(numbers[name].numel() for name in loaded if name in numbers) / total
    used = {theirs[name] for name in taken}
    return StartWeights(
        source=weights.name,
        fingerprint=weights.fingerprint,
        layout=layout.name,
        taken=read.taken,
        share=round(100 * share, 2),
        new=tuple(name for name in numbers if name not in loaded),
        unused=tuple(name for name in read.weights if name not in used),
    )


def of_backbone(start: StartWeights, network: nn.Module) -> StartWeights:
    """Return the same without the classifier, which a backbone does not keep."""
    without = classifier_names(network)
    sizes = {
        name: parameter.numel()
        for name, parameter in network.named_parameters()
        if name not in without
    }
    new = tuple(name for name in start.new if name not in without)
    loaded = sum(size for name, size in sizes.items() if name not in new)
    return replace(start, share=round(100 * loaded / sum(sizes.values()), 2), new=new)


def in_words(start: StartWeights, *, backbone: bool = False) -> str:
    """Describe in a line what a run starts from, and the layers that do not fit."""
    known = ", ".join(part for part in (start.layout, start.taken) if part)
    text = f"from weights {start.source} ({start.fingerprint}; {known})"
    text += f": {start.share:g} % of the {'backbone' if backbone else 'network'}'s parameters"
    for label, names in (("new", start.new), ("not used", start.unused)):
        if names:
            more = f", … ({len(names)})" if len(names) > 3 else ""
            text += f"; {label}: {', '.join(names[:3])}{more}"
    return text


def fits_reference(weights: Weights, network: Reference) -> bool:
    """Return whether a layer of the weights fits one of timm's models, except its classifier."""
    with torch.device("meta"):
        model = build(network)
    shapes = weights.shapes()
    theirs = {name: shapes[own] for own, name in common_names(shapes, recognize(shapes)).items()}
    state, classifier = model.state_dict(), classifier_names(model)
    ours = {
        name: tuple(state[own].shape)
        for own, name in common_names(state, _layout(model)).items()
        if own not in classifier and state[own].ndim > 1
    }
    return any(same_layer(name, theirs, ours) for name in ours)


def scale_new_head(network: nn.Module, factor: float, start: StartWeights | None) -> None:
    """Multiply the classifier's first weights by `factor`, unless they were loaded."""
    names = classifier_names(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if factor != 1 and name in names and (start is None or name in start.new):
                parameter.mul_(factor)


def _layout(network: nn.Module) -> Layout:
    return OURS if isinstance(network, RoadmapNetwork) else recognize(network.state_dict())


def classifier_names(network: nn.Module) -> set[str]:
    """Return the names of the parameters of the last layer."""
    get: Callable[[], object] = getattr(network, "get_classifier", lambda: None)
    found = get()
    heads = found if isinstance(found, tuple | list) else (found,)
    own = {id(each) for head in heads if isinstance(head, nn.Module) for each in head.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in own}
