"""Quasi-Newton methods: a model of the curvature from the gradients along the way."""

from __future__ import annotations

from minigrad.backend import Array
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step


class LBFGS(SecondOrder):
    """L-BFGS (Liu and Nocedal 1989, On the limited memory BFGS method, Math. Program. 45).

    d = −H g with H ≈ (∇²f)⁻¹, which is γI, γ = sᵀy/yᵀy of the latest pair, updated by BFGS's
    formula with the latest ``history_size`` pairs s = x⁺ − x, y = ∇f(x⁺) − ∇f(x), both on the same
    closure. H is never formed: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4)
    takes 4·history_size·n operations. A pair without sᵀy > 0 is left out.

    The first step's length is 1/‖g‖, every other's first 1.

    Raises HyperparameterError: lr < 0, history_size < 1, and as `SecondOrder`.
    """

    learns = True

    def direction(self, at: Objective, f: float, g: Array, *, history_size: int = 10) -> Array:
        """Return −H g."""
        pairs = list(zip(self.state.get("s", []), self.state.get("y", []), strict=True))
        q, alphas = g, []
        for s, y in reversed(pairs):
            alphas.append(at.dot(s, q) / at.dot(s, y))
            q = q - alphas[-1] * y
        if pairs:
            q = q * (at.dot(s := pairs[-1][0], y := pairs[-1][1]) / at.dot(y, y))
        for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
            q = q + (alpha - at.dot(y, q) / at.dot(s, y)) * s
        return -q

    def first_length(self, at: Objective, f: float, g: Array, d: Array) -> float:
        """Return 1 where the pairs give d a scale, else 1/‖g‖, at most 1."""
        return 1.0 if self.state else min(1.0, 1 / at.norm(g))

    def learn(self, at: Objective, start: Step, step: Step, d: Array) -> None:
        """Remember the pair of this step."""
        s, y = step.x - start.x, step.g - start.g
        if at.dot(s, y) > 1e-10 * at.dot(y, y) ** 0.5 * at.dot(s, s) ** 0.5:
            size = self.param_groups[0]["history_size"]
            self.state["s"] = [*self.state.get("s", []), s][-size:]
            self.state["y"] = [*self.state.get("y", []), y][-size:]
