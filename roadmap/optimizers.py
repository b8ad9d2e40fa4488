"""timm's optimizers by name, with their options and defaults. No torch here.

A test compares this table with timm. Not in it: optimizers of other packages (bnb…, fused…), those
that need second derivatives (adahessian), and options that are torch types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roadmap.errors import quoted, unknown

Options = Mapping[str, Any]
_ADAM: Options = {"betas": (0.9, 0.999), "eps": 1e-8}
_CAUTIOUS: Options = {"caution": False, "corrected_weight_decay": False}
_SGD: Options = {"momentum": 0.0, "dampening": 0.0, "nesterov": False}
_TABLE: tuple[tuple[str, Options], ...] = (
    ("adabelief radabelief", {
        "betas": (0.9, 0.999), "eps": 1e-16, "amsgrad": False, "decoupled_decay": True,
        "fixed_decay": False, "rectify": True, "degenerated_to_sgd": True}),
    ("adadelta", {"rho": 0.9, "eps": 1e-6}),
    ("adafactor cadafactor", {
        "eps": 1e-30, "eps_scale": 1e-3, "clip_threshold": 1.0, "decay_rate": -0.8, "betas": None,
        "scale_parameter": True, "warmup_init": False, "min_dim_size_to_factor": 16,
        "caution": False}),
    ("adafactorbv adafactorbvc cadafactorbv cadafactorbvc", {
        "min_dim_size_to_factor": 16, "decay_rate": 0.8, "decay_offset": 0, "beta2_cap": 0.999,
        "momentum": 0.9, "eps": None, "clipping_threshold": None, "unscaled_wd": False,
        **_CAUTIOUS}),
    ("adagrad", {"lr_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10}),
    ("adam", {**_ADAM, "amsgrad": False, "decoupled_weight_decay": False}),
    ("adamax radamlegacy", _ADAM),
    ("adamc adamwlegacy cadamc cadamw", {
        **_ADAM, "amsgrad": False, "clipping_threshold": None, **_CAUTIOUS}),
    ("adamp cadamp", {**_ADAM, "delta": 0.1, "wd_ratio": 0.1, "nesterov": False, "caution": False}),
    ("adamuon muon nadamuon nmuon", {
        "momentum": 0.95, "nesterov": False, "ns_steps": 5, "ns_coefficients": "quintic",
        "eps": 1e-7, "safety_factor": 1.0, "adjust_lr_fn": "match_rms_adamw",
        "conv_mode": "flatten", "normalize_spatial": True, "adamw_lr": None,
        "fallback_lr_scale": 1.0, "betas": (0.9, 0.95), "algo": "muon", "scale_eps": False}),
    ("adamw", {**_ADAM, "amsgrad": False}),
    ("adan adanw cadan cadanw", {
        "betas": (0.98, 0.92, 0.99), "eps": 1e-8, "no_prox": False, "caution": False}),
    ("adopt adoptc adoptw cadopt cadoptc cadoptw", {
        "betas": (0.9, 0.9999), "eps": 1e-6, "clip_exp": 0.333, "decoupled": False, **_CAUTIOUS}),
    ("clamb clambw lamb lambc lambcd lambcw lambw", {
        "bias_correction": True, "betas": (0.9, 0.999), "eps": 1e-6, "grad_averaging": True,
        "max_grad_norm": 1.0, "trust_clip": False, "always_adapt": False,
        "decoupled_decay": False, **_CAUTIOUS}),
    ("claprop laprop lapropc", {"betas": (0.9, 0.999), "eps": 1e-15, **_CAUTIOUS}),
    ("clion clionc lion lionc", {"betas": (0.9, 0.99), **_CAUTIOUS}),
    ("cmars mars", {
        "betas": (0.9, 0.99), "eps": 1e-8, "gamma": 0.025, "mars_type": "adamw",
        "optimize_1d": False, "lr_1d_factor": 1.0, "betas_1d": None, "caution": False}),
    ("cnadamc cnadamw nadamc nadamw", {**_ADAM, "clipping_threshold": None, **_CAUTIOUS}),
    ("crmsproptf rmsproptf rmsproptfc rmsproptfw", {
        "alpha": 0.9, "eps": 1e-10, "momentum": 0.0, "centered": False, "decoupled_decay": False,
        "lr_in_momentum": True, **_CAUTIOUS}),
    ("csgdc csgdw nesterovw sgdc sgdw", {**_SGD, **_CAUTIOUS}),
    ("csgdp sgdp", {**_SGD, "eps": 1e-8, "delta": 0.1, "wd_ratio": 0.1, "caution": False}),
    ("larc lars nlarc nlars", {
        **_SGD, "trust_coeff": 1e-3, "eps": 1e-8, "trust_clip": False, "always_adapt": False}),
    ("madgrad madgradw", {"momentum": 0.9, "eps": 1e-6, "decoupled_decay": False}),
    ("momentum nesterov sgd", {"dampening": 0.0, "nesterov": False}),
    ("nadam", {**_ADAM, "momentum_decay": 4e-3, "decoupled_weight_decay": False}),
    ("nadamlegacy", {**_ADAM, "schedule_decay": 4e-3}),
    ("novograd novogradc novogradw", {
        "betas": (0.95, 0.98), "eps": 1e-8, "grad_averaging": False, "amsgrad": False,
        "decoupled_decay": False, "corrected_weight_decay": False}),
    ("radam radamw", {**_ADAM, "decoupled_weight_decay": False}),
    ("rmsprop", {"alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False}),
)  # fmt: skip
OPTIMIZERS = {name: options for names, options in _TABLE for name in names.split()}
TITLES = {"sgd": "SGD", "adamw": "AdamW", "lamb": "LAMB", "nadamw": "NAdamW", "lars": "LARS"}


def title(name: str) -> str:
    """Return an optimizer's name as captions write it."""
    return TITLES.get(name, name.capitalize())


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError for an option that the optimizer lacks, or a value of another type."""
    own = OPTIMIZERS[name]
    for option, value in options.items():
        if option not in own:
            text = str(unknown("option", option, own))
            raise ValueError(f"optimizer_options of {name}: {text}")
        if not _is_like(value, own[option]):
            raise ValueError(
                f"optimizer_options of {name}: {option} must be like {own[option]!r}, got "
                f"{quoted(value)}"
            )


def _is_like(value: Any, default: Any) -> bool:
    if default is None:
        return value is None or isinstance(value, int | float | tuple)
    if isinstance(default, bool | str):
        return type(value) is type(default)
    if isinstance(default, tuple):
        numbers = isinstance(value, tuple) and len(value) == len(default)
        return numbers and all(isinstance(number, int | float) for number in value)
    if isinstance(default, int):
        return type(value) is int
    return isinstance(value, int | float) and not isinstance(value, bool)
