"""Trains the autoencoder 784-200-100-30 by Hessian-free and by Adam at equal cost; prints a table.

    python tests/benchmarks/autoencoder.py --data FOLDER [--images 2000] [--budget 200] [--seed 0]

FOLDER holds MNIST's four IDX files, or a part of them. The network is 784-200-100-30-100-200-784,
tanh units with logistic outputs; the loss is the cross-entropy of the pixels, summed over an image,
the mean over the images. All start from the same weights; what is printed is the loss over all
images at quarters of the budget.

Cost is counted in gradients of all images: the multiplications in all products of matrices that a
method asks NumPy for, over those of one such gradient. A value of the loss is 0.39 that way, a
product with the Gauss–Newton matrix 1.22, each times the fraction of the images that it sees. Each
method has five settings, of which the one with the lowest last loss is marked. Growing batches:
while steps are long, the gradient of few images is enough, and products of fewer still cost little.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import backend, datasets, nn, optim

SIZES = (784, 200, 100, 30, 100, 200, 784)
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
ROWS = ((250, 250), (500, 500), (1000, 1000), (2000, 2000), (2000, 500))  # gradient, curvature
DAMPINGS = (0.1, 0.3, 1.0, 3.0, 10.0)
# from which share of the budget on: images of the gradient, of the curvature, most inner iterations
GROWTH = ((0.0, 250, 200, 8), (0.2, 500, 200, 8), (0.4, 1000, 250, 10), (0.7, 2000, 250, 10))
GROWING: dict[str, Any] = {"decay": 0.9, "preconditioner": "diagonal"}

Plan = Sequence[tuple[float, int, int, int]]
Start = Callable[[nn.Sequential, "Cost"], Iterator[None]]  # of a training, a step at a time


def network(seed: int) -> nn.Sequential:
    """Return the autoencoder, with logits for outputs."""
    mg.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in pairwise(SIZES):
        layer = nn.Linear(a, b)
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def cross_entropy(logits: mg.Tensor, x: mg.Tensor) -> mg.Tensor:
    """Return the cross-entropy of an image's pixels, the mean over the images."""
    return nn.functional.binary_cross_entropy_with_logits(logits, x, "sum") / len(x)


class Cost:
    """What has been spent since this was made, in gradients of all images."""

    def __init__(self, net: nn.Sequential, x: mg.Tensor) -> None:
        self.matmul = backend.cpu.matmul
        self.multiplications, self.gradient = 0, 1
        setattr(backend.cpu, "matmul", self._counted)
        cross_entropy(net(x), x).backward()
        net.zero_grad()
        self.multiplications, self.gradient = 0, self.multiplications

    def _counted(self, a: Any, b: Any) -> Any:
        self.multiplications += a.size * b.shape[-1]
        return self.matmul(a, b)

    @property
    def spent(self) -> float:
        """The multiplications so far, over those of a gradient."""
        return self.multiplications / self.gradient

    def stop(self) -> None:
        """Count no more, and let the products be as they were."""
        setattr(backend.cpu, "matmul", self.matmul)


def measured(net: nn.Sequential, x: mg.Tensor) -> tuple[float, float]:
    """Return cross-entropy and squared error of an image."""
    with mg.no_grad():
        logits = net(x)
        error = mg.sigmoid(logits) - x
        return cross_entropy(logits, x).item(), (error * error).sum().item() / len(x)


