"""The diagonal of the curvature, estimated from products: as step sizes, as a preconditioner."""

from __future__ import annotations

from minigrad import backend
from minigrad.backend import Array
from minigrad.curvature.diagonal import sampled
from minigrad.curvature.operators import LinearOperator
from minigrad.optim.second_order.descent import SecondOrder
from minigrad.optim.second_order.krylov import Product
from minigrad.optim.second_order.objective import Objective


def sampled_diagonal(product: Product, like: Array, probes: int, seed: int) -> Array:
    """Return the mean of v ⊙ A v over random signs v, an estimate of A's diagonal.

    Hutchinson's: unbiased, with the variance Σ over j ≠ i of aᵢⱼ²/probes. The seed decides the v,
    so that `mg.random` is left alone.
    """
    operator = LinearOperator(like.size, product, like.dtype, backend.device_of(like))
    return sampled(operator, probes, seed, least=1)[0]


def diagonal_preconditioner(product: Product, like: Array, probes: int, seed: int) -> Product:
    """Return r ↦ M⁻¹r with M = abs(diag A), estimated.

    Entries below a thousandth of the mean are raised: an estimate may be near 0 by chance.
    """
    xp = backend.of((like,))
    size = xp.abs(sampled_diagonal(product, like, probes, seed))
    inverse = 1 / xp.maximum(size, 1e-3 * float(size.mean()) or 1.0)
    return lambda r: r * inverse


class StochasticDiagonalLM(SecondOrder, lr=0.01, line_search="fixed"):
    """Stochastic diagonal Levenberg–Marquardt (LeCun, Bottou, Orr and Müller 1998, Efficient
    BackProp, section 9.1): each parameter has a step size of its own, from its own curvature.

    d = −g/(⟨h⟩ + μ);  ⟨h⟩ ← (1 − γ)⟨h⟩ + γh;  w ← w + η d, η = ``lr``. ``mu`` μ keeps the step
    small where the curvature is; ``gamma`` γ is how fast ⟨h⟩ forgets. ⟨h⟩ starts at the first h, as
    LeCun measures it before training.

    h is an estimate of the diagonal of ``matrix``, from ``probes`` products with random signs
    (Hutchinson), on the batch of every ``estimate_every``-th step: of the Gauss–Newton matrix, as
    LeCun's, if the closure returns (loss, outputs) ("gauss-newton"), else of the Hessian
    ("hessian"); ``"auto"`` asks the closure. Such an estimate may be below 0, and a Hessian's
    diagonal too: abs(⟨h⟩) is used; where it is no number, ⟨h⟩ stays. LeCun's own h is a
    back-propagation of second derivatives that ignores those across units; this one does not.

    A step costs a gradient, a value of the loss, and, every ``estimate_every`` steps, 2 gradients
    for each probe.

    Raises HyperparameterError: mu not > 0, gamma outside (0, 1], probes or estimate_every < 1,
    another matrix, and as `SecondOrder`; ClosureError for "gauss-newton" without outputs.
    """

    curvature = True
    full_batch = False

    def direction(
        self,
        at: Objective,
        f: float,
        g: Array,
        *,
        mu: float = 0.02,
        gamma: float = 0.05,
        matrix: str = "auto",
        probes: int = 1,
        estimate_every: int = 1,
    ) -> Array:
        """Return −g/(⟨h⟩ + μ)."""
        average = self.state.get("h")
        if average is None or self.steps % estimate_every == 0:
            gauss = matrix == "gauss-newton" or (matrix == "auto" and at.has_outputs)
            h = sampled_diagonal(at.ggn_vp if gauss else at.hvp, g, probes, self.steps)
            h = at.xp.where(at.xp.isfinite(h), h, 0.0 if average is None else average)
            average = h if average is None else (1 - gamma) * average + gamma * h
            self.state = {"h": average}
        return -g / (at.xp.abs(average) + mu)
