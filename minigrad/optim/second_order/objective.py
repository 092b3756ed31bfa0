"""Objective: a loss as a function of one flat vector, with its derivatives and a count of each.

What second-order methods, line searches and `minimize` see of a model or a function. Not here: how
to go down (`descent.py`), how far (`step_rules.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad import autograd, backend, random
from minigrad.backend import Array
from minigrad.curvature import Curvature
from minigrad.mode import GraphError, enable_grad, mode, no_grad
from minigrad.optim.flat import Flat
from minigrad.optim.second_order.krylov import dot
from minigrad.tensor import Tensor

_NO_BACKWARD = "leave that out, this method differentiates the loss itself"


class ClosureError(RuntimeError):
    """A closure that does not return the loss as a function of the parameters."""


class BudgetSpentError(Exception):
    """The greatest number of evaluations is reached; it ends the search, and no user sees it."""


@dataclass
class Counts:
    """How often what was computed: values, gradients, products with a second derivative."""

    nfev: int = 0
    njev: int = 0
    nhev: int = 0
    inner: int = 0  # iterations of inner loops, as methods count them


class Objective:
    """The loss that `closure` returns, as a function of the vector that its parameters live in.

    - `flat`: the parameters, views into one vector;
    - `closure`: takes nothing and returns the loss, a Tensor of one element with its graph, or the
      pair of loss and outputs (logits, residuals) that Gauss–Newton products need;
    - `curvature`: keep the graph of the latest gradient for `hvp` and `ggn_vp`; else it is freed as
      it is used, and they record it again;
    - `freeze_random`: every evaluation draws the same random numbers (dropout's masks, say);
    - `strict`: refuse a loss that does not depend on one of the parameters; else its gradient is 0;
    - `limit`: the greatest number of evaluations of the loss; `name`: of the closure, for errors.

    Vectors are 1-D arrays of the parameters' dtype, which nobody changes in place; values are
    Python floats, and infinite where the loss is no number, so that every search turns away.
    """

    def __init__(
        self,
        flat: Flat,
        closure: Callable[[], Any],
        *,
        curvature: bool = False,
        freeze_random: bool = False,
        strict: bool = True,
        limit: float = math.inf,
        name: str = "the closure",
    ) -> None:
        self.flat = flat
        self.xp = flat.xp
        self.counts = Counts()
        self.limit = limit
        self._name = name
        self.x: Array = flat.vector.copy()
        self.goes_on = True  # whether the gradient where the step ends will be wanted
        self.loss: Tensor | None = None  # at the first point, without its graph
        self._closure = closure
        self._keep = curvature
        self._strict = strict
        self._rewind = random.snapshot() if freeze_random else None
        self._recorded: tuple[Tensor, Tensor | None] | None = None
        self._curvature: Curvature | None = None
        self._here: tuple[Array, float, Array] | None = None

    # Values and gradients ------------------------------------------------------------------------

    def move(self, x: Array) -> None:
        """Write `x` into the parameters."""
        if x is self.x:
            return
        self.x = x
        self.flat.vector[...] = x
        for tensor in self.flat.tensors:
            tensor.modified()
        self._recorded = self._curvature = None

    def value(self, x: Array) -> float:
        """Return the loss at x, without recording."""
        self.move(x)
        with no_grad():
            return self._number(self._evaluate()[0])

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        """Return loss and gradient at x; products with second derivatives are now those at x."""
        if self._here is not None and x is self._here[0]:
            self.move(x)
            return self._here[1:]
        self.move(x)
        loss, outputs = self._record()
        f = self._number(loss)
        if self.loss is None:
            self.loss = loss.detach()
        if not math.isfinite(f):
            return f, self.xp.full_like(x, math.nan)
        g = self._gradient(loss)
        if self._keep:
            self._recorded = loss, outputs
        if not math.isfinite(self.dot(g, g)) and not bool(self.xp.isfinite(g).all()):
            return math.inf, g
        self._here = x, f, g
        return f, g

    def here(self) -> tuple[float, Array]:
        """Return loss and gradient at the present point, computed if they are not known."""
        return self.value_and_gradient(self.x)

    def lacks(self) -> str:
        """Say what is not finite at the first point, the loss or its gradient alone."""
        value = math.nan if self.loss is None else float(self.loss.data.item())
        if not math.isfinite(value):
            return "the loss is not finite at the start"
        return (
            f"the loss is {value:.3g} at the start, and its gradient is not finite; "
            "mg.detect_anomaly() says where that begins"
        )

    def can_end(self, x: Array) -> bool:
        """Say whether the gradient at x is finite: for who has only seen that the value is.

        Who goes on finds it computed; where nobody does the answer is yes, unseen, as it would cost
        a gradient that nobody uses.
        """
        return not self.goes_on or math.isfinite(self.value_and_gradient(x)[0])

    def dot(self, a: Array, b: Array) -> float:
        """Return aᵀb as a Python float."""
        return dot(a, b)

    def norm(self, a: Array) -> float:
        """Return ‖a‖₂ as a Python float."""
        return math.sqrt(self.dot(a, a))

    # Products with second derivatives ------------------------------------------------------------

    def hvp(self, v: Array) -> Array:
        """Return the product of the Hessian at the point of the latest gradient with v."""
        return self._product("hvp", v)

    def ggn_vp(self, v: Array) -> Array:
        """Return the product of the Gauss–Newton matrix Jᵀ H J with v.

        Raises ClosureError if the closure does not return the outputs beside the loss.
        """
        return self._product("ggn_vp", v)

    def curvature(self) -> Curvature:
        """Return the second derivatives of the recorded loss at the present point."""
        if self._curvature is None:
            if self._recorded is None:
                self._recorded = self._record()
            loss, outputs = self._recorded
            self._curvature = Curvature(loss, self._active(), outputs)
        return self._curvature

    @property
    def has_outputs(self) -> bool:
        """Whether the closure returns outputs beside the loss, for Gauss–Newton products."""
        return self.curvature().outputs is not None

    def hessian(self) -> Array:
        """Return the Hessian as a matrix (n, n), at about the cost of n products."""
        return self._matrix(self.curvature().hessian)

    def gauss_newton(self) -> Array:
        """Return the Gauss–Newton matrix (n, n), at about the cost of n products."""
        return self._matrix(self._with_outputs().ggn)

    def _matrix(self, compute: Callable[[], Tensor]) -> Array:
        """Return a symmetric matrix in the order of the vector, 0 for what requires no gradient."""
        xp, flat = self.xp, self.flat
        self.counts.nhev += self.x.size
        # Where each element of the vector, in the order of memory, stands in the matrix.
        place, start = xp.zeros(self.x.size, "int64"), 0
        used = xp.zeros(self.x.size, "bool")
        for i, p in enumerate(flat.tensors):
            if p.requires_grad:
                flat.shaped(i, place)[...] = xp.arange(start, start + p.size).reshape(p.shape)
                flat.shaped(i, used)[...] = True
                start += p.size
        matrix = compute().data[place[:, None], place]
        return (matrix + matrix.T) / 2 * used * used[:, None]

    def _with_outputs(self) -> Curvature:
        """Return the second derivatives, where the closure says what the outputs are."""
        curvature = self.curvature()
        if curvature.outputs is None:
            raise ClosureError(
                "Gauss–Newton products need the outputs between the model and the loss: return "
                "(loss, outputs) from the closure, where outputs are the logits or residuals that "
                "the loss was computed from"
            )
        return curvature

    def _product(self, kind: str, v: Array) -> Array:
        curvature = self._with_outputs() if kind == "ggn_vp" else self.curvature()
        self.counts.nhev += 1
        flat = self.flat
        parts = [
            Tensor.of(flat.shaped(i, v)) for i, p in enumerate(flat.tensors) if p.requires_grad
        ]
        return self._joined(getattr(curvature, kind)(parts))

    def squared_gradients(self, seed: int) -> Array:
        """Return an estimate of N Σᵢ gᵢ², gᵢ what row i of the N rows of outputs adds to ∇f.

        It is N (Σᵢ sᵢgᵢ)² for random signs s, whose mean that is: one sweep back for all rows.
        """
        curvature = self._with_outputs()
        outputs: Any = curvature.outputs
        (slopes,) = autograd.grad(curvature.loss, [outputs], retain_graph=True)
        rows = len(outputs) if outputs.ndim else 1
        bits = self.xp.generator(seed).integers(0, 2, size=(rows,) + (1,) * (outputs.ndim - 1))
        signs = self.xp.asarray(2 * bits - 1, dtype=outputs.dtype)
        found = autograd.grad(
            outputs, self._active(), slopes * signs, retain_graph=True, allow_unused=True
        )
        self.counts.njev += 1
        total = self._joined(found)
        return rows * total * total

    def beside(self, closure: Callable[[], Any]) -> Objective:
        """Return the objective of another closure here, with these random numbers and counts."""
        if not callable(closure):
            raise TypeError(
                f"curvature is a closure too, a function that returns (loss, outputs), not "
                f"{type(closure).__name__}; pass its name: step(closure, curvature=part)"
            )
        other = Objective(self.flat, closure, curvature=True, strict=self._strict)
        other._rewind, other.counts = self._rewind, self.counts
        return other

    # The closure ---------------------------------------------------------------------------------

    def _active(self) -> list[Tensor]:
        return [p for p in self.flat.tensors if p.requires_grad]

    def _record(self) -> tuple[Tensor, Tensor | None]:
        """Evaluate the loss with its graph."""
        with enable_grad():
            loss, outputs = self._evaluate()
        if loss.node is not None and loss.node.freed:
            raise ClosureError(f"{self._name} has called backward(); {_NO_BACKWARD}")
        if not loss.requires_grad:
            raise ClosureError(
                f"the result of {self._name} does not depend on any of the variables (or it was "
                "computed under mg.no_grad(), by NumPy, or detached); compute it from them by "
                "minigrad's operations"
            )
        return loss, outputs

    def _evaluate(self) -> tuple[Tensor, Tensor | None]:
        """Call the closure and check what it returns."""
        if self.counts.nfev >= self.limit:
            raise BudgetSpentError
        before = None
        if self._rewind is not None:
            self._rewind()
        elif self._strict:
            before = random.get_state()
        try:
            with backend.cpu.errstate(all="ignore"):  # a trial may go too far: that is its purpose
                result = self._closure()
        except GraphError as error:
            if mode.recording:
                raise
            raise ClosureError(
                f"{self._name} differentiates ({error}); if it calls backward(): {_NO_BACKWARD}"
            ) from None
        self.counts.nfev += 1
        backend.of((self.flat.vector,))  # the closure may have computed on another device, too
        loss, outputs = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        if not isinstance(loss, Tensor) or loss.size != 1:
            given = f"shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__
            raise ClosureError(
                f"{self._name} returned {given}; return the loss as a Tensor of one element, "
                "without .item() or float(), so that it can be differentiated"
            )
        if outputs is not None and not isinstance(outputs, Tensor):
            raise ClosureError(
                f"{self._name} returned the loss and beside it {type(outputs).__name__}; legal "
                "there is the Tensor of outputs that the loss was computed from, logits or "
                "residuals; return that, or the loss alone"
            )
        if before is not None and random.get_state() != before:
            raise ClosureError(
                "the loss draws random numbers (dropout?), so it is another function each time, "
                "and values cannot be compared; use freeze_random=True, which repeats the same "
                "numbers within a step, or model.eval()"
            )
        return loss, outputs

    def _number(self, loss: Tensor) -> float:
        value = float(loss.data.item())
        return value if math.isfinite(value) else math.inf

    def _gradient(self, loss: Tensor) -> Array:
        self.counts.njev += 1
        active = self._active()
        found: Any = [None] * len(active)
        if loss.requires_grad:
            with backend.cpu.errstate(all="ignore"):
                found = autograd.grad(loss, active, retain_graph=self._keep, allow_unused=True)
        for i, g in enumerate(found):
            if g is None and self._strict:
                raise ClosureError(
                    f"the loss does not depend on parameter {i} of those that require a gradient "
                    f"(shape {active[i].shape}); leave it out of the optimizer, or call its "
                    "requires_grad_(False)"
                )
        return self._joined(found)

    def _joined(self, tensors: Any) -> Array:
        """Return parts, one for each tensor that requires a gradient, as one vector."""
        flat = self.flat
        out = self.xp.zeros_like(flat.vector)
        parts = iter(tensors)
        for i, p in enumerate(flat.tensors):
            part = next(parts) if p.requires_grad else None
            if part is not None:
                flat.shaped(i, out)[...] = part.data
        return out
