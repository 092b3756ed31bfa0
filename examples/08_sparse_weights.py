"""L1 finds which features matter, if it is a proximal step: its zeros are exact.

Logistic regression on 100 features, of which 5 decide the class. As a penalty in the loss, the
subgradient of |w| pushes weights towards 0 and past it, so they never rest there. As a proximal
step after each update, w ← sign(w)·max(|w| - lr·κ, 0), they stop at 0 itself.
"""

import minigrad as mg
from minigrad import optim

mg.manual_seed(1)
x = mg.randn(500, 100)
truth = mg.zeros(100)
truth[:5] = [2.0, -2.0, 1.5, -1.5, 1.0]
y = (mg.rand(500) < mg.sigmoid(x @ truth)).astype(mg.float32)


def loss(w):
    """Return the mean negative log-likelihood, log(1 + e^z) - y z for logits z."""
    z = x @ w
    return (mg.softplus(z) - y * z).mean()


def train(penalty=0.0, **keywords):
    """Return the weights after 500 steps."""
    w = mg.zeros(100, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5, **keywords)
    for _ in range(500):
        optimizer.step(lambda: loss(w) + penalty * mg.abs(w).sum())
    return w.detach()


KAPPA = 0.04
kept = {}
for name, w in {
    "no penalty": train(),
    "L1 in the loss": train(penalty=KAPPA),
    "L1 as proximal step": train(l1=KAPPA),
}.items():
    kept[name] = [i for i, value in enumerate(w.tolist()) if value != 0]
    five = ", ".join(f"{value:.2f}" for value in w[:5].tolist())
    print(f"{name:>19}: {len(kept[name]):3} of 100 weights are not 0; the first five: {five}")
print("kept by the proximal step:", kept["L1 as proximal step"])

assert len(kept["no penalty"]) == len(kept["L1 in the loss"]) == 100
assert set(range(5)) <= set(kept["L1 as proximal step"])
assert len(kept["L1 as proximal step"]) <= 15
