"""The arguments of `fit`: what it makes of them, and says of those that it cannot train with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import backend, optim
from minigrad.datasets import Dataset, DatasetError
from minigrad.legal import integer, number
from minigrad.tensor import Tensor
from minigrad.training.callback import Callback


def check(
    model: Any, loss_fn: Any, optimizer: Any, penalties: Any, callbacks: Any, schedule: Any = None
) -> None:
    """Raise TypeError for an argument of `fit` of a wrong kind: what was given, and what to try."""
    if isinstance(model, type) or not callable(model) or not hasattr(model, "parameters"):
        raise _wrong("model", model, "a module of inputs, such as nn.Linear(2, 3)")
    if isinstance(loss_fn, type) or not callable(loss_fn):
        raise _wrong("loss_fn", loss_fn, "a function of outputs and targets: nn.CrossEntropyLoss()")
    if isinstance(optimizer, type) or not hasattr(optimizer, "param_groups"):
        raise _wrong("optimizer", optimizer, "one with parameters: optim.Adam(model.parameters())")
    if isinstance(schedule, type) or (schedule is not None and not hasattr(schedule, "step")):
        raise _wrong("schedule", schedule, "one of the optimizer: optim.StepLR(optimizer, 10)")
    if callable(penalties) and not hasattr(penalties, "__iter__"):
        raise _wrong("penalties", penalties, "a list of functions: penalties=[penalty]")
    if isinstance(callbacks, (Callback, type)):
        raise _wrong("callbacks", callbacks, "a list: callbacks=[training.EarlyStopping()]")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise _wrong("a callback", callback, "an instance of a subclass of training.Callback")


def check_finite(name: str, data: Any) -> None:
    """Raise DatasetError for NaN or infinities in a Dataset: where, before they are in the weights.

    A finite sum shows that there are none, without a temporary array; only else is each looked at.
    """
    for part, array in (("x", data.x), ("y", data.y)) if isinstance(data, Dataset) else ():
        if array.dtype.kind != "f":
            continue
        xp = backend.of((array,))
        with backend.cpu.errstate(all="ignore"):
            if bool(xp.isfinite(array.sum())):
                continue
        places = xp.to_host(xp.argwhere(~xp.isfinite(array)))
        if not len(places):
            continue
        rows = len({int(row) for row in places[:, 0]})
        first = places[:3].tolist()
        found = [f"{part}[{', '.join(map(str, p))}] is {array[tuple(p)]}" for p in first]
        found += ["…"] if len(places) > 3 else []
        good = f"numpy.isfinite({name}.{part}).all(1)" if array.ndim == 2 else "rows that are good"
        raise DatasetError(
            f"{name}: {rows:,} of {len(data):,} rows have no finite {part}: {', '.join(found)}; "
            "the weights would become NaN; correct the data, or leave these rows out: "
            f"{name}.subset({good})"
        )


def clipper(clip: Any) -> Callable[[list[Tensor]], Any] | None:
    """Return what clips the gradients of a list of parameters; ValueError for no legal norm."""
    if clip is None:
        return None
    if callable(clip):
        return lambda parameters: clip(parameters)
    if not number(clip) or not clip > 0:
        raise ValueError(
            f"clip={clip!r}; legal is a norm above 0, or a function of the list of parameters "
            "such as lambda parameters: optim.clip_grad_value_(parameters, 0.5)"
        )
    return lambda parameters: optim.clip_grad_norm_(parameters, clip)


def derived(seed: Any) -> int:
    """Return another seed: dropout must not repeat what initialization or shuffling drew."""
    stream: Any = [integer("seed", seed, 0, such=", or None"), 1]
    return int(backend.cpu.generator(stream).integers(2**63))


def _wrong(name: str, value: Any, legal: str) -> TypeError:
    kind = f"the class {value.__name__}" if isinstance(value, type) else f"{value!r:.60}"
    return TypeError(f"{name} is {kind}; give {legal}")
