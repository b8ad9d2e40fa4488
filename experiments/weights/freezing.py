"""Keep parts of a network as they are: a recipe's `freeze` names them by predicate.

A pattern is one of three: `features` (all except the classifier), `norms` or `biases`; the name of
a module, as in `stem` or `stages.0`; or a name with `*` and `?`, as in `*.convolution_0.weight`.
In a network of another task, `features` are the backbone, and its modules have the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from experiments.weights.fitting import names_nothing
from experiments.weights.loading import classifier_names
from roadmap.errors import Problem

Test = Callable[[str, nn.Module], bool]


def freeze(network: nn.Module, patterns: Sequence[str]) -> int:
    """Turn off gradients of the parameters that the patterns name; return how many there are.

    Raises Problem for a pattern that names nothing, with valid names, and if nothing is left to
    train.
    """
    if not patterns:
        return 0
    backbone = network.get_submodule(_prefix(network).rstrip("."))
    children = [name for name, _ in backbone.named_children()]
    parameters = dict(network.named_parameters())
    frozen: set[str] = set()
    for pattern in patterns:
        found = _named(network, pattern)
        if not found:
            raise names_nothing(pattern, children)
        frozen |= found
    if frozen == parameters.keys():
        raise Problem(f"recipe.freeze {list(patterns)} leaves nothing to train")
    for name in frozen:
        parameters[name].requires_grad_(False)
    return len(frozen)


def frozen_norms(network: nn.Module) -> list[nn.Module]:
    """Return the norms whose parameters are all frozen: their statistics must stay too."""
    return [
        module
        for module in network.modules()
        if isinstance(module, _NormBase)
        and (own := list(module.parameters()))
        and not any(parameter.requires_grad for parameter in own)
    ]


def _prefix(network: nn.Module) -> str:
    """Return what the names of a backbone's parameters start with; empty in classification."""
    return getattr(network, "backbone_prefix", "")


def _named(network: nn.Module, pattern: str) -> set[str]:
    whole = [name for name, _ in network.named_parameters()]
    names = {name: name.removeprefix(_prefix(network)) for name in whole}
    if pattern == "features":
        return set(whole) - classifier_names(network)
    if pattern == "biases":
        return {name for name in whole if name.endswith(".bias")}
    if pattern == "norms":
        norms = [name for name, module in network.named_modules() if _is_norm(module)]
        return {name for name in whole if name.rpartition(".")[0] in norms}
    if "*" in pattern or "?" in pattern:
        return {name for name, own in names.items() if fnmatchcase(own, pattern)}
    return {name for name, own in names.items() if f"{own}.".startswith(f"{pattern}.")}


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm)
