# %% [markdown]
# # 10. Newton, conjugate gradients, and a saddle
#
# Who knows the curvature can do better than to creep downhill. This last chapter has the two
# classical ways to use it, and the place where one of them goes wrong.

# %%
import matplotlib.pyplot as plt
import numpy as np

import minigrad as mg
from minigrad import optim, viz

# %% [markdown]
# ## Newton's method
#
# The quadratic of chapter 9, $f + g^\top d + \frac{1}{2} d^\top H d$, has its minimum where
# $H d = -g$. Newton's method goes there: $\theta \leftarrow \theta - H^{-1} g$. On a quadratic it
# is done in one step. Elsewhere, once it is near, each step doubles the number of right digits.


# %%
def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


p, errors = mg.tensor([-1.2, 1.0], dtype=mg.float64), []
for _ in range(7):
    errors.append(abs(p - 1).max().item())
    p = p - mg.solve(mg.hessian(rosenbrock)(p), mg.grad(rosenbrock)(p))
print(" ".join(f"{error:.0e}" for error in errors))

# %% [markdown]
# From 0.06 the error goes to 0.000009, and from there to 2e-11. But look at the third number: far
# from the minimum a step may lead astray. The library's `optim.Newton` therefore shortens a step
# that does not go down, which is called a line search.
#
# ## Conjugate gradients
#
# Newton's step needs the solution of $H d = -g$. With $n$ parameters the matrix has $n^2$
# numbers, and solving takes $n^3$ operations. **Conjugate gradients** (Hestenes and Stiefel 1952)
# solve it with products $Hv$ only. Each direction is chosen so that it does not undo the others,
# $d_i^\top H d_j = 0$; so $n$ steps are enough, and often far fewer.


# %%
def conjugate_gradients(H, b, steps):
    """Return the residual's norm after each step towards H x = b."""
    x, r = mg.zeros(len(b), dtype=mg.float64), b
    d, norms = r, [r.norm().item()]
    for _ in range(steps):
        Hd = H @ d
        alpha = (r @ r) / (d @ Hd)
        x, new = x + alpha * d, r - alpha * Hd
        d, r = new + (new @ new) / (r @ r) * d, new
        norms.append(r.norm().item())
        if norms[-1] < 1e-12 * norms[0]:
            break
    return x, norms


rng = np.random.default_rng(0)
turn, _ = np.linalg.qr(rng.normal(size=(40, 40)))
spectra = {
    "40 eigenvalues from 1 to 100": np.geomspace(1, 100, 40),
    "3 different eigenvalues": np.repeat([1.0, 10.0, 100.0], [20, 19, 1]),
}
solved = {}
for name, values in spectra.items():
    A = mg.tensor(turn @ np.diag(values) @ turn.T)
    solution, solved[name] = conjugate_gradients(A, mg.tensor(turn.sum(1)), 60)
    plt.semilogy(solved[name], ".-", label=name)
plt.ylim(1e-13, 1e3)
plt.xlabel("products with the matrix")
plt.ylabel("norm of the residual")
plt.legend()
viz.show(plt.gcf(), "runs/course/10-1.png")

# %% [markdown]
# In exact arithmetic as many steps are needed as there are *different* eigenvalues; rounding
# costs the first line some more than 40. Networks are of the second kind, as chapter 9 has shown:
# many eigenvalues in a heap, and a few apart.
#
# ## A saddle
#
# Newton's method looks for a point with gradient 0, and a saddle is one. Take
#
# $$f(x, y) = x^2 - y^2 + \frac{y^4}{4},$$
#
# with a saddle at the origin and minima, $-1$, at $(0, \pm\sqrt{2})$. We start close to the
# ridge.


# %%
def saddle(p):
    return p[0] ** 2 - p[1] ** 2 + p[1] ** 4 / 4


def path(method, steps=25, **options):
    p = mg.tensor([1.0, 0.05], dtype=mg.float64, requires_grad=True)
    optimizer, points = method([p], **options), [p.tolist()]
    for _ in range(steps):
        optimizer.step(lambda: saddle(p))
        points.append(p.tolist())
    return np.array(points)


paths = {
    "gradient descent": path(optim.SGD, lr=0.1),
    "Newton": path(optim.Newton, line_search="fixed", indefinite="none"),
    "saddle-free Newton": path(optim.SaddleFreeNewton),
}
across, down = np.meshgrid(np.linspace(-1.2, 1.2, 200), np.linspace(-0.4, 1.9, 200))
plt.figure(figsize=(6, 4.4))
plt.contour(across, down, saddle([across, down]), levels=30, cmap="Greys_r", linewidths=0.8)
for (name, points), style in zip(paths.items(), ["o-", "s-", "^-"], strict=True):
    plt.plot(*points.T, style, ms=4, label=f"{name}: ends at f = {saddle(points[-1]):.2f}")
plt.plot([0, 0], [0, 2**0.5], "k*", ms=10)
plt.grid(visible=False)
plt.legend(loc="lower left", fontsize=8, frameon=True, framealpha=1)
viz.show(plt.gcf(), "runs/course/10-2.png")

# %% [markdown]
# Along $y$ the curvature is negative. Newton divides by it, and so goes *up* that direction, to
# the saddle. Gradient descent leaves, but slowly at first. **Saddle-free Newton** (Dauphin et al.
# 2014) divides by $|\lambda|$ in place of $\lambda$: as fast as Newton where the curvature is
# positive, and away from the saddle where it is not.
#
# All three are in minigrad behind one call, `optimizer.step(closure)`; [second-order
# methods](../second-order-methods.md) has the others. And that is the course: from one chain rule
# to the Hessian, with the same few lines of calculus at the bottom of it all.
#
# ## What must hold

# %%
assert errors[-1] < 1e-10
assert solved["3 different eigenvalues"][3] < 1e-9
assert solved["40 eigenvalues from 1 to 100"][-1] < 1e-6
assert np.abs(paths["Newton"][-1]).max() < 1e-9
assert abs(saddle(paths["saddle-free Newton"][-1]) + 1) < 1e-9

# %% [markdown]
# ## Exercises
#
# 1. Which $f(x)$ of one variable does Newton's method need exactly one step for, from anywhere?
#    And what does it do on $f(x) = |x|^{3/2}$?
# 2. Replace `mg.solve` in Newton's step by our `conjugate_gradients` with `mg.hvp` for the
#    products. That is Newton-CG. How many products does a step on Rosenbrock's function take?
