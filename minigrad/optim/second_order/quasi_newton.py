"""Quasi-Newton methods: a model of the curvature from the gradients along the way."""

from __future__ import annotations

from minigrad.backend import Array
from minigrad.optim.optimizer import Group
from minigrad.optim.second_order.dense import check_size, size
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step


class LBFGS(SecondOrder):
    """L-BFGS (Liu and Nocedal 1989, On the limited memory BFGS method, Math. Program. 45).

    d = −H g with H ≈ (∇²f)⁻¹, which is γI, γ = sᵀy/yᵀy of the latest pair, updated by BFGS's
    formula with the latest ``history_size`` pairs s = x⁺ − x, y = ∇f(x⁺) − ∇f(x), both on the same
    closure. H is never formed: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4)
    takes 4·history_size·n multiplications and as many additions. A pair without sᵀy > 0 is left
    out.

    The first step's length is 1/‖g‖, every other's first 1.

    Raises HyperparameterError: lr < 0, history_size < 1, and as `SecondOrder`.
    """

    learns = True

    def direction(self, at: Objective, f: float, g: Array, *, history_size: int = 10) -> Array:
        """Return −H g."""
        pairs = list(zip(*(self.state.get(name, []) for name in ("s", "y", "rho")), strict=True))
        q, alphas = g, []
        for s, y, rho in reversed(pairs):
            alphas.append(rho * at.dot(s, q))
            q = q - alphas[-1] * y
        q = q * self.state.get("gamma", 1.0)
        for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
            q = q + (alpha - rho * at.dot(y, q)) * s
        return -q

    def first_length(self, at: Objective, f: float, g: Array, d: Array) -> float:
        """Return 1 where the pairs give d a scale, else 1/‖g‖, at most 1."""
        return 1.0 if self.state else min(1.0, 1 / at.norm(g))

    def learn(self, at: Objective, start: Step, step: Step, d: Array) -> None:
        """Remember the pair of this step, ρ = 1/sᵀy and γ."""
        s, y = step.x - start.x, step.g - start.g
        sy, yy = at.dot(s, y), at.dot(y, y)
        if sy > 1e-10 * yy**0.5 * at.norm(s):
            size = self.param_groups[0]["history_size"]
            for name, item in (("s", s), ("y", y), ("rho", 1 / sy)):
                self.state[name] = [*self.state.get(name, []), item][-size:]
            self.state["gamma"] = sy / yy


class BFGS(SecondOrder):
    """BFGS (Broyden, Fletcher, Goldfarb, Shanno 1970), with the inverse as a matrix.

    d = −H g; after each step, with s = x⁺ − x, y = ∇f(x⁺) − ∇f(x), ρ = 1/yᵀs:
    H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ. Before the first update H is I·sᵀy/yᵀy (Nocedal and Wright
    2006, equation 6.20). A pair without sᵀy > 0 is left out. n² numbers for n parameters; `LBFGS`
    keeps 2·history_size·n. The first step's length is 1/‖g‖, every other's first 1.

    Raises MemoryError, when made, for an H of more than ``max_bytes``; HyperparameterError: lr < 0,
    and as `SecondOrder`.
    """

    learns = True

    def direction(self, at: Objective, f: float, g: Array, *, max_bytes: int = 1 << 30) -> Array:
        """Return −H g."""
        return -(self.state["H"] @ g) if self.state else -g

    def first_length(self, at: Objective, f: float, g: Array, d: Array) -> float:
        """Return 1 where H gives d a scale, else 1/‖g‖, at most 1."""
        return 1.0 if self.state else min(1.0, 1 / at.norm(g))

    def learn(self, at: Objective, start: Step, step: Step, d: Array) -> None:
        """Update H."""
        s, y = step.x - start.x, step.g - start.g
        sy = at.dot(s, y)
        if not sy > 1e-10 * at.norm(s) * at.norm(y):
            return
        if not self.state:
            self.state["H"] = at.xp.eye(s.size, dtype=s.dtype) * (sy / at.dot(y, y))
        H = self.state["H"]
        Hy = H @ y
        w = s * ((1 + at.dot(y, Hy) / sy) / (2 * sy)) - Hy / sy
        left, right = at.xp.stack([s, w], 1), at.xp.stack([w, s])
        for i in range(0, s.size, 256):  # H + swᵀ + wsᵀ in place, with no second matrix
            H[i : i + 256] += left[i : i + 256] @ right

    def check(self, group: Group) -> None:
        """Raise MemoryError for a matrix that is too large."""
        super().check(group)
        instead = 'LBFGS ("lbfgs"), which needs none'
        check_size(self.name, group, "the inverse Hessian", size(group), instead)
