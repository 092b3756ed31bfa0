"""Primitive: an operation with its derivative rules, and the four ways to state a derivative.

Floor 1. Not here: how a rule is called (`rule.py`), the operations themselves (`ops/`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from minigrad import backend, calls
from minigrad.backend import Array as Array
from minigrad.backend import DeviceError
from minigrad.mode import AnomalyError, GraphError, ShapeError, mode, user_line
from minigrad.node import Node
from minigrad.rule import Rule
from minigrad.tensor import Tensor, tensor

_Array = backend.cpu.Array
_Float64 = backend.cpu.float64
_PLAIN = {_Array, float, int, backend.cpu.float32, _Float64}

Backend = ModuleType  # minigrad.backend.numpy or minigrad.backend.cupy
Plan = tuple[list[int], list[int], bool]  # inputs to keep, the others, whether to keep the result


class Primitive:
    """One operation: its forward function and, for each input, one derivative rule.

    Called with a Tensor among its inputs it returns a Tensor, recorded if an input requires a
    gradient. Called with arrays and numbers only it returns an array: that is how one rule serves
    first order (arrays, nothing recorded) and every higher order (tensors, recorded again).

    The forward function takes the backend first, then the inputs by position and the parameters by
    keyword. `kind` is one of

    - ``elementwise``: a rule is the partial derivative ∂out/∂input, or a constant;
    - ``linear``: a rule is the transpose; of its input it may read shape and dtype, not the value;
    - ``bilinear``: a rule is the transpose in its input, reading the value of the other;
    - ``general``: a rule is a vector-Jacobian product, reading what it names.

    A rule of ``None`` marks an input (or, for all, an operation) that has no derivative.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        kind: str,
        rules: tuple[Any, ...],
        view: bool = False,
        shape_rule: str = "",
        added: bool = False,
        tangent: Any = None,
        joined: Any = None,
        one_pass: bool = False,
    ) -> None:
        signature = inspect.signature(forward)
        names = [
            name.replace(kind=name.POSITIONAL_ONLY)
            if name.kind is name.POSITIONAL_OR_KEYWORD
            else name
            for name in list(signature.parameters.values())[1:]
        ]
        self.__signature__ = signature.replace(parameters=names)
        self.__name__ = forward.__name__.strip("_")
        self.__doc__ = forward.__doc__
        self.forward = forward
        self.kind = kind
        self.view = view
        self.joined = joined  # the sum of two products as one, where that is cheaper, or None
        self.added = added  # the last input of a bilinear operation is added to the product
        self.shape_rule = shape_rule
        self.variadic = any(name.kind is name.VAR_POSITIONAL for name in names)
        self.inputs = [name.name for name in names if name.kind is not name.KEYWORD_ONLY]
        if self.variadic:
            self.inputs.append("i")
        named = [
            None if rule is None else Rule(rule, self.inputs, kind == "elementwise", one_pass)
            for rule in rules
        ]
        self.tangent = None if tangent is None else Rule(tangent, self.inputs, False, one_pass)
        self.rules: list[Rule | None] = named + [None] * (len(self.inputs) - len(named))
        # The inputs in which it has no derivative.
        places = () if self.variadic and self.rules[0] else range(len(self.inputs))
        self.fixed = {i for i in places if self.rules[i] is None}
        self.plans: dict[tuple[int, int], Plan] = {}

    def __repr__(self) -> str:
        return f"<operation {self.__name__}>"

    def rule(self, i: int) -> Rule | None:
        """Return the rule of input `i`."""
        return self.rules[0 if self.variadic else i]

    def plan(self, tracked: int, count: int) -> Plan:
        """Return what a node keeps, `tracked` being a bit for each input that needs a gradient."""
        kept: set[int] = set()
        keep_out = False
        for i in range(count):
            rule = self.rule(i)
            if rule is None or not tracked >> i & 1 or self.kind == "linear":
                continue
            reads = (
                range(count) if self.variadic else [slot - 2 for slot in rule.slots if slot >= 2]
            )
            kept.update(j for j in reads if self.kind != "bilinear" or j != i)
            keep_out |= 1 in rule.slots
        return sorted(kept), [i for i in range(count) if i not in kept], keep_out

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        """Compute the result, and record it if an input requires a gradient."""
        if params and len(inputs) < len(self.inputs) and not params.keys().isdisjoint(self.inputs):
            # An input that is given by its name would pass the graph.
            raise TypeError(calls.misused(self.__name__, self.__signature__, inputs, params))
        for x in inputs:
            if type(x) not in _PLAIN:
                if type(x) is not Tensor and hasattr(x, "__primitive__"):
                    return x.__primitive__(self, inputs, params)  # a symbol, not a value
                break
        else:  # what most rules call, with NumPy's arrays and numbers alone: nothing to do
            try:
                return self.forward(backend.cpu, *inputs, **params)
            except Exception as error:
                if isinstance(error, AttributeError) and not all(type(x) is _Array for x in inputs):
                    # Numbers, and it computes with what only arrays have.
                    return self(*map(backend.cpu.asarray, inputs), **params)
                raise self._explain(list(inputs), error, params) from None
        values: list[Any] = []
        parents: list[Any] = []  # of the inputs that need a gradient; None for the others
        tracked = 0  # a bit for each of them
        bit = 1
        tensors = wide = False
        for x in inputs:
            parent = None
            if isinstance(x, Tensor):
                tensors = True
                values.append(x.data)
                if x.requires_grad:
                    tracked |= bit
                    parent = x.node or x
            elif isinstance(x, _Array):
                values.append(x)
            elif hasattr(x, "__primitive__"):
                return x.__primitive__(self, inputs, params)
            else:
                values.append(_operand(x))
                wide = wide or type(x) is _Float64
            parents.append(parent)
            bit <<= 1
        if tensors and wide:  # a NumPy float64 scalar is a number, not a wish for float64
            values = [float(x) if type(x) is _Float64 else x for x in values]
        try:
            xp = backend.of(values)
            data = self.forward(xp, *values, **params)
        except Exception as error:
            raise self._explain(values, error, params) from None
        if not tensors:
            return data
        if type(data) is not _Array and not backend.is_array(data):
            data = xp.asarray(data)
        dtype = data.dtype
        if dtype.char in "ed" and not _has(dtype.name, values) and "dtype" not in params:
            if dtype.char == "e":  # NumPy's choice for booleans and small integers
                small = [x.astype("float32") if backend.is_array(x) else x for x in values]
                data = xp.asarray(self.forward(xp, *small, **params))
            data = data.astype("float32")
        if mode.anomaly:
            _inspect(self, data, values)
        changed = inputs[0].changed if self.view else [0]
        if not tracked or dtype.kind != "f" or not mode.recording:
            return Tensor.of(data, None, changed)
        # A node of the graph, which keeps what the rules of the tracked inputs read.
        plan = self.plans.get((tracked, bit))
        if plan is None:
            plan = self.plans[tracked, bit] = self.plan(tracked, len(inputs))
        kept, others, keep_out = plan
        watched = [changed] if keep_out else []
        for i in kept:
            x = inputs[i]
            if isinstance(x, Tensor):
                watched.append(x.changed)
        for i in others:
            values[i] = parents[i]
        node = Node(self, parents, values, data, keep_out, params, watched)
        return Tensor.of(data, node, changed)

    def _explain(self, values: list[Any], error: Exception, params: dict[str, Any]) -> Exception:
        """Return the error that says what was given and what is legal, if the cause is known."""
        call = (self.__name__, self.__signature__, tuple(values), params)
        wrong = calls.misused(*call) if isinstance(error, TypeError) else ""
        if wrong:
            return TypeError(wrong)
        arrays = [x for x in values if backend.is_array(x)]
        devices = sorted({backend.device_of(x) for x in arrays})
        if len(devices) > 1:
            return DeviceError(
                f"{self.__name__}: operands on {' and '.join(devices)}; "
                f"move one with .to({devices[-1]!r})"
            )
        odd = [str(x.dtype) for x in arrays if x.dtype.kind not in "fiub"]
        if odd:
            return TypeError(f"{self.__name__}: an operand of {odd[0]}; legal are real numbers")
        if "numpy boolean" in str(error):
            return TypeError(
                f"{self.__name__}: there is none of booleans; use .astype(mg.float32) first, or ~ "
                "for not and != for either"
            )
        known = backend.explained(error)
        if known is not error:
            return known
        shapes = " and ".join(str(x.shape) for x in arrays)
        if isinstance(error, backend.cpu.linalg.LinAlgError):
            advice = "adding a multiple of the identity may help"
            singular: Exception = type(error)(f"{self.__name__} of {shapes}: {error}; {advice}")
            return singular
        if type(error) is IndexError:
            return IndexError(f"{self.__name__}: {error}; the operand has shape {shapes}")
        if self.kind == "elementwise" and _broadcast(arrays):
            return error  # not for their shapes
        if isinstance(error, ValueError) and self.shape_rule and not isinstance(error, ShapeError):
            wrong = calls.mistaken(*call, error)
            if wrong:  # a keyword, and not a shape
                return TypeError(wrong)
            return ShapeError(
                f"{self.__name__}: shapes {shapes} do not fit; {self.shape_rule} ({error})"
            )
        return error


