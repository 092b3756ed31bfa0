"""Saddle-free Newton beside damped Newton and SGD, as Dauphin et al. 2014 compared them on MNIST.

    python tests/benchmarks/saddle_free.py --data FOLDER [--steps 40] [--epochs 100] [--seeds 1]

FOLDER has MNIST's IDX files (any number of images). An image is scaled to 10 × 10 pixels by area: a
new pixel is the mean of the 2.8 × 2.8 old ones that it covers, in [0, 1]. The network has 5 sigmoid
units between 100 inputs and 10 outputs, 565 parameters, and is trained on the first 2,000 images,
all at once for Newton's methods: exact Hessians, float64. Each step tries the same dampings, and
keeps the lowest loss. SGD, in batches of 10, is given 100 epochs with each learning rate, with
momentum and without. What is printed is the training loss and error, for each seed.

Needs: pip install minigrad
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import datasets, nn, optim

DAMPINGS = tuple(10.0**k for k in range(2, -7, -1))
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
MOMENTA = (0.0, 0.9)


class DampedNewton(optim.SaddleFreeNewton, line_search="fixed"):
    """d = −(H + λI)⁻¹∇f with the H that there is, and the λ of the lowest loss.

    Raises as `SaddleFreeNewton`.
    """

    @staticmethod
    def modified(xp: Any, values: Any) -> Any:
        """Return the eigenvalues as they are."""
        return values


def shrunk(images: Any, side: int = 10) -> Any:
    """Return 28 × 28 images at another side, by area."""
    edges = np.linspace(0, 28, side + 1)
    low, high = edges[:-1, None], edges[1:, None]
    cover = np.clip(np.minimum(high, np.arange(1, 29)) - np.maximum(low, np.arange(28)), 0, None)
    cover /= cover.sum(1, keepdims=True)
    small = cover @ images.reshape(-1, 28, 28) @ cover.T
    return small.reshape(len(images), side * side)


def network(seed: int) -> Any:
    """Return the network, in float64."""
    mg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(100, 5), nn.Sigmoid(), nn.Linear(5, 10))
    for p in model.parameters():
        p.data = p.data.astype("float64")
    assert sum(p.size for p in model.parameters()) == 565
    return model


def evaluated(model: Any, x: Any, y: Any) -> tuple[float, float]:
    """Return loss and error in percent."""
    with mg.no_grad():
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y).item()
    return loss, 100 * float((logits.numpy().argmax(1) != y.numpy()).mean())


def newton(method: Any, seed: int, x: Any, y: Any, steps: int) -> list[float]:
    """Return the loss at the start and after each step."""
    model = network(seed)
    optimizer = method(model.parameters(), dampings=DAMPINGS, krylov=565, line_search="fixed")
    losses, began = [evaluated(model, x, y)[0]], time.perf_counter()
    for _ in range(steps):
        optimizer.step(lambda: nn.functional.cross_entropy(model(x), y))
        losses.append(optimizer.report.loss_after)
    report(method.__name__, seed, model, x, y, f"{steps} steps", began)
    return losses


def sgd(seed: int, x: Any, y: Any, epochs: int) -> list[float]:
    """Return the losses after each epoch with the best learning rate and momentum."""
    best: tuple[float, Any, Any, str] = (np.inf, None, None, "")
    began = time.perf_counter()
    for rate in RATES:
        for momentum in MOMENTA:
            model, rng = network(seed), np.random.default_rng(seed)
            lr = rate * (1 - momentum)
            optimizer = optim.SGD(model.parameters(), lr=lr, momentum=momentum)
            losses = [evaluated(model, x, y)[0]]
            for _ in range(epochs):
                order = rng.permutation(len(x))
                for rows in order.reshape(-1, 10):
                    optimizer.zero_grad()
                    nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                    optimizer.step()
                losses.append(evaluated(model, x, y)[0])
            print(f"    lr {lr:.3g}, momentum {momentum}: {losses[-1]:.3f}", flush=True)
            if losses[-1] < best[0]:
                best = losses[-1], losses, model, f"lr {lr:.3g}, momentum {momentum}"
    report("SGD", seed, best[2], x, y, f"{epochs} epochs, {best[3]}", began)
    return best[1]


def report(name: str, seed: int, model: Any, x: Any, y: Any, what: str, began: float) -> None:
    """Print a row of the table."""
    loss, error = evaluated(model, x, y)
    seconds = time.perf_counter() - began
    print(
        f"| {name} | {seed} | {what} | {loss:.3f} | {error:.1f} % | {seconds:.0f} s |", flush=True
    )


def main() -> None:
    """Run all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with MNIST's IDX files")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=100, help="of SGD; 0: leave it out")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    train, _ = datasets.mnist(given.data)
    x = mg.tensor(shrunk(train.x[:2000].astype("float64")))
    y = mg.tensor(train.y[:2000])
    runs: list[Callable[[int], list[float]]] = [
        lambda seed: newton(optim.SaddleFreeNewton, seed, x, y, given.steps),
        lambda seed: newton(DampedNewton, seed, x, y, given.steps),
    ]
    if given.epochs:
        runs.append(lambda seed: sgd(seed, x, y, given.epochs))
    print("| Method | Seed | Spent | Training loss | Error | Time |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in range(given.seeds):
        for run in runs:
            losses = run(seed)
            print("    " + " ".join(f"{loss:.3f}" for loss in losses[:: max(1, len(losses) // 10)]))


if __name__ == "__main__":
    main()