def batches(x: mg.Tensor, size: int, seed: int) -> Iterator[mg.Tensor]:
    """Yield batches without end, shuffled anew each time round."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(x))
        for start in range(0, len(x) - size + 1, size):
            yield mg.tensor(x.numpy()[order[start : start + size]])


def adam(
    net: nn.Sequential, x: mg.Tensor, budget: float, rows: int, lr: float, cosine: bool, seed: int
) -> Iterator[None]:
    """Train in batches, a step at a time."""
    optimizer = optim.Adam(net.parameters(), lr=lr)
    steps = int(budget * len(x) / rows)
    for step, batch in enumerate(batches(x, rows, seed)):
        if cosine:
            optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        cross_entropy(net(batch), batch).backward()
        optimizer.step()
        yield


def hessian_free(
    net: nn.Sequential, x: mg.Tensor, cost: Cost, budget: float, plan: Plan, seed: int, **hyper: Any
) -> Iterator[None]:
    """Train with gradients of some images and the curvature of a part of them, as planned."""
    optimizer = optim.HessianFree(net.parameters(), progress=2e-3, **hyper)
    sources = {rows: batches(x, rows, seed) for _, rows, _, _ in plan}
    while True:
        _, rows, curved, inner = [part for part in plan if cost.spent >= part[0] * budget][-1]
        optimizer.param_groups[0]["max_inner"] = inner
        batch = next(sources[rows])

        def closure(batch: mg.Tensor = batch) -> tuple[mg.Tensor, mg.Tensor]:
            logits = net(batch)
            return cross_entropy(logits, batch), logits

        part = batch[:curved]
        optimizer.step(closure, None if curved == rows else lambda part=part: closure(part))
        yield


def trained(
    net: nn.Sequential, x: mg.Tensor, budget: float, start: Start
) -> tuple[list[float], str]:
    """Return the loss at quarters of the budget, and the rest of a row of the table."""
    losses: list[float] = []
    cost, began = Cost(net, x), time.perf_counter()
    count = 0
    for _ in start(net, cost):
        count += 1
        spent, at = cost.spent, cost.multiplications
        while len(losses) < 4 and spent >= budget * (len(losses) + 1) / 4 - 1e-9:
            losses.append(measured(net, x)[0])
        cost.multiplications = at  # what is only looked at costs nothing
        if spent >= budget - 1e-9:
            break
    cost.stop()
    seconds = time.perf_counter() - began
    return losses, f"{measured(net, x)[1]:.2f} | {count} | {spent:.0f} | {seconds:.0f} s"


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the IDX files")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--budget", type=float, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    images, budget, seed = given.images, given.budget, given.seed
    train, _ = datasets.mnist(given.data)
    x = mg.tensor(train.x[:images].reshape(-1, 784))
    families: dict[str, dict[str, Start]] = {}
    for name, rows, cosine in [
        ("Adam, batch 100", 100, False),
        ("Adam, batch 100, cosine", 100, True),
        ("Adam, all images", images, False),
    ]:
        families[name] = {
            f"lr {lr:g}": lambda net, cost, rows=rows, lr=lr, cosine=cosine: adam(
                net, x, budget, rows, lr, cosine, seed
            )
            for lr in RATES
        }
    families["Hessian-free"] = {
        f"g {rows}, G {curved}": lambda net, cost, plan=((0.0, rows, curved, 40),): hessian_free(
            net, x, cost, budget, plan, seed
        )
        for rows, curved in ROWS
        if rows <= images
    }
    plan = [(share, min(rows, images), curved, inner) for share, rows, curved, inner in GROWTH]
    families["Hessian-free, growing batches"] = {
        f"damping {damping:g}": lambda net, cost, damping=damping: hessian_free(
            net, x, cost, budget, plan, seed, damping=damping, **GROWING
        )
        for damping in DAMPINGS
    }
    quarters = " | ".join(f"at {budget * i / 4:g}" for i in range(1, 5))
    print(f"| method | setting | {quarters} | squared error | steps | cost | time |")
    print("|" + " --- |" * 10)
    for name, settings in families.items():
        rows = {}
        for setting, start in settings.items():
            net = network(seed)
            rows[setting] = trained(net, x, budget, start)
        best = min(rows, key=lambda setting: rows[setting][0][-1])
        for setting, (losses, rest) in rows.items():
            cells = " | ".join(f"{loss:.1f}" for loss in losses)
            mark = "**" if setting == best else ""
            print(f"| {name} | {mark}{setting}{mark} | {cells} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
