"""SecondOrder: what methods share that go down along a direction, so that each is its direction.

Closures, the step rule, restarts, state in files, the report of what was done. Not here: the loss
as a function of a vector (`objective.py`), how far to go (`step_rules.py`), the methods.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from minigrad import backend
from minigrad.backend import Array
from minigrad.mode import enable_grad
from minigrad.optim.flat import Flat
from minigrad.optim.formula import hyperparameters
from minigrad.optim.hyper import HyperparameterError, check_state
from minigrad.optim.optimizer import Group, Optimizer
from minigrad.optim.second_order.objective import ClosureError, Objective
from minigrad.optim.second_order.step_rules import Rule, Step, rule_of
from minigrad.tensor import Tensor


@dataclass
class Report:
    """What the latest step did: losses, the gradient's norm before it, evaluations, and why so."""

    loss: float
    loss_after: float
    gradient_norm: float
    step_length: float
    nfev: int
    njev: int
    nhev: int
    inner: int
    reason: str
    again: bool = False


class SecondOrder(Optimizer):
    """A method that goes down along a direction, as far as a step rule says.

    A subclass states ``direction(at, f, g, *, hyperparameters) → d``. ``at`` is the `Objective`,
    the loss as a function of a vector: ``at.x``, ``at.hvp(v)``, ``at.ggn_vp(v)``, ``at.hessian()``,
    ``at.dot(a, b)``, ``at.xp``, ``at.counts``; ``f`` and ``g`` are loss and gradient there. What it
    must remember it keeps in ``self.state``, a dict of arrays, numbers and lists of them, which is
    saved with a run; ``restart()`` empties it. It may also state

    - ``learn(at, start, step, d)``: called after each step from ``start.x``, ``start.f``,
      ``start.g`` to ``step.x``, to update the state; with ``learns`` there is always a ``step.g``;
    - ``first_length(at, f, g, d)``: the length that the rule tries first, before the factor ``lr``;
    - ``iterate(at, f, g) → Step``: everything, for a method that is no direction and length;
    - ``needs_outputs = True``: the closure returns the pair of loss and outputs;
    - ``curvature = True``: keep the graph of the gradient for products with second derivatives;
    - ``wolfe``: the settings of ``line_search="strong-wolfe"`` (and Armijo's) for this method;
    - ``without``: which of the hyperparameters below it has no use for, and what to use instead.

    All methods have these hyperparameters too:

    - ``lr``: factor of the length that is tried first; the length itself with ``"fixed"``;
    - ``line_search``: ``"strong-wolfe"``, ``"armijo"``, ``"nonmonotone"``, ``"fixed"``, or a rule
      such as ``optim.StrongWolfe(c2=0.1)``;
    - ``max_iter``: iterations in one call of `step`, on one closure: all but the first start from a
      gradient that is known already;
    - ``freeze_random``: within a step the closure is given the same random numbers each time it is
      called, so that a loss with dropout is a function.

    `params` is an iterable of leaf Tensors of one dtype on one device, or one group of them.
    ``report`` says what the latest step did.

    Raises HyperparameterError, also for what the method has no use for, and what every `Optimizer`
    does; ValueError for more groups or kinds.
    """

    needs_closure: ClassVar[bool] = True
    needs_outputs: ClassVar[bool] = False
    full_batch: ClassVar[bool] = True  # what `training.fit` then takes if no batch size is given
    curvature: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    has_model: ClassVar[bool] = False  # whether trust regions can be used: see `Modelled`
    wolfe: ClassVar[dict[str, float]] = {}
    direction: ClassVar[Callable[..., Array]]

    @classmethod
    def _read(cls) -> None:
        """Read the hyperparameters of `direction`."""
        hyper: dict[str, Any] = {}
        if hasattr(cls, "direction"):
            found = inspect.signature(cls.direction).parameters.values()
            hyper = hyperparameters(f"{cls.__name__}.direction", found)
        cls.hyper_names = tuple(hyper)
        shared = {"line_search": "strong-wolfe", "max_iter": 1, "freeze_random": True}
        cls.class_defaults = {"lr": 1.0, **hyper, **shared}

    def __init__(self, params: Iterable[Any], lr: float | None = None, **hyper: Any) -> None:
        self.state: dict[str, Any] = {}
        self.steps = 0
        self.report: Report | None = None
        self._rule: tuple[Any, Rule] | None = None
        if type(self).iterate is SecondOrder.iterate and not hasattr(self, "direction"):
            raise TypeError(
                f"{self.name} has neither direction nor iterate; a method states "
                "direction(self, at, f, g, *, hyperparameters), which returns d"
            )
        self._refuse(hyper if lr is None else {"lr": lr, **hyper})
        super().__init__(params, lr, **hyper)

    def _refuse(self, given: Group) -> None:
        """Raise HyperparameterError for what is set and would have no effect."""
        for name, value in given.items():
            if name in self.without and value != self.class_defaults[name]:
                raise HyperparameterError(
                    f"{self.name}: {name}={value!r} has no effect, as {self.without[name]}; leave "
                    "it out"
                )

    def add_param_group(self, group: Group) -> None:
        """Take the only group."""
        if isinstance(group, dict):
            self._refuse(group)
        advice = "make one optimizer of one list of parameters"
        if self.param_groups:
            raise ValueError(
                f"{self.name}: a second group; the direction is that of one vector, so there is "
                f"one group only; {advice}"
            )
        super().add_param_group(group)
        kinds = [f"{flat.vector.dtype} on {flat.tensors[0].device}" for flat in self._flats[0]]
        if len(kinds) > 1:
            raise ValueError(
                f"{self.name}: parameters of {' and '.join(kinds)}; the direction is that of one "
                f"vector, of one dtype on one device; {advice}"
            )

    def check(self, group: Group) -> None:
        """Raise HyperparameterError for a rule that there is not."""
        self._checked(group["line_search"])

    def _checked(self, line_search: Any) -> Rule:
        """Return the rule that is meant, or raise HyperparameterError."""
        try:
            rule = rule_of(line_search, **self.wolfe)
        except HyperparameterError as error:
            raise HyperparameterError(f"{self.name}: {error}") from None
        if rule.needs_model and not self.has_model:
            raise HyperparameterError(
                f"{self.name}: line_search={rule.name!r} needs a quadratic model, and this method "
                "has a direction only; use NewtonCG or Newton, or try line_search='strong-wolfe'"
            )
        return rule

    # A step --------------------------------------------------------------------------------------

    @backend.explaining
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Go one iteration (``max_iter`` of them), and return the loss at the start, a Tensor.

        `closure` takes no argument and returns the loss, a Tensor of one element with its graph
        (for Gauss–Newton methods the pair of loss and outputs), without calling ``backward()``. It
        is called more than once, and must return the same at the same parameters. Afterwards the
        parameters' ``grad`` is the gradient at the start. What is raised on the way, be it an
        interruption, leaves the parameters where the iteration began, not at a trial.

        Raises ClosureError for a closure that does not, TypeError for none.
        """
        if not callable(closure):
            pair = "the pair of loss and outputs" if self.needs_outputs else "the loss"
            raise TypeError(
                f"{self.name}.step needs a closure, a function that computes and returns {pair}, "
                f"without backward(), not {type(closure).__name__}; define it and pass its name: "
                "optimizer.step(closure)"
            )
        group = self.param_groups[0]
        if not self.flat.adopt():
            self._rebuild(0)
            self.restart()
        flat = self.flat
        at = Objective(
            flat, closure, curvature=self.curvature, freeze_random=group["freeze_random"]
        )
        with enable_grad():
            f, g = at.here()
            if self.steps == 0 and self.rule.needs_descent and math.isfinite(f):
                self._check_function(at, f)
            for p, part in ((p, flat.shaped(i, g)) for i, p in enumerate(flat.tensors)):
                p.grad = Tensor.of(part) if p.requires_grad else None
            for i in range(1, group["max_iter"] + 1):
                at.goes_on = self.learns or i < group["max_iter"]
                report = self.advance(at)
                if not report.step_length and not report.again:
                    break
        self.report = dataclasses.replace(
            report, loss=f, gradient_norm=at.norm(g), **vars(at.counts)
        )
        return at.loss

    def advance(self, at: Objective) -> Report:
        """Go one iteration from the present point of an objective, and report."""
        before = vars(at.counts).copy()
        f, g = at.here()
        x, norm = at.x, at.norm(g)
        if not math.isfinite(f) or not math.isfinite(norm):
            step = Step(0.0, x, f, g, at.lacks())
        elif norm == 0:
            step = Step(0.0, x, f, g, "the gradient is 0")
        else:
            try:
                with backend.cpu.errstate(all="ignore"):  # products may overflow: it is seen to
                    step = self.iterate(at, f, g)
            except BaseException:  # an interruption, say, or an error of the closure's, at a trial
                at.move(x)
                raise
        at.move(step.x)
        self.steps += 1
        spent = {name: count - before[name] for name, count in vars(at.counts).items()}
        self.report = Report(
            f, step.f, norm, step.length, **spent, reason=step.reason, again=step.again
        )
        return self.report

    def iterate(self, at: Objective, f: float, g: Array) -> Step:
        """Return the step along the direction, or along −g if that does not go down."""
        x, note = at.x, ""
        d = self.direction(at, f, g, **self.hyper()).astype(g.dtype, copy=False)
        if self.rule.needs_descent and not _goes_down(at, g, d):
            self.restart()
            d, note = -g, "restarted along −g, as the direction did not go down; "
        step = self._search(at, f, g, d)
        if not step.length and self.rule.needs_descent and self.state:
            at.move(x)
            self.restart()
            d, note = -g, "restarted along −g, as the search found nothing; "
            step = self._search(at, f, g, d)
        if step.length:
            if self.learns and step.g is None:
                step = dataclasses.replace(step, g=at.value_and_gradient(step.x)[1])
            self.learn(at, Step(0.0, x, f, g, "start"), step, d)
        return dataclasses.replace(step, reason=note + step.reason)

    def _search(self, at: Objective, f: float, g: Array, d: Array) -> Step:
        first = self.param_groups[0]["lr"] * self.first_length(at, f, g, d)
        if not first > 0:
            return Step(0.0, at.x, f, g, "lr is 0")
        return self.rule(at, f, g, d, first)

    def learn(self, at: Objective, start: Step, step: Step, d: Array) -> None:
        """Update the state after a step along d."""

    def first_length(self, at: Objective, f: float, g: Array, d: Array) -> float:
        """Return the length to try first: 1, which is right for a direction with a scale."""
        return 1.0

    def restart(self) -> None:
        """Forget the past."""
        self.state = {}

    @property
    def flat(self) -> Flat:
        """The parameters as one vector."""
        return self._flats[0][0]

    def hyper(self) -> dict[str, Any]:
        """Return the hyperparameters of `direction`."""
        return {name: self.param_groups[0][name] for name in self.hyper_names}

    @property
    def rule(self) -> Rule:
        """The step rule."""
        given = self.param_groups[0]["line_search"]
        if self._rule is None or self._rule[0] != given:
            self._rule = given, self._checked(given)
        return self._rule[1]

    def _check_function(self, at: Objective, f: float) -> None:
        """Raise ClosureError if two evaluations at one point differ by more than rounding."""
        again = at.value(at.x)
        eps = float(at.xp.finfo(at.x.dtype).eps)
        if abs(again - f) > 1e3 * eps * max(abs(f), abs(again)) or math.isnan(again):
            raise ClosureError(
                f"{self.name}: the closure returned {f} and {again} for the same parameters, so "
                "values cannot be compared. Random numbers of mg.random (dropout) are repeated by "
                "freeze_random=True; draw others, and batches, outside the closure; a statistic "
                "that each call changes must not enter the loss; or use line_search='fixed'"
            )

    # State ---------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return hyperparameters and state; all of it stands with parameter 0, as in PyTorch."""
        saved = super().state_dict()
        for group in saved["param_groups"]:
            if isinstance(group["line_search"], Rule):
                group["line_search"] = group["line_search"].settings()
            for name in [name for name, value in group.items() if callable(value)]:
                del group[name]  # a function cannot be saved: who loads has made it anew
        if self.steps:
            memory = dict(getattr(self.rule, "memory", {}))
            state = _mapped(self.state, self._to_host)
            saved["state"] = {
                0: {"t": self.steps, "method": self.name, "rule": memory, "memory": state}
            }
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, hyperparameters included; the result is bit-exact.

        Raises ValueError, with nothing changed, if it is of another method or model.
        """
        check_state(self.name, state_dict)
        entries = {int(i): entry for i, entry in state_dict["state"].items()}
        entry = entries.get(0, {"t": 0, "method": self.name, "rule": {}, "memory": {}})
        if set(entries) > {0} or entry.get("method") != self.name:
            raise ValueError(f"{self.name}: the state is of another method; load that of the same")
        size = self.flat.vector.size
        for name, value in entry["memory"].items():
            for array in value if isinstance(value, list) else [value]:
                if hasattr(array, "shape") and array.shape and array.shape[-1] != size:
                    raise ValueError(
                        f"{self.name}: {name!r} has shape {tuple(array.shape)}, and there are "
                        f"{size} parameters; load the state of the same model"
                    )
        for group in state_dict["param_groups"]:
            self._checked(group.get("line_search", self.param_groups[0]["line_search"]))
        super().load_state_dict({"state": {}, "param_groups": state_dict["param_groups"]})
        self.steps = int(entry["t"])
        self.state = _mapped(entry["memory"], self._from_host)
        if hasattr(self.rule, "memory"):
            self.rule.memory = dict(entry["rule"])

    def _to_host(self, array: Array) -> Array:
        return backend.cpu.array(self.flat.xp.to_host(array))

    def _from_host(self, array: Any) -> Array:
        flat = self.flat
        host = array.numpy() if isinstance(array, Tensor) else array
        return flat.xp.from_host(host.copy(), backend.device_of(flat.vector))


def _goes_down(at: Objective, g: Array, d: Array) -> bool:
    """Say whether d is finite and goes down."""
    slope, length = at.dot(g, d), at.norm(d)
    return math.isfinite(length) and slope < -1e-16 * length * at.norm(g)


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return nested dicts and lists with `function` applied to the arrays."""
    if isinstance(value, dict):
        return {name: _mapped(item, function) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, function) for item in value]
    return function(value) if hasattr(value, "shape") else value
