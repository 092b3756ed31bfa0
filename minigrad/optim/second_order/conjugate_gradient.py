"""Conjugate gradients: −g and a part of the last direction, from nothing but gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from minigrad.backend import Array
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.objective import Objective
from minigrad.optim.second_order.step_rules import Step

# β from the dot products of g, the last gradient p, the last direction d, and y = g − p.
# See Hager and Zhang 2006, A survey of nonlinear conjugate gradient methods.
BETAS: dict[str, Callable[[float, float, float, float, float, float], float]] = {
    "fletcher-reeves": lambda gg, pp, gy, dy, yy, dg: gg / pp,
    "polak-ribiere": lambda gg, pp, gy, dy, yy, dg: max(gy / pp, 0.0),
    "hestenes-stiefel": lambda gg, pp, gy, dy, yy, dg: max(gy / dy, 0.0),
    "dai-yuan": lambda gg, pp, gy, dy, yy, dg: gg / dy,
    "hager-zhang": lambda gg, pp, gy, dy, yy, dg: (gy - 2 * yy * dg / dy) / dy,
}


class ConjugateGradient(SecondOrder):
    """Nonlinear conjugate gradients (D. Shulman's survey, equations 2 and 3).

    d_t = −g_t + β_t d_{t−1};  w ← w + α_t d_t, α_t from the step rule. With y = g_t − g_{t−1},
    ``beta`` is

    - ``"fletcher-reeves"``: gᵀg / g₋ᵀg₋ (1964);
    - ``"polak-ribiere"``: max(gᵀy / g₋ᵀg₋, 0), PR+, which restarts by itself (1969);
    - ``"hestenes-stiefel"``: max(gᵀy / dᵀy, 0) (1952);
    - ``"dai-yuan"``: gᵀg / dᵀy (1999);
    - ``"hager-zhang"``: (y − 2d yᵀy/dᵀy)ᵀg / dᵀy, at least −1/(‖d‖ min(0.01, ‖g₋‖)) (2005).

    It restarts along −g after ``restart_every`` steps (None: as many as parameters) and where d
    does not go down. On a quadratic with exact steps all are linear conjugate gradients.

    Raises HyperparameterError: an unknown beta, restart_every < 1, and as `SecondOrder`.
    """

    wolfe: ClassVar[dict[str, float]] = {"c2": 0.1}

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        beta: str = "polak-ribiere",
        restart_every: int | None = None,
    ) -> Array:
        """Return −g + βd."""
        if not self.state or self.state["count"] >= (restart_every or g.size):
            self.restart()
            return -g
        p, d = self.state["g"], self.state["d"]
        y = g - p
        dy, dg = at.dot(d, y), at.dot(d, g)
        if dy == 0:  # no curvature at all was seen: nothing to be conjugate to
            return -g
        factor = BETAS[beta](at.dot(g, g), at.dot(p, p), at.dot(g, y), dy, at.dot(y, y), dg)
        if beta == "hager-zhang":
            factor = max(factor, -1 / (at.norm(d) * min(0.01, at.norm(p))))
        d = factor * d - g
        if self.rule.needs_descent or at.dot(g, d) < 0:
            return d
        self.restart()  # a rule that looks at no slope takes whatever it is given
        return -g

    def first_length(self, at: Objective, f: float, g: Array, d: Array) -> float:
        """Return the length that gains as much as the last step; 1/‖g‖ after a restart.

        Twice as much with a rule that never lengthens a step: else steps could only get shorter.
        With a fixed length 1: α is ``lr``, and a gain kept the same would never converge.
        """
        if not self.rule.needs_descent:
            return 1.0
        if not self.state:
            return min(1.0, 1 / at.norm(g))
        gain = self.state["gain"] if self.rule.lengthens else 2 * self.state["gain"]
        return float(gain / at.dot(g, d))

    def learn(self, at: Objective, start: Step, step: Step, d: Array) -> None:
        """Remember gradient, direction and what the step promised to gain."""
        gain = step.length * at.dot(start.g, d)
        count = self.state.get("count", 0) + 1
        self.state = {"g": start.g, "d": d, "gain": gain, "count": count}


class DerivativeFreeCG(SecondOrder):
    """Derivative-free conjugate gradients: for F(x) = 0 with F = ∇f, by hyperplane projection.

    d = −F(x) + βd₋, restarted where that is not −F(x)ᵀd ≥ ``descent``·‖F(x)‖²; z = x + αd, with α
    halved until −F(z)ᵀd ≥ ``sigma``·α‖d‖²; x⁺ = x − [F(z)ᵀ(x − z)/‖F(z)‖²]F(z), the projection on a
    plane between x and every solution, if F is monotone, that is, f convex. β is that of Polak and
    Ribière, at least 0.

    "Derivative-free" is said of F: neither the Hessian nor products with it, nor even values of f,
    are used, only gradients. D. Shulman's survey cites for this method a paper that could not be
    found; what is here is the nearest known family (projection: Solodov and Svaiter 1998; conjugate
    gradients for nonlinear equations: Waziri and Sabi'u 2015, after Li and Fukushima 1999), written
    from the formulas above. For an f that is not convex nothing is proved, and the loss may rise.

    The step is the projection's, and ``line_search`` is refused. ``lr`` is the α that is tried
    first in the first step; every other step starts from twice the last one's α.

    Raises HyperparameterError: sigma or descent outside (0, 1), and as `SecondOrder`.
    """

    without: ClassVar = {"line_search": "the step is a projection"}

    def direction(
        self, at: Objective, f: float, g: Array, *, sigma: float = 1e-4, descent: float = 1e-4
    ) -> Array:
        """Return −F + βd."""
        if not self.state:
            return -g
        p, d = self.state["g"], self.state["d"]
        d = max(at.dot(g, g - p) / at.dot(p, p), 0.0) * d - g
        if not -at.dot(g, d) >= descent * at.dot(g, g):
            return -g
        return d

    def iterate(self, at: Objective, f: float, g: Any) -> Step:
        """Return the projection of x on the plane through z."""
        x, d = at.x, self.direction(at, f, g, **self.hyper())
        sigma, square = self.param_groups[0]["sigma"], at.dot(d, d)
        a: Any = self.state.get("length", self.param_groups[0]["lr"])
        for _ in range(60):
            z = x + a * d
            value, F = at.value_and_gradient(z)
            if not bool(F.any()):
                return Step(a, z, value, F, "a solution")
            slope = at.dot(F, d)
            if -slope >= sigma * a * square:  # not so where F is not finite
                new = x + (a * slope / at.dot(F, F)) * F
                value, F = at.value_and_gradient(new)
                if value < math.inf:
                    self.state = {"g": g, "d": d, "length": 2 * a}
                    return Step(a, new, value, F, "projected")
            a *= 0.5
        return Step(0.0, x, f, g, "no point ahead where −Fᵀd is large enough")
