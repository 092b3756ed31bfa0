"""Rprop (Riedmiller and Braun 1993), a method that minigrad does not have, in nine lines.

Each coordinate has a step size of its own. While the sign of its gradient stays, the size grows;
when the sign turns, the minimum was jumped over, and the size shrinks. How large the gradient is
does not matter. The base class does the rest: groups, decay, closures, saving.
"""

import minigrad as mg
from minigrad import optim


class Rprop(optim.Optimizer):
    """s ← min(1.2 s, 50) where g·g_prev > 0, ½ s where < 0;  θ ← θ - s·sign(g)."""

    @staticmethod
    def update(t, theta, g, before, size, *, lr=0.01, grow=1.2, shrink=0.5, largest=50.0):
        """Return θ, the gradient and the step sizes after one step."""
        turn = mg.sign(g * before)
        size = mg.where(turn > 0, mg.minimum(size * grow, largest), size)
        size = mg.where(turn < 0, size * shrink, size)
        g = mg.where(turn < 0, 0.0, g)  # after a jump, wait a step
        return theta - size * mg.sign(g), g, size

    def start(self, group):
        """Return what the step sizes start at."""
        return {"size": group["lr"]}


def loss(p):
    """Return a quadratic bowl a million times steeper along one axis than along the other."""
    return (p * p * mg.tensor([1e3, 1.0, 1e-3])).sum()


def steps_to(target, method, **keywords):
    """Return how many steps a method takes until the loss is below the target."""
    p = mg.tensor([3.0, -2.0, 1.0], requires_grad=True)
    optimizer = method([p], **keywords)
    for step in range(1, 5001):
        if optimizer.step(lambda: loss(p)).item() < target:
            return step
    return 5001


rprop = steps_to(1e-8, Rprop, lr=0.1)
adam = steps_to(1e-8, optim.Adam, lr=0.1)
print(f"Rprop: {rprop} steps; Adam: {adam} steps")
print(Rprop([mg.zeros(3, requires_grad=True)], lr=0.1, weight_decay=1e-4))

assert rprop < adam
