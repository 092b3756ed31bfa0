"""Learning-rate schedules: functions of the step.

A schedule is ``value(t, base)``, the learning rate at step t (from 0) of a group whose own learning
rate is `base`. Composition is composition of functions: `ChainedScheduler` feeds one schedule's
value to the next as its base, `SequentialLR` shifts t. Names and arguments are PyTorch's where it
has the schedule. Not here: `ReduceLROnPlateau`, which watches a metric (`plateau.py`).

A schedule sets the learning rate when it is made, and then at each ``step()``, which is called
after ``optimizer.step()``. The group's own learning rate is kept as ``group["initial_lr"]``.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from minigrad.legal import not_negative, number
from minigrad.optim.hyper import HyperparameterError
from minigrad.optim.optimizer import Optimizer


class Schedule:
    """A schedule of the learning rates of an optimizer's groups; subclasses state `value`."""

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__}: the first argument is an optimizer, not a "
                f"{type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        self.t = 0
        self.apply()

    def value(self, t: int, base: float) -> float:
        """Return the learning rate at step t of a group whose own learning rate is `base`."""
        raise NotImplementedError(f"{type(self).__name__} must define value(t, base)")

    def apply(self) -> None:
        """Set the learning rate of every group to its value at the present step."""
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = self.value(self.t, group["initial_lr"])

    def step(self) -> None:
        """Go to the next step."""
        self.t += 1
        self.apply()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs: numbers only, fit for JSON."""
        return {"t": self.t}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the position of `state_dict`, and set the learning rates."""
        self.t = int(state_dict["t"])
        self.apply()

    def legal(self, name: str, value: Any, holds: bool, range_: str) -> None:
        """Raise HyperparameterError unless an argument's legal range holds."""
        if not holds:
            raise HyperparameterError(f"{type(self).__name__}: {name}={value!r} is not {range_}")

    def _count(self, name: str, value: Any) -> int:
        self.legal(
            name, value, not_negative(value) and value >= 1 and value == int(value), "an int ≥ 1"
        )
        return int(value)

    def _factor(self, name: str, value: Any) -> float:
        self.legal(name, value, not_negative(value), "a finite number ≥ 0")
        return float(value)


# Functions of the step ---------------------------------------------------------------------------


class LambdaLR(Schedule):
    """base · function(t), with a function of your own."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float]) -> None:
        self.function = lr_lambda
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · function(t)."""
        return base * self.function(t)


class ConstantLR(Schedule):
    """base · factor during the first `total_iters` steps, then base."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.factor = self._factor("factor", factor)
        self.total_iters = self._count("total_iters", total_iters)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · factor at first, then base."""
        return base * self.factor if t < self.total_iters else base


class LinearLR(Schedule):
    """base times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start = self._factor("start_factor", start_factor)
        self.end = self._factor("end_factor", end_factor)
        self.total_iters = self._count("total_iters", total_iters)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · (start + (end − start) · min(t/total, 1))."""
        return base * (self.start + (self.end - self.start) * min(t / self.total_iters, 1.0))


class LinearWarmup(Schedule):
    """base · min((t + 1)/steps, 1): no step is spent at 0, and the last of `steps` is at base.

    The same as PyTorch's ``LinearLR(start_factor=1/steps, total_iters=steps − 1)``. For a schedule
    after the warm-up see `SequentialLR`.
    """

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        self.steps = self._count("steps", steps)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · min((t + 1)/steps, 1)."""
        return base * min((t + 1) / self.steps, 1.0)


class StepLR(Schedule):
    """base · γ^⌊t/step_size⌋."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = self._count("step_size", step_size)
        self.gamma = self._factor("gamma", gamma)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · γ^⌊t/step_size⌋."""
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(Schedule):
    """base · γ to the number of milestones that t has reached."""

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones = sorted(milestones)
        self.gamma = self._factor("gamma", gamma)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · γ^(number of milestones ≤ t)."""
        return base * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(Schedule):
    """base · γᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = self._factor("gamma", gamma)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · γᵗ."""
        return base * self.gamma**t


class PolynomialLR(Schedule):
    """base · (1 − t/total_iters)^power, and 0 after `total_iters` steps."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = self._count("total_iters", total_iters)
        self.power = self._factor("power", power)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · (1 − min(t/total, 1))^power."""
        factor: float = (1 - min(t / self.total_iters, 1.0)) ** self.power
        return base * factor


class CosineAnnealingLR(Schedule):
    """Half a cosine from base to `eta_min` in `T_max` steps, and back (Loshchilov, Hutter 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = self._count("T_max", T_max)
        self.eta_min = self._factor("eta_min", eta_min)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return η_min + (base − η_min)(1 + cos(πt/T_max))/2."""
        return _cosine(base, self.eta_min, t / self.T_max)


