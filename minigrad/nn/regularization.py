"""Dropout, and the penalties on weights that are added to a loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from minigrad.nn import functional
from minigrad.nn.module import Module
from minigrad.ops import neural
from minigrad.tensor import Tensor


class Dropout(Module):
    """In training, sets each element to 0 with probability p and divides the others by 1 - p.

    Inverted dropout: the expected value is the input, so evaluation, where nothing is dropped,
    needs no correction. The mask comes from `mg.random`. Srivastava et al. 2014.

    Raises ValueError for p outside [0, 1].
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is the probability to drop, from 0 to 1, not {p!r}")
        self.p = p

    def forward(self, x: Any) -> Any:
        """Return x, in training with some elements dropped."""
        return functional.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """Return p."""
        return f"{self.p}"


class _Penalty(Module):
    """Parameters that it does not own (its `state_dict` is empty), and the strength λ."""

    def __init__(self, parameters: Iterable[Tensor] | Tensor, strength: float) -> None:
        given = (parameters,) if isinstance(parameters, Tensor) else tuple(parameters)
        self.penalized = tuple({id(x): x for x in given}.values())  # a shared one counts once
        if not self.penalized:
            raise ValueError(
                f"{type(self).__name__}: there are no parameters (a generator, such as "
                "model.parameters(), is empty once it has been read)"
            )
        for x in self.penalized:
            if not isinstance(x, Tensor):
                raise TypeError(
                    f"{type(self).__name__} takes tensors, such as model.parameters(), not "
                    f"{type(x).__name__}"
                )
        if not (strength >= 0 and math.isfinite(strength)):
            raise ValueError(
                f"{type(self).__name__}: the strength is a finite number ≥ 0, not {strength!r}"
            )
        self.strength = strength

    def extra_repr(self) -> str:
        """Return the number of tensors and the strength."""
        return f"{len(self.penalized)} tensors, {self.strength}"


class L1Penalty(_Penalty):
    """λ Σ|w| over all elements of the given parameters; called without arguments, a scalar Tensor.

    Add it to the loss: ``loss = loss_fn(model(x), y) + l1()``. The derivative at 0 is 0, so weights
    come near 0 but not to it; an optimizer's proximal L1 gives exact zeros.

    Raises ValueError for no parameters or a strength that is negative or not finite.
    """

    def forward(self) -> Any:
        """Return λ Σ|w|."""
        return neural.sum_of_absolutes(*self.penalized, strength=self.strength)


class L2Penalty(_Penalty):
    """λ Σw² over all elements of the given parameters; called without arguments, a scalar Tensor.

    Add it to the loss: ``loss = loss_fn(model(x), y) + l2()``. There is no factor ½, so the
    gradient is 2λw, and plain SGD with ``weight_decay=2λ`` takes the same steps.

    Raises ValueError for no parameters or a strength that is negative or not finite.
    """

    def forward(self) -> Any:
        """Return λ Σw²."""
        return neural.sum_of_squares(*self.penalized, strength=self.strength)