def _operand(x: Any) -> Any:
    """Return a constant operand as what the backends compute with."""
    if isinstance(x, (float, int, backend.cpu.generic)) or backend.is_array(x):
        return x
    if isinstance(x, (list, tuple)):
        if mode.recording and _waits(x):
            raise GraphError(
                "a list is an operand of constants, so the gradients of the Tensors in it would be "
                "lost; join them first, with mg.stack"
            )
        return tensor(list(x)).data
    raise TypeError(
        f"an operand is a Tensor, an array, a number or a list of numbers, not {type(x).__name__}"
    )


def _waits(x: Any) -> bool:
    """Say whether a Tensor in nested lists requires a gradient."""
    if isinstance(x, (list, tuple)):
        return any(map(_waits, x))
    return isinstance(x, Tensor) and x.requires_grad


def _has(dtype: str, values: list[Any]) -> bool:
    """Say whether an operand is of a dtype, so that a result may be."""
    return any(getattr(x, "dtype", None) == dtype for x in values)


def _broadcast(arrays: list[Array]) -> bool:
    """Say whether the shapes of arrays fit each other."""
    try:
        backend.cpu.broadcast_shapes(*(x.shape for x in arrays))
    except ValueError:
        return False
    return True


def _inspect(op: Primitive, data: Array, values: list[Any]) -> None:
    """Raise AnomalyError if the operation made a NaN or an infinity that no operand had."""
    if not is_finite(data) and all(is_finite(x) for x in values if isinstance(x, type(data))):
        shapes = ", ".join(str(getattr(x, "shape", x)) for x in values)
        raise AnomalyError(
            f"forward: {op.__name__} of {shapes} made a NaN or an infinity; called at {user_line()}"
        )


