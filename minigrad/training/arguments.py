"""What `fit` says of arguments that are not what it trains with, before anything is changed."""

from __future__ import annotations

from typing import Any

from minigrad.training.callback import Callback


def check(model: Any, loss_fn: Any, optimizer: Any, penalties: Any, callbacks: Any) -> None:
    """Raise TypeError for an argument of `fit` of a wrong kind: what was given, and what to try."""
    if isinstance(model, type) or not callable(model):
        raise _wrong("model", model, "a function or a module of inputs, such as nn.Linear(2, 3)")
    if isinstance(loss_fn, type) or not callable(loss_fn):
        raise _wrong("loss_fn", loss_fn, "a function of outputs and targets: nn.CrossEntropyLoss()")
    if isinstance(optimizer, type) or not hasattr(optimizer, "param_groups"):
        raise _wrong("optimizer", optimizer, "one with parameters: optim.Adam(model.parameters())")
    if callable(penalties) and not hasattr(penalties, "__iter__"):
        raise _wrong("penalties", penalties, "a list of functions: penalties=[penalty]")
    if isinstance(callbacks, (Callback, type)):
        raise _wrong("callbacks", callbacks, "a list: callbacks=[training.EarlyStopping()]")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise _wrong("a callback", callback, "an instance of a subclass of training.Callback")


def _wrong(name: str, value: Any, legal: str) -> TypeError:
    kind = f"the class {value.__name__}" if isinstance(value, type) else f"{value!r:.60}"
    return TypeError(f"{name} is {kind}; give {legal}")
