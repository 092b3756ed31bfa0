"""The learning-rate schedules of the command line, each fitted to the length of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import optim, training

Made = Callable[[optim.Optimizer, int, int], Any]


def _warmup_cosine(optimizer: optim.Optimizer, total: int, epoch: int) -> Any:
    warm = max(total // 10, 1)
    parts = [
        optim.LinearWarmup(optimizer, warm),
        optim.CosineAnnealingLR(optimizer, max(total - warm, 1)),
    ]
    return optim.SequentialLR(optimizer, parts, [warm])


# name → (optimizer, steps in all, steps an epoch) → schedule
SCHEDULES: dict[str, Made] = {
    "constant": lambda optimizer, total, epoch: None,
    "step": lambda optimizer, total, epoch: optim.StepLR(optimizer, max(total // 3, 1)),
    "exponential": lambda optimizer, total, epoch: optim.ExponentialLR(
        optimizer, 0.01 ** (1 / total)
    ),
    "polynomial": lambda optimizer, total, epoch: optim.PolynomialLR(optimizer, total),
    "cosine": lambda optimizer, total, epoch: optim.CosineAnnealingLR(optimizer, total),
    "warmup-cosine": _warmup_cosine,
    "one-cycle": lambda optimizer, total, epoch: optim.OneCycleLR(
        optimizer, optimizer.param_groups[0]["lr"], total
    ),
    "inverse-sqrt": lambda optimizer, total, epoch: optim.InverseSqrtLR(optimizer, epoch),
    "plateau": lambda optimizer, total, epoch: optim.ReduceLROnPlateau(optimizer, patience=2),
}

ENDLESS = ("constant", "inverse-sqrt", "plateau")  # the others are fitted to the number of epochs


def callbacks(
    name: str, optimizer: optim.Optimizer, epochs: int, epoch: int
) -> list[training.Callback]:
    """Return a list with the callback that follows a schedule over `epochs` of `epoch` steps."""
    schedule = SCHEDULES[name](optimizer, epochs * epoch, epoch)
    if schedule is None:
        return []
    every = "epoch" if name == "plateau" else "step"
    return [training.LearningRate(schedule, every=every)]
