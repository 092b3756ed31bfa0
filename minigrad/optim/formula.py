"""The signature of a method's formula: what it says, and the errors of one that cannot be read.

Not here: what the values of hyperparameters may be (`hyper.py`), how a formula is run
(`optimizer.py`, `program.py`).
"""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any, NamedTuple

from minigrad.legal import number

_FIRST = ("t", "theta", "g")
_LEGAL = "@staticmethod def update(t, theta, g, *, lr=0.01), a state vector's name before the *"


class Formula(NamedTuple):
    """The names of the state vectors, and numbers and hyperparameters with their defaults."""

    states: tuple[str, ...]
    clock: dict[str, float]
    hyper: dict[str, Any]


def read(cls: Any) -> Formula:
    """Return what the signature of ``cls.update`` says; raise TypeError if it is no formula's."""
    method = cls.__name__
    written = inspect.getattr_static(cls, "update", None)
    if written is None:
        own = [name for name, x in vars(cls).items() if name[:2] != "__" and _is_function(x)]
        found = f" (it has {', '.join(own)})" if own else ""
        raise TypeError(f"{method} has no update{found}; a method is its formula, {_LEGAL}")
    if isinstance(written, classmethod) or not callable(cls.update):
        kind = "a classmethod" if isinstance(written, classmethod) else repr(written)
        raise TypeError(f"{method}.update is {kind}; legal is {_LEGAL}")
    parameters = list(inspect.signature(cls.update).parameters.values())
    names = [x.name for x in parameters]
    if isinstance(written, FunctionType):
        advice = "put @staticmethod above it"
        advice = f"take {names[0]} out and {advice}" if names[:1] == ["self"] else advice
        raise TypeError(
            f"{method}.update({', '.join(names)}) is a function of an object, and a formula is of "
            f"its arguments alone; {advice}"
        )
    for x in parameters:
        if x.kind in (x.VAR_POSITIONAL, x.VAR_KEYWORD):
            stars = "*" if x.kind is x.VAR_POSITIONAL else "**"
            raise TypeError(
                f"{method}.update has {stars}{x.name}; give each state vector a name before the *, "
                "and each hyperparameter a name and a default after it"
            )
    first = [x.name for x in parameters if x.kind is not x.KEYWORD_ONLY]
    misplaced = any(name in first and first.index(name) != i for i, name in enumerate(_FIRST))
    if len(first) < len(_FIRST) or misplaced:
        raise TypeError(
            f"{method}.update({', '.join(names)}) does not begin with t, theta, g: the number of "
            f"the step, the parameters, the gradient; legal is {_LEGAL}"
        )
    rest = [x for x in parameters[len(_FIRST) :] if x.kind is not x.KEYWORD_ONLY]
    clock = {x.name: x.default for x in rest if x.default is not x.empty}
    hyper = hyperparameters(method, parameters)
    for name, start in clock.items():
        if name == "lr" or not number(start):
            raise TypeError(
                f"{method}.update: {name}={start!r} stands before the *, where a default is the "
                f"number that a state starts at; put a hyperparameter after it: *, {name}={start!r}"
            )
    if "lr" not in hyper:
        raise TypeError(
            f"{method}.update has no lr, which schedules, weight decay and L1 act by; add it after "
            "the *: lr=0.01"
        )
    return Formula(tuple(x.name for x in rest if x.default is x.empty), clock, hyper)


def _is_function(x: Any) -> bool:
    return isinstance(x, (FunctionType, staticmethod, classmethod))


def hyperparameters(method: str, parameters: Any) -> dict[str, Any]:
    """Return those after the ``*`` with their defaults; raise TypeError for one without."""
    hyper = {x.name: x.default for x in parameters if x.kind is x.KEYWORD_ONLY}
    for name, default in hyper.items():
        if default is inspect.Parameter.empty:
            raise TypeError(
                f"{method}: the hyperparameter {name} has no default; give it one, such as "
                f"{name}=0.1, which is taken where a user gives none"
            )
    return hyper
