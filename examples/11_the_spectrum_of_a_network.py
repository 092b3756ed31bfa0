"""What is the loss of a network like around its weights? The eigenvalues of its Hessian H say.

Descent by steps of length lr diverges along eigenvectors with λ > 2/lr. With all the data at each
step, λmax goes to 2/lr, from below and from above, and stays about there: the "edge of stability"
(Cohen et al. 2021). All is done by products H·v; H itself, 276,676 numbers, is never formed.
"""

import itertools
import math

import minigrad as mg
from minigrad import datasets, nn, optim

data = datasets.digits()
x, target = mg.tensor(data.x[:300, ::2]), mg.eye(10)[mg.tensor(data.y[:300])]


def train(lr):
    """Return the Hessian after 2,000 steps, and λmax on the way."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 12), nn.Tanh(), nn.Linear(12, 10))

    def loss():
        return 0.5 * ((model(x) - target) ** 2).sum(1).mean()

    optimizer = optim.SGD(model.parameters(), lr=lr)
    print(f"\nlr {lr}, 2/lr = {2 / lr:.1f}")
    largest = []
    for step in range(2001):
        if step % 400 == 0:
            hessian = mg.curvature.HessianOperator(loss(), model.parameters())
            largest.append(mg.curvature.top_eigenvalues(hessian).values.item())
            print(f"step {step:4}: loss {loss().item():.4f}, λmax {largest[-1]:5.2f}")
        optimizer.step(loss)
    return mg.curvature.HessianOperator(loss(), model.parameters()), largest


_, falling = train(lr=0.4)
hessian, rising = train(lr=0.2)

# The whole spectrum: Lanczos's quadrature from a few random vectors.
n = hessian.shape[0]
density = mg.curvature.spectral_density(hessian, steps=40, probes=10)
print(f"\nof the {n} eigenvalues, about")
edges = [-math.inf, -0.1, -0.01, 0.01, 0.1, 1, math.inf]
for low, high in itertools.pairwise(edges):
    share = density.share(low, high)
    print(f"{n * share.value:5.0f} ± {n * share.standard_error:2.0f} from {low} to {high}")

trace, exact = mg.curvature.trace(hessian), mg.curvature.diagonal(hessian).sum().item()
print(f"trace {trace.value:.2f} ± {trace.standard_error:.2f} by {trace.products} products,")
print(f"      {exact:.2f} by {n}")

flat = density.share(-0.1, 0.1)
good = [falling[0] > 2 / 0.4, rising[0] < 2 / 0.2]  # from above, from below
good += [0.9 < value * lr / 2 < 1.2 for lr, value in ((0.4, falling[-1]), (0.2, rising[-1]))]
good += [flat.value > 0.8, abs(trace.value - exact) < 4 * trace.standard_error]
assert all(good)