class InverseSqrtLR(Schedule):
    """Linear warm-up to base, then base · √(warmup/(t + 1)) (Vaswani et al. 2017, section 5.3)."""

    def __init__(self, optimizer: Optimizer, warmup: int = 1) -> None:
        self.warmup = self._count("warmup", warmup)
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return base · min((t + 1)/warmup, √(warmup/(t + 1)))."""
        return base * min((t + 1) / self.warmup, math.sqrt(self.warmup / (t + 1)))


class OneCycleLR(Schedule):
    """One cycle: up to `max_lr`, then down to almost 0 (Smith and Topin 2018, arXiv:1708.07120).

    The learning rate starts at max_lr/div_factor, reaches max_lr after the portion `pct_start` of
    `total_steps`, and ends at max_lr/(div_factor·final_div_factor); with `three_phase` it first
    comes down as it went up. `anneal_strategy` is ``"cos"`` or ``"linear"``. With `cycle_momentum`
    the momentum (or β₁), where the method has one, mirrors it between `max_momentum` and
    `base_momentum`. The group's own learning rate is replaced. `max_lr` is a number or one for each
    group. After `total_steps` the last value stays.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        total = self._count("total_steps", total_steps)
        fraction = number(pct_start) and 0 <= pct_start <= 1
        self.legal("pct_start", pct_start, fraction, "a number in [0, 1]")
        strategies = {"cos": _cosine, "linear": _line}
        self.legal(
            "anneal_strategy", anneal_strategy, anneal_strategy in strategies, "cos or linear"
        )
        self.anneal = strategies[anneal_strategy]
        top, floor = self._factor("div_factor", div_factor), 1 / final_div_factor
        self.momentum = (base_momentum, max_momentum) if cycle_momentum else None
        low, high = 1.0, top  # in units of the initial learning rate
        peak = pct_start * total - 1
        # Each phase: its last step, the learning rate and how far the momentum is down at its end.
        self.phases = [(0.0, low, 0.0), (peak, high, 1.0)]
        if three_phase:
            self.phases += [(2 * peak, low, 0.0), (total - 1.0, floor, 0.0)]
        else:
            self.phases += [(total - 1.0, floor, 0.0)]
        groups = optimizer.param_groups
        tops = list(max_lr) if isinstance(max_lr, (list, tuple)) else [max_lr] * len(groups)
        self.legal("max_lr", max_lr, len(tops) == len(groups), f"one number or {len(groups)}")
        for group, maximum in zip(groups, tops, strict=True):
            group["initial_lr"] = self._factor("max_lr", maximum) / top
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return the learning rate at step t; `base` is what the cycle starts with."""
        return base * self._at(t, 1)

    def apply(self) -> None:
        """Set the learning rate, and the momentum the other way round."""
        super().apply()
        if self.momentum is None:
            return
        low, high = self.momentum
        momentum = high + (low - high) * self._at(self.t, 2)
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            elif "momentum" in group:
                group["momentum"] = momentum

    def _at(self, t: int, column: int) -> float:
        """Return a quantity of the phases at step t."""
        last = len(self.phases) - 1
        i = next((i for i in range(1, last) if t <= self.phases[i][0]), last)
        start, end = self.phases[i - 1], self.phases[i]
        width = end[0] - start[0]
        portion = min((t - start[0]) / width, 1.0) if width > 0 else 1.0
        return self.anneal(start[column], end[column], portion)


def _cosine(start: float, end: float, portion: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * portion)) / 2


def _line(start: float, end: float, portion: float) -> float:
    return start + (end - start) * portion


# Composition -------------------------------------------------------------------------------------


class ChainedScheduler(Schedule):
    """All of some schedules at once: each one's value is the base of the next."""

    def __init__(self, schedulers: Sequence[Schedule]) -> None:
        self.schedules = _functions(self, schedulers)
        super().__init__(self.schedules[0].optimizer)

    def value(self, t: int, base: float) -> float:
        """Return the last schedule's value of … of the first one's."""
        for schedule in self.schedules:
            base = schedule.value(t, base)
        return base


class SequentialLR(Schedule):
    """One schedule after the other; `milestones` are the steps at which the next begins."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Schedule], milestones: Sequence[int]
    ) -> None:
        self.schedules = _functions(self, schedulers)
        self.milestones = list(milestones)
        fits = len(self.milestones) == len(self.schedules) - 1
        rises = self.milestones == sorted(self.milestones)
        self.legal(
            "milestones",
            milestones,
            fits and rises,
            f"{len(self.schedules) - 1} rising steps, one between each two schedules",
        )
        super().__init__(optimizer)

    def value(self, t: int, base: float) -> float:
        """Return the present schedule's value, counting from its milestone."""
        i = bisect_right(self.milestones, t)
        return self.schedules[i].value(t - self.milestones[i - 1] if i else t, base)


def _functions(owner: Schedule, schedulers: Sequence[Schedule]) -> list[Schedule]:
    """Return the schedules as a list, or raise TypeError for what is no function of the step."""
    schedules = list(schedulers)
    if not schedules:
        raise HyperparameterError(f"{type(owner).__name__}: no schedules; give at least one")
    for schedule in schedules:
        if not isinstance(schedule, Schedule) or isinstance(schedule, OneCycleLR):
            raise TypeError(
                f"{type(owner).__name__} composes functions of the step, and "
                f"{type(schedule).__name__} is not one; step it by itself"
            )
    return schedules
