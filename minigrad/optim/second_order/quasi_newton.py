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


class BFGS(SecondOrder):
    """BFGS (Broyden, Fletcher, Goldfarb, Shanno 1970), with the inverse as a matrix.

    d = −H g; after each step, with s = x⁺ − x, y = ∇f(x⁺) − ∇f(x), ρ = 1/yᵀs:
    H ← (I − ρsyᵀ) H (I − ρysᵀ) + ρssᵀ. Before the first update H is I·sᵀy/yᵀy (Nocedal and Wright
    2006, equation 6.20). A pair without sᵀy > 0 is left out. n² numbers for n parameters; `LBFGS`
    keeps 2·history_size·n. The first step's length is 1/‖g‖, every other's first 1.

    Raises HyperparameterError: lr < 0, and as `SecondOrder`; MemoryError where n² is too large.
    """

    learns = True

    def direction(self, at: Objective, f: float, g: Array) -> Array:
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
            check_matrix(self.name, s, "LBFGS")
            self.state["H"] = at.xp.eye(s.size, dtype=s.dtype) * (sy / at.dot(y, y))
        H = self.state["H"]
        Hy = H @ y
        w = s * ((1 + at.dot(y, Hy) / sy) / (2 * sy)) - Hy / sy
        left, right = at.xp.stack([s, w], 1), at.xp.stack([w, s])
        for i in range(0, s.size, 256):  # H + swᵀ + wsᵀ in place, with no second matrix
            H[i : i + 256] += left[i : i + 256] @ right


def check_matrix(method: str, x: Array, instead: str) -> None:
    """Raise MemoryError, with what to use instead, for a matrix (n, n) of more than 4 GiB."""
    size = x.size**2 * x.dtype.itemsize
    if size > 2**32:
        raise MemoryError(
            f"{method}: a matrix for {x.size:,} parameters takes {size / 2**30:,.1f} GiB; "
            f"try {instead}, which needs none"
        )
