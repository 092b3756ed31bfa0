"""Optimizer: everything that first-order methods share, so that a method is only its formula.

Parameter groups, weight decay, the proximal step of L1, closures, state and its way in and out of
files. Not here: the vector that the parameters live in (`flat.py`), the formulas themselves
(`momentum.py`, `adaptive.py`, `adam.py`), schedules, clipping.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from minigrad import backend, ops
from minigrad.backend import Array
from minigrad.mode import ShapeError, enable_grad
from minigrad.optim.flat import Flat
from minigrad.optim.formula import read
from minigrad.optim.hyper import check, check_eps, check_state
from minigrad.optim.program import advance
from minigrad.tensor import Tensor

Group = dict[str, Any]


class Optimizer:
    """A method that changes parameters by the formula of one step.

    A subclass states ``update(t, theta, g, *state, **hyperparameters) → theta, *state``, a pure
    elementwise function of arrays in operators and minigrad's operations. Its signature is read:

    - ``t``, a Python int, counts a parameter's steps from 1; ``theta`` and ``g`` are 1-D arrays;
    - each further positional parameter is a state vector, zero at the start; one with a default is
      a Python number, the same for all coordinates, which starts at the default;
    - keyword-only parameters are the hyperparameters with their defaults, given as Python numbers.

    A state that is returned as it came in costs no memory. Keywords in the class statement change
    inherited defaults. All methods have these hyperparameters too, per group:

    - ``weight_decay`` λ: adds λθ to g; or, if ``decoupled``, θ ← (1 − lr·λ)θ before the update;
    - ``l1`` κ: the proximal step after the update, θ ← sign(θ)·max(abs(θ) − lr·κ, 0): exact zeros;
    - ``maximize``: g ← −g, before all else.

    `params` is an iterable of leaf Tensors, or of groups: dicts with ``"params"`` and
    hyperparameters that differ from the keywords. The parameters move into one vector per group
    (one for each dtype and device): ``p.data`` becomes a view into it, of the same shape and memory
    layout; Tensors that shared its memory before do not after.

    Raises HyperparameterError for a value that is not legal or a keyword that the method does not
    have, TypeError and ValueError for parameters that cannot be optimized. A class whose formula
    cannot be read raises TypeError where it is defined.
    """

    needs_closure: ClassVar[bool] = False  # whether `step` must be given a closure
    needs_outputs: ClassVar[bool] = False  # whether that must return the pair of loss and outputs
    without: ClassVar[dict[str, str]] = {}  # shared hyperparameters that have no effect, and why
    update: ClassVar[Callable[..., Any]]
    state_names: ClassVar[tuple[str, ...]] = ()
    clock_names: ClassVar[tuple[str, ...]] = ()
    clock_start: ClassVar[tuple[float, ...]] = (0,)
    hyper_names: ClassVar[tuple[str, ...]] = ()
    class_defaults: ClassVar[dict[str, Any]] = {}
    stated: ClassVar[dict[str, Any]] = {}  # by the class statement, of this class and its bases

    def __init_subclass__(cls, **defaults: Any) -> None:
        """Read the formula's signature, and write the class's own."""
        super().__init_subclass__()
        cls._read()
        anew = cls.hyper_names if {"update", "direction"} & vars(cls).keys() else ()
        inherited = {name: value for name, value in cls.stated.items() if name not in anew}
        cls.stated = {**inherited, **defaults}
        cls.class_defaults = {**cls.class_defaults, **cls.stated}
        keywords = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
            for name, value in cls.class_defaults.items()
        ]
        keywords[0] = keywords[0].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
        params = inspect.Parameter("params", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        cls.__signature__ = inspect.Signature([params, *keywords])  # type: ignore[attr-defined]

    @classmethod
    def _read(cls) -> None:
        """Read state and hyperparameters off the formula's signature."""
        cls.state_names, clock, hyper = read(cls)
        cls.clock_names = tuple(clock)
        cls.clock_start = (0, *clock.values())
        cls.hyper_names = tuple(hyper)
        shared = {"weight_decay": 0.0, "decoupled": False, "l1": 0.0, "maximize": False}
        cls.class_defaults = {**hyper, **shared}

    def __init__(self, params: Iterable[Any], lr: float | None = None, **hyper: Any) -> None:
        given = hyper if lr is None else {"lr": lr, **hyper}
        self.defaults = self.class_defaults | check(self.name, given, self.class_defaults)
        self.param_groups: list[Group] = []
        self._flats: list[list[Flat]] = []
        self._seen: set[int] = set()
        one = isinstance(params, (Tensor, dict))
        if one or hasattr(params, "parameters") or not hasattr(params, "__iter__"):
            advice = "a list of it" if one else "model.parameters()"
            raise TypeError(
                f"{self.name}: the parameters are an iterable of Tensors or of groups, not one "
                f"{type(params).__name__}; try {advice}"
            )
        items = list(params)
        if not items:
            raise ValueError(
                f"{self.name}: no parameters; give an iterable of leaf Tensors such as "
                "model.parameters() (an iterator can be used only once)"
            )
        if isinstance(items[0], dict):
            for group in items:
                self.add_param_group(group)
        else:
            self.add_param_group({"params": items})
        if not any(p.requires_grad for group in self.param_groups for p in group["params"]):
            raise ValueError(
                f"{self.name}: none of the parameters requires a gradient, so none would ever "
                "change; make them with requires_grad=True"
            )

    @property
    def name(self) -> str:
        """The name of the method."""
        return type(self).__name__

    def __repr__(self) -> str:
        lines = [f"{self.name}("]
        for i, group in enumerate(self.param_groups):
            size = sum(p.size for p in group["params"])
            values = [f"{name}={value!r}" for name, value in group.items() if name != "params"]
            lines.append(f"  group {i}: {size:,} parameters, {', '.join(values)}")
        return "\n".join([*lines, ")"])

    # Groups --------------------------------------------------------------------------------------

    def add_param_group(self, group: Group) -> None:
        """Optimize more parameters, with hyperparameters of their own where `group` gives them."""
        i = len(self.param_groups)
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(
                f'{self.name}: group {i} must be a dict with "params", such as '
                '{"params": layer.parameters(), "lr": 0.01}'
            )
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        if not params:
            raise ValueError(f"{self.name}: group {i} has no parameters; leave it out")
        new = {"params": params, **self.defaults, **self._hyper(group)}
        self.check(new)
        seen = set(self._seen)
        for j, p in enumerate(params):
            self._check_parameter(p, f"{self.name}: parameter {j} of group {i}")
            if id(p) in seen:
                raise ValueError(
                    f"{self.name}: parameter {j} of group {i} (shape {p.shape}) occurs twice; "
                    "give each Tensor once, in one group"
                )
            seen.add(id(p))
        self._check_eps(new)
        self._seen = seen
        self.param_groups.append(new)
        self._flats.append(self._flatten(new))

    def _hyper(self, group: Group) -> dict[str, Any]:
        """Return a group's hyperparameters, or raise HyperparameterError."""
        given = {name: value for name, value in group.items() if name != "params"}
        return check(self.name, given, self.defaults | {"initial_lr": self.defaults["lr"]})

    @staticmethod
    def _check_parameter(p: Any, where: str) -> None:
        if not isinstance(p, Tensor):
            raise TypeError(f"{where} is a {type(p).__name__}; parameters are Tensors")
        if p.node is not None:
            raise ValueError(
                f"{where} is not a leaf: {p.node.op.__name__} computed it; give the Tensor it was "
                "computed from, or .detach() it first"
            )
        if p.dtype.kind != "f":
            raise TypeError(f"{where} has dtype {p.dtype}; use .astype(mg.float32)")

    def check(self, group: Group) -> None:
        """Raise HyperparameterError if a group's hyperparameters contradict each other."""

    def _check_eps(self, group: Group) -> None:
        """Raise HyperparameterError for an ε that is 0 in the dtype of a parameter."""
        check_eps(self.name, group.get("eps", 0.0), {p.dtype for p in group["params"]})

    def start(self, group: Group) -> dict[str, float]:
        """Return the values, by name, that state vectors start at, where that is not 0."""
        return {}

    @backend.explaining
    def _flatten(self, group: Group) -> list[Flat]:
        """Move a group's parameters into vectors, one for each dtype and device."""
        kinds: dict[tuple[str, str], list[Tensor]] = {}
        for p in group["params"]:
            kinds.setdefault((str(p.dtype), p.device), []).append(p)
        flats = [Flat(tensors, self.clock_start) for tensors in kinds.values()]
        start = self.start(group)
        for flat in flats:
            for name in self.state_names:
                flat.fill(name, start.get(name, 0.0))
        return flats

    # A step --------------------------------------------------------------------------------------

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those that exist to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = Tensor.of(backend.of((p.data,)).zeros_like(p.data))

    @backend.explaining
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; return the closure's loss, or None.

        `closure` takes no argument, computes the loss with gradients enabled, and returns it, or
        the pair of loss and outputs, which every optimizer takes. If it has not called
        ``backward()`` itself (the loss still has its graph), the optimizer zeroes the gradients and
        calls it; else the gradients are taken as the closure left them.

        A parameter whose gradient is None, or that requires none, is left alone, its state and its
        count of steps too. Graphs recorded before the step refuse to be used after it.
        """
        if closure is not None and not callable(closure):
            kind = type(closure).__name__
            raise TypeError(f"{self.name}.step takes a function that returns the loss, not {kind}")
        loss = None if closure is None else self.evaluate(closure)
        for k, group in enumerate(self.param_groups):
            if not all(flat.adopt() for flat in self._flats[k]):
                self._rebuild(k)
            formula = self.formula(group)
            for flat in self._flats[k]:
                for first, last in flat.runs():
                    self._advance(flat, first, last, formula)
        return loss

    def evaluate(self, closure: Callable[[], Any]) -> Any:
        """Call `closure`, see to it that the gradients are there, and return the loss."""
        with enable_grad():
            loss = closure()
            loss = loss[0] if isinstance(loss, tuple) else loss
            if isinstance(loss, Tensor) and loss.node is not None and not loss.node.freed:
                self.zero_grad()
                loss.backward()
        return loss

    def formula(self, group: Group) -> Callable[..., Any]:
        """Return ``f(t, theta, g, *state) → theta, *state``: the update with the group's extras."""
        update = self.update
        hyper = {name: group[name] for name in self.hyper_names}
        lr = hyper["lr"] = float(group["lr"])
        decay, decoupled, maximize = group["weight_decay"], group["decoupled"], group["maximize"]
        threshold = lr * group["l1"]

        def step(t: int, theta: Array, g: Array, *state: Any) -> Any:
            if maximize:
                g = -g
            if decay and decoupled:
                theta = theta * (1 - lr * decay)
            elif decay:
                g = g + decay * theta
            theta, *state = self._results(update(t, theta, g, *state, **hyper))
            if threshold:
                theta = ops.sign(theta) * ops.maximum(ops.abs(theta) - threshold, 0.0)
            return theta, *state

        return step

    def _results(self, results: Any) -> Any:
        """Return what a formula returned as a tuple; raise TypeError if it is not all of it."""
        names = ("theta", *self.state_names, *self.clock_names)
        if not isinstance(results, (tuple, list)):
            if len(names) == 1 and results is not None:
                return (results,)
            found = type(results).__name__
        elif len(results) == len(names):
            return results
        else:
            found = f"{len(results)} of them"
        raise TypeError(
            f"{self.name}.update returned {found}; it returns the new {', '.join(names)}, in this "
            f"order: {len(names)} in all, as its signature says"
        )

    def _advance(self, flat: Flat, first: int, last: int, formula: Callable[..., Any]) -> None:
        """Run one step of the formula over tensors `first` to `last`, block by block."""
        step, *numbers = flat.clocks[first]
        t = int(step) + 1
        spans = list(flat.spans(first, last))
        clock = advance(lambda *arrays: formula(t, *arrays, *numbers), flat, spans, self)
        flat.clocks[first:last] = [(t, *clock)] * (last - first)
        for p in flat.tensors[first:last]:
            p.modified()

    # State ---------------------------------------------------------------------------------------

    def copies(self) -> dict[int, Array]:
        """Return copies of the parameters' values where they live, by the id of the Tensor."""
        return {id(p): x for flats in self._flats for flat in flats for p, x in flat.copies()}

    def state_dict(self) -> dict[str, Any]:
        """Return hyperparameters and state, in PyTorch's layout.

        ``{"state": {index: {"t": int, name: array or number}}, "param_groups": [{…, "params":
        [index]}]}``: a parameter's index is its position among all parameters; arrays are copies in
        host memory, of the parameter's shape and dtype. A parameter that has made no step has no
        entry.
        """
        index = {id(p): i for i, p in enumerate(self._parameters())}
        state: dict[int, dict[str, Any]] = {}
        for flats in self._flats:
            for flat in flats:
                for i, p in enumerate(flat.tensors):
                    if flat.clocks[i][0]:
                        state[index[id(p)]] = flat.saved(i, self.clock_names)
        groups = [
            {**group, "params": [index[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, hyperparameters included; the result is bit-exact.

        Indices of ``"state"`` may be strings and pairs may be lists, as JSON leaves them.

        Raises ValueError, with nothing changed, if groups, shapes or names do not fit, or ε is 0 in
        the dtype of a parameter.
        """
        check_state(self.name, state_dict)
        saved_groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ValueError(
                f"{self.name}: the state is of groups with {saved_sizes} parameters, and this "
                f"optimizer's have {sizes}; make it with the parameters of the model that was saved"
            )
        hypers = [self._hyper(group) for group in saved_groups]
        for group, hyper in zip(self.param_groups, hypers, strict=True):
            self._check_eps(group | hyper)
        places = [i for group in saved_groups for i in group["params"]]
        entries = {int(i): entry for i, entry in state_dict["state"].items()}
        parameters = self._parameters()
        state = {id(p): entries[i] for p, i in zip(parameters, places, strict=True) if i in entries}
        for j, p in enumerate(parameters):
            self._check_entry(state.get(id(p), {}), p, j)
        for k, hyper in enumerate(hypers):
            self.param_groups[k].update(hyper)
            self._refill(k, state)

    def _check_entry(self, entry: dict[str, Any], p: Tensor, j: int) -> None:
        """Raise ValueError if a saved entry is not one of parameter `j`."""
        names = ("t", *self.clock_names, *self.state_names)
        for name in ("t", *self.clock_names, *entry) if entry else ():
            if name not in entry or name not in names:
                raise ValueError(
                    f"{self.name}: parameter {j} has {'a' if name in entry else 'no'} saved "
                    f"{name!r}, and this method keeps {', '.join(names)}; load the state of the "
                    "same method"
                )
            if name in self.state_names and tuple(entry[name].shape) != p.shape:
                raise ShapeError(
                    f"{self.name}: {name!r} of parameter {j} has shape {tuple(entry[name].shape)}, "
                    f"and the parameter {p.shape}; load the state of the same model"
                )

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _rebuild(self, k: int) -> None:
        """Move group `k` into new vectors: a parameter changed its device, dtype or shape."""
        self._check_eps(self.param_groups[k])
        state = {}
        for flat in self._flats[k]:
            for i, p in enumerate(flat.tensors):
                if p.shape != flat.shapes[i]:
                    raise ShapeError(
                        f"{self.name}: a parameter of group {k} had shape {flat.shapes[i]} and now "
                        f"has {p.shape}; make a new optimizer"
                    )
                if flat.clocks[i][0]:
                    state[id(p)] = flat.saved(i, self.clock_names)
        self._refill(k, state)

    def _refill(self, k: int, state: dict[int, dict[str, Any]]) -> None:
        """Make the vectors of group `k` anew, from entries by the identity of the parameter."""
        self._flats[k] = self._flatten(self.param_groups[k])
        for flat in self._flats[k]:
            for i, p in enumerate(flat.tensors):
                if id(p) in state:
                    flat.restore(i, state[id(p)], self.clock_names)
