"""ReduceLROnPlateau: a learning rate that follows a metric instead of the step (`schedules.py`)."""

from __future__ import annotations

import math
from typing import Any

from minigrad.legal import not_negative, number
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.optimizer import Group, Optimizer


class ReduceLROnPlateau:
    """Multiply the learning rate by `factor` when a metric has not improved for `patience` steps.

    ``step(metric)`` counts a metric as better if it beats the best by `threshold`: a portion of the
    best (`threshold_mode` ``"rel"``) or a difference (``"abs"``), downward (`mode` ``"min"``) or
    upward (``"max"``). After a reduction, `cooldown` steps do not count. The learning rate never
    falls below `min_lr`, and changes smaller than `eps` are not made.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        for name, value, legal, text in [
            ("mode", mode, mode in ("min", "max"), '"min" or "max"'),
            ("factor", factor, number(factor) and 0 <= factor < 1, "a number in [0, 1)"),
            ("patience", patience, not_negative(patience), "a number ≥ 0"),
            ("threshold", threshold, not_negative(threshold), "a finite number ≥ 0"),
            ("threshold_mode", threshold_mode, threshold_mode in ("rel", "abs"), '"rel" or "abs"'),
        ]:
            if not legal:
                raise HyperparameterError(f"ReduceLROnPlateau: {name}={value!r} is not {text}")
        self.optimizer = optimizer
        self.sign = 1 if mode == "min" else -1
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.relative = threshold_mode == "rel"
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.eps = eps
        self.best = math.inf * self.sign
        self.bad = 0
        self.cooling = 0

    def step(self, metric: Any) -> None:
        """Take in the metric of one step, a number or a Tensor of one element."""
        value = float(metric)
        if self.is_better(value):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        if self.bad > self.patience:
            for group in self.optimizer.param_groups:
                self._reduce(group)
            self.cooling, self.bad = self.cooldown, 0

    def is_better(self, value: float) -> bool:
        """Say whether a metric beats the best by more than the threshold."""
        if math.isinf(self.best):
            return self.sign * value < math.inf
        margin = self.threshold * self.best if self.relative else self.threshold
        return self.sign * value < self.sign * self.best - margin

    def _reduce(self, group: Group) -> None:
        lr = max(group["lr"] * self.factor, self.min_lr)
        if group["lr"] - lr > self.eps:
            group["lr"] = lr

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs: numbers only."""
        return {"best": self.best, "bad": self.bad, "cooling": self.cooling}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.best, self.bad = float(state_dict["best"]), int(state_dict["bad"])
        self.cooling = int(state_dict["cooling"])
