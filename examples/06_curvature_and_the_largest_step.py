"""How large may a step be? Gradient descent converges below 2/λmax and diverges above it.

λmax, the largest eigenvalue of the Hessian H, comes from power iteration on products H·v. A product
costs a few gradients, and H itself is never formed.
"""

import minigrad as mg
from minigrad import optim

mg.manual_seed(0)
features, targets = mg.randn(200, 20), mg.randn(200)


def loss(w):
    """Return half the mean squared error of a linear model: a quadratic, its H is constant."""
    return 0.5 * ((features @ w - targets) ** 2).mean()


v = mg.randn(20)
for _ in range(100):
    (product,) = mg.hvp(loss, (mg.zeros(20),), (v / v.norm(),))
    v = product
largest = v.norm().item()
print(f"λmax by power iteration {largest:.4f}, so steps must be below {2 / largest:.4f}")


def descend(lr, steps=1000):
    """Return the loss and the norm of its gradient after gradient descent from 0."""
    w = mg.zeros(20, requires_grad=True)
    optimizer = optim.SGD([w], lr=lr)
    for _ in range(steps):
        optimizer.step(lambda: loss(w))
    return loss(w).item(), mg.grad(loss)(w).norm().item()


start = loss(mg.zeros(20)).item()
below, slope = descend(1.98 / largest)
above, _ = descend(2.02 / largest)
print(f"the loss starts at {start:.4f}")
print(f"1000 steps of 1.98/λmax: {below:.4g}, where the gradient's norm is {slope:.1e}")
print(f"1000 steps of 2.02/λmax: {above:.4g}")

# The same number from the whole matrix, as a check.
hessian = mg.hessian(loss)(mg.zeros(20))
residual = (hessian @ (v / v.norm()) - v).norm().item()
print(f"‖H v - λ v‖ = {residual:.1e}")

assert residual < 1e-3 * largest
assert below < start
assert slope < 1e-5
assert above > 1000 * start
