"""What every hyperparameter may be, and the errors that say so."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterable
from typing import Any

from minigrad.elsewhere import advised
from minigrad.legal import count, inner, not_negative, number
from minigrad.tensor import Tensor


class HyperparameterError(ValueError):
    """A hyperparameter outside its legal range, or one that the method does not have."""


def _fraction(value: Any) -> bool:
    return number(value) and 0 <= value < 1


def _portion(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def _pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_NOTHING = 2.0**-25  # half of float16's least number, which becomes 0
_BETAS = ("fletcher-reeves", "polak-ribiere", "hestenes-stiefel", "dai-yuan", "hager-zhang")
_COUNT = (count, "an integer ≥ 1")
_FLAG = (_flag, "True or False")
_NOT_NEGATIVE = (not_negative, "a finite number ≥ 0")
_FRACTION = (_fraction, "a number in [0, 1)")
_PORTION = (_portion, "a number in [0, 1]")

_LEGAL: dict[str, tuple[Callable[[Any], bool], str]] = {
    "alpha": _FRACTION,
    "beta": (
        lambda x: x in _BETAS,
        "one of " + ", ".join(f'"{x}"' for x in _BETAS),
    ),
    "betas": (lambda x: _pair(x) and all(map(_fraction, x)), "two numbers (β₁, β₂) in [0, 1)"),
    "box": (
        lambda x: x is None or (_pair(x) and all(map(number, x)) and x[0] <= x[1]),
        "None or two numbers (low, high), low ≤ high",
    ),
    "bias_correction": (
        lambda x: x in ("after", "before", "none"),
        'one of "after", "before", "none"',
    ),
    "centered": _FLAG,
    "classical": _FLAG,
    "dampening": _PORTION,
    "damping": _NOT_NEGATIVE,
    "dampings": (
        lambda x: isinstance(x, (tuple, list)) and len(x) > 0 and all(map(not_negative, x)),
        "a tuple of finite numbers ≥ 0",
    ),
    "decay": _PORTION,
    "decoupled": _FLAG,
    "descent": (inner, "a number in (0, 1)"),
    "eps": _NOT_NEGATIVE,
    "eps_inside_max": _FLAG,
    "eps_inside_sqrt": _FLAG,
    "estimate_every": _COUNT,
    "floor": _FRACTION,
    "forcing": (
        lambda x: x in ("root", "eisenstat-walker") or inner(x),
        'a number in (0, 1), or one of "root", "eisenstat-walker"',
    ),
    "freeze_random": _FLAG,
    "gamma": (lambda x: number(x) and 0 < x <= 1, "a number in (0, 1]"),
    "history_size": _COUNT,
    "indefinite": (
        lambda x: x in ("flip", "shift", "none"),
        'one of "flip", "shift", "none"',
    ),
    "initial_accumulator_value": _NOT_NEGATIVE,
    "initial_lr": _NOT_NEGATIVE,
    "krylov": (lambda x: x is None or count(x), "None or an integer ≥ 1"),
    "l1": _NOT_NEGATIVE,
    "lr": _NOT_NEGATIVE,
    "lr_decay": _NOT_NEGATIVE,
    "matrix": (
        lambda x: x in ("auto", "gauss-newton", "hessian"),
        'one of "auto", "gauss-newton", "hessian"',
    ),
    "max_bytes": _COUNT,
    "max_inner": _COUNT,
    "max_iter": _COUNT,
    "max_trials": _COUNT,
    "maximize": _FLAG,
    "momentum": _PORTION,
    "momentum_decay": (
        lambda x: number(x) and x >= 0,
        "a number ≥ 0, or math.inf for a constant momentum",
    ),
    "mu": (lambda x: not_negative(x) and x > 0, "a finite number > 0"),
    "nesterov": _FLAG,
    "preconditioner": (
        lambda x: x is None or x == "diagonal" or callable(x),
        'None, "diagonal", or a function r ↦ M⁻¹r',
    ),
    "probes": _COUNT,
    "progress": (inner, "a number in (0, 1)"),
    "restart_every": (lambda x: x is None or count(x), "None or an integer ≥ 1"),
    "rho": _FRACTION,
    "scaling": _FLAG,
    "sigma": (inner, "a number in (0, 1)"),
    "solver": (lambda x: x in ("auto", "dense", "cg"), 'one of "auto", "dense", "cg"'),
    "tol": (inner, "a number in (0, 1)"),
    "update": (lambda x: x in ("nielsen", "marquardt"), 'one of "nielsen", "marquardt"'),
    "variant": (lambda x: x in ("sutskever", "1983"), 'one of "sutskever", "1983"'),
    "weight_decay": _NOT_NEGATIVE,
}


def plain(value: Any) -> Any:
    """Return numbers as Python's, so that a NumPy scalar cannot turn float32 into float64.

    What is no number, such as a step rule, stays as it is.
    """
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def check_eps(method: str, eps: float, dtypes: Iterable[Any]) -> None:
    """Raise HyperparameterError for an ε that is 0 in float16.

    A step computes in float32, but its state is kept in float16, where the average of small squares
    is 0: what it divides by is ε alone then, and the step is as long as that is small.
    """
    if 0 < eps <= _NOTHING and any(dtype == "float16" for dtype in dtypes):
        raise HyperparameterError(
            f"{method}: eps={eps!r} is 0 in float16, which the parameters and their state are of; "
            "keep parameters in float32 and use .astype(mg.float16) where the network computes, or "
            "give eps=1e-4"
        )


def check_tensors(name: str, params: Iterable[Any]) -> None:
    """Raise TypeError for parameters that are no Tensors."""
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(
                f"{name}: the parameters are Tensors, not {type(p).__name__}; try "
                "model.parameters()"
            )


def check_state(method: str, state_dict: Any) -> None:
    """Raise ValueError for what no `state_dict` of an optimizer returns."""
    if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(
            f'{method}: a state is a dict with "state" and "param_groups", as state_dict() returns '
            f"it, not {type(state_dict).__name__}"
        )


def check(method: str, given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return `given` with plain numbers, or raise HyperparameterError for a name or a value."""
    for name, value in given.items():
        if name not in defaults:
            raise HyperparameterError(unknown(method, name, defaults))
        # A user's method may mean something else by a name: then its own default breaks the rule.
        legal = _LEGAL.get(name)
        if legal and legal[0](defaults[name]) and not legal[0](value):
            advice = f"try {name}={defaults[name]!r}"
            raise HyperparameterError(f"{method}: {name}={value!r} is not {legal[1]}; {advice}")
    return {name: plain(value) for name, value in given.items()}


def unknown(method: str, name: str, legal: Iterable[str]) -> str:
    """Return the message for a keyword that the method does not have."""
    legal = list(legal)
    here = advised(name, legal)
    if here:
        return f"{method} has no keyword {name!r}; {here}"
    close = difflib.get_close_matches(name, legal, 1)
    advice = f"; try {close[0]}" if close else ""
    return f"{method} has no keyword {name!r}; it has {', '.join(legal)}{advice}"
