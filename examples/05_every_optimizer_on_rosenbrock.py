"""Every method down the same bent valley, Rosenbrock's function, from its classical start.

f(x, y) = (1 - x)² + 100 (y - x²)² has its minimum, 0, at (1, 1); f is 1 at the bend of the valley,
the origin. The learning rates are tuned by hand for this function: this shows that each method
works, not which is best. Second-order methods find their steps themselves, from 1.
"""

import minigrad as mg
from minigrad import optim

STEPS = 1000
RATES = {
    "sgd": 1e-3,
    "momentum": 1e-3,
    "nag": 1e-3,
    "adagrad": 1.0,
    "adadelta": 1.0,
    "rmsprop": 3e-3,
    "adam": 3e-2,
    "adamw": 3e-2,
    "adamax": 3e-1,
    "amsgrad": 1e-1,
    "nadam": 3e-2,
    "stochastic-diagonal-lm": 0.3,
}


def rosenbrock(p):
    """Return f of a vector (x, y), and the two numbers of whose squares it is the sum."""
    x, y = p
    residuals = mg.stack([1 - x, 10 * (y - x * x)])
    return (residuals**2).sum(), residuals


def descend(method, lr):
    """Return where a method is at the minimum, or after all steps, and the steps that it made."""
    p = mg.tensor([-1.2, 1.0], requires_grad=True)
    optimizer = method([p], lr=lr)
    f, steps = rosenbrock(p)[0], 0
    while f > 1e-12 and steps < STEPS:
        f = optimizer.step(lambda: rosenbrock(p))  # Gauss–Newton's methods ask for the residuals
        steps += 1
    return p, steps


start = rosenbrock(mg.tensor([-1.2, 1.0]))[0].item()
print(f"at the start f = {start:.1f}; after at most {STEPS} steps:")
results = {}
for name, method in optim.METHODS.items():
    lr = RATES.get(name, 1.0)
    p, steps = descend(method, lr)
    results[name] = rosenbrock(p)[0].item()
    x, y = p.tolist()
    print(f"{name:>22}  lr {lr:<6g} {steps:4d}  f = {results[name]:.1e}  at ({x:.4f}, {y:.4f})")

assert max(results.values()) < 1
