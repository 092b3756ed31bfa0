"""A long valley: how many gradients each method needs where the curvature differs 10,000-fold.

f(x) = ½ Σ λᵢxᵢ², λ from 1 to 10,000, in 30 coordinates turned at random. Gradient descent may step
no further than 2/λmax, and so needs some 20,000 steps along the valley. Momentum, conjugate
gradients and L-BFGS need hundreds; Newton's method one, at the price of a Hessian, and Newton-CG
two without one. A Hessian-vector product is counted as two gradients.
"""

import numpy as np

import minigrad as mg
from minigrad import optim

SIZE, CONDITION = 30, 1e4
rng = np.random.default_rng(0)
turn = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
A = mg.tensor(turn * np.geomspace(1, CONDITION, SIZE) @ turn.T)
start = turn @ np.ones(SIZE)
METHODS = {
    "gradient descent": lambda p: optim.SGD(p, lr=1.9 / CONDITION),
    "momentum": lambda p: optim.SGD(p, lr=3.9 / CONDITION, momentum=0.96),
    "conjugate gradients": lambda p: optim.ConjugateGradient(p),
    "L-BFGS": lambda p: optim.LBFGS(p),
    "Newton-CG": lambda p: optim.NewtonCG(p, forcing=1e-3),
    "Newton": lambda p: optim.Newton(p),
}


def f(x):
    """Return ½ xᵀA x."""
    return 0.5 * (x @ (A @ x))


costs = {}
for name, method in METHODS.items():
    x = mg.tensor(start, requires_grad=True)
    optimizer = method([x])
    steps = cost = 0
    while f(x) > 1e-8 * f(mg.tensor(start)):
        optimizer.step(lambda x=x: f(x))
        steps += 1
        done = getattr(optimizer, "report", None)
        cost += done.njev + 2 * done.nhev if done else 1
    costs[name] = cost
    print(f"{name:>19}: {steps:5d} steps, as many as {cost:5d} gradients")

assert costs["Newton"] < costs["Newton-CG"] < costs["momentum"] < 0.1 * costs["gradient descent"]