def inspect_gradient(node: Node, i: int, pulled: Any) -> None:
    """Raise AnomalyError if a gradient has a NaN or an infinity."""
    data = pulled.data if isinstance(pulled, Tensor) else pulled
    if not is_finite(data):
        advice = "run the forward pass in detect_anomaly too"
        raise AnomalyError(
            f"backward: the gradient of {node.op.__name__} for its input {i} has a NaN or an "
            f"infinity; {f'called at {node.line}' if node.line else advice}"
        )


def is_finite(data: Array) -> bool:
    """Say whether an array is free of NaNs and infinities."""
    return data.dtype.kind != "f" or bool(backend.of((data,)).isfinite(data).all())


def _definition(kind: str, rules: tuple[Any, ...], **options: Any) -> Callable[..., Primitive]:
    return lambda forward: Primitive(forward, kind, rules, **options)


_BROADCAST = "sizes are compared from the right, and two sizes must be equal or one of them 1"


def elementwise(*partials: Any, shape_rule: str = _BROADCAST) -> Callable[..., Primitive]:
    """Define an elementwise operation by ∂out/∂input for each input: a function or a constant."""
    return _definition("elementwise", partials, shape_rule=shape_rule)


def linear(transpose: Any, view: bool = False, shape_rule: str = "") -> Callable[..., Primitive]:
    """Define an operation linear in its input (or inputs, ``*xs``) by its transpose.

    `view` says that the result may share memory with the input.
    """
    return _definition("linear", (transpose,), view=view, shape_rule=shape_rule)


def bilinear(
    *transposes: Any, added: Any = None, joined: Any = None, shape_rule: str = ""
) -> Callable[..., Primitive]:
    """Define an operation linear in each of its two inputs by its two transposes.

    `added` is the transpose of a third input that is broadcast and added to the product. `joined`
    may compute the sum of two products of arrays, for (a₁, b₁, a₂, b₂), at less cost than two calls
    and an addition; it returns None where it would not.
    """
    rules = transposes if added is None else (*transposes, added)
    options = {"added": added is not None, "joined": joined, "shape_rule": shape_rule}
    return _definition("bilinear", rules, **options)


def primitive(
    *rules: Any, tangent: Any = None, one_pass: bool = False, shape_rule: str = ""
) -> Callable[..., Primitive]:
    """Define any other operation by a vector-Jacobian product for each input.

    Forward mode transposes that once more, at the cost of a few operations. `tangent` saves them
    where they are felt: the Jacobian-vector product with a tangent ``t`` of the first input, the
    only one with a derivative. It reads no more than the first rule, for no more is kept.

    `one_pass` says that the rules do nothing but elementwise operations on values of one shape, or,
    with a keyword `axis`, such operations and reductions along these axes.
    """
    options = {"tangent": tangent, "one_pass": one_pass, "shape_rule": shape_rule}
    return _definition("general", rules, **options)
