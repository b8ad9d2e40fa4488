"""Keep parts of a network as they are: a recipe's `freeze` names them by predicate.

A pattern is one of three: `features` (all except the classifier), `norms` or `biases`; the name of
a module, as in `stem` or `stages.0`; or a name with `*` and `?`, as in `*.convolution_0.weight`.
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
    children = [name for name, _ in network.named_children()]
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


def _named(network: nn.Module, pattern: str) -> set[str]:
    names = [name for name, _ in network.named_parameters()]
    if pattern == "features":
        return set(names) - classifier_names(network)
    if pattern == "biases":
        return {name for name in names if name.endswith(".bias")}
    if pattern == "norms":
        norms = [name for name, module in network.named_modules() if _is_norm(module)]
        return {name for name in names if name.rpartition(".")[0] in norms}
    if "*" in pattern or "?" in pattern:
        return {name for name in names if fnmatchcase(name, pattern)}
    return {name for name in names if f"{name}.".startswith(f"{pattern}.")}


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, _NormBase | nn.LayerNorm | nn.GroupNorm)
