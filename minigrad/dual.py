"""Dual: a value together with its tangent, which says how fast the value changes.

Floor 2. The derivative of an operation is stated once, in `ops/`. `push` reads that statement
forward: it turns the tangents of the inputs into the tangent of the result. Operations on duals
call it, so that a rule that is given duals returns its own derivative along the tangents.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from minigrad import autograd, backend
from minigrad.batch import Batch
from minigrad.mode import GraphError, enable_grad
from minigrad.ops import sum_to
from minigrad.ops.methods import attach
from minigrad.ops.shape import _expand
from minigrad.primitive import Primitive
from minigrad.rule import Rule
from minigrad.tensor import Tensor

Value = Any  # an array or a Tensor


class Dual:
    """A value x and its tangent ẋ, of one shape and dtype.

    The value is computed when it is first read. Often it never is: of a gradient's derivative along
    a vector only the tangent is wanted. For a weight the gradient is the product g x, its tangent
    ġ x + g ẋ: one of these three matrix products is saved.
    """

    __slots__ = ("_made", "_value", "tangent")
    __hash__ = object.__hash__

    def __init__(self, value: Value, tangent: Value, made: Any = None) -> None:
        self._value = value
        self._made = made  # what computes the value: an operation, its inputs and parameters
        self.tangent = tangent

    @property
    def value(self) -> Value:
        """The value."""
        if self._made is not None:
            op, inputs, params = self._made
            self._value = op(*_values(inputs), **params)
            self._made = None
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.tangent.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The dtype of value and tangent."""
        return self.tangent.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.tangent.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.tangent.size  # type: ignore[no-any-return]

    def __primitive__(self, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Return the result of an operation that has this dual among its inputs."""
        if op.kind == "linear" and len(inputs) == 1 and not op.variadic:
            return Dual(None, op(self.tangent, **params), (op, inputs, params))
        tangents = [x.tangent if type(x) is Dual else None for x in inputs]
        if op.fixed and op.fixed.issuperset([i for i, t in enumerate(tangents) if t is not None]):
            return op(*_values(inputs), **params)  # piecewise constant, or not differentiable
        out = Dual(None, None, (op, inputs, params))
        shape = None
        if op.kind == "elementwise" and len(inputs) > 1:
            shape = ()
            for x in inputs:
                other = getattr(x, "shape", ())
                if other and other != shape:
                    shape = backend.cpu.broadcast_shapes(shape, other) if shape else other
        out.tangent = push(op, inputs, out, tangents, params, shape)
        return out


attach(Dual)
# A view of value and tangent alike, which rules ask for often: no operation need be looked at.
_T = attrgetter("T")
setattr(Dual, "T", property(lambda self: Dual(None, self.tangent.T, (_T, (self,), {}))))


def value_of(x: Any) -> Any:
    """Return the value of a dual, and anything else as it is."""
    return x.value if type(x) is Dual else x


def _values(inputs: Any) -> list[Any]:
    """Return the values of duals, and anything else as it is."""
    return [x.value if type(x) is Dual else x for x in inputs]


def push(
    op: Primitive,
    inputs: Any,
    out: Any,
    tangents: list[Any],
    params: dict[str, Any],
    shape: tuple[int, ...] | None = None,
) -> Any:
    """Return the tangent of the result of an operation; a tangent of None is zero.

    `inputs` and `out` may be duals, of which only what a rule reads is computed. The tangent is
    expanded to `shape`, if that is given.
    """
    if backend.several:  # the tangent is computed where those of the inputs are
        backend.of([getattr(x, "array", x) for x in tangents])
    if op.kind == "linear":
        total = op(*_filled(op, out, tangents, params), **params)
    elif op.kind == "bilinear":
        total = _product_rule(op, inputs, out, tangents, params)
    elif op.kind == "elementwise":
        total = _chain_rule(op, inputs, out, tangents, params)
    elif op.tangent is not None:
        total = _called(op.tangent, [tangents[0], out, *inputs], params)
    else:
        total = _transposed(op, inputs, out, tangents, params)
    return total if shape is None or total.shape == shape else _expand(total, shape=shape)


def _rule(op: Primitive, i: int) -> Rule:
    rule = op.rule(i)
    if rule is None:
        raise GraphError(f"{op.__name__} is not differentiable in its input {i}")
    return rule


def _filled(op: Primitive, out: Any, tangents: list[Any], params: dict[str, Any]) -> list[Any]:
    """Return the tangents of a linear operation's inputs, zeros in place of None."""
    if not any(tangent is None for tangent in tangents):
        return tangents
    zeros = _zeros(value_of(out), tangents)
    return [
        _rule(op, i).call([zeros, None, None, i], params) if tangent is None else tangent
        for i, tangent in enumerate(tangents)
    ]


def _product_rule(
    op: Primitive, inputs: Any, out: Any, tangents: list[Any], params: dict[str, Any]
) -> Any:
    """Return B(ẋ, y) + B(x, ẏ) for an operation B(x, y), and + ż for one B(x, y) + z."""
    if op.variadic:
        return _product_rule_of_many(op, inputs, tangents, params)
    a, b = inputs[0], inputs[1]
    a_dot, b_dot = tangents[0], tangents[1]
    added: tuple[Any, ...] = ()
    last: tuple[float, ...] = ()
    if op.added:
        last = (0.0,)
        added = last if tangents[2] is None else (tangents[2],)
    if a_dot is None and b_dot is None:
        return _expand(tangents[2], shape=value_of(out).shape)
    if b_dot is None:
        return op(a_dot, value_of(b), *added, **params)
    if a_dot is None:
        return op(value_of(a), b_dot, *added, **params)
    a, b = value_of(a), value_of(b)
    total = None if op.joined is None else op.joined(a_dot, b, a, b_dot)
    if total is None:
        total = _into(op(a_dot, b, *added, **params), op(a, b_dot, *last, **params))
    return total


def _product_rule_of_many(
    op: Primitive, inputs: Any, tangents: list[Any], params: dict[str, Any]
) -> Any:
    """Return the sum of the products in each of which one factor is its tangent."""
    total, moving = None, [i for i, tangent in enumerate(tangents) if tangent is not None]
    values = [x if moving == [i] else value_of(x) for i, x in enumerate(inputs)]
    for i in moving:
        part = op(*values[:i], tangents[i], *values[i + 1 :], **params)
        total = part if total is None else _into(total, part)
    return total


def _into(total: Any, part: Any) -> Any:
    """Return the sum of two fresh arrays, in the memory of the first if they are no Tensors."""
    if total.shape == part.shape and total.dtype == part.dtype:
        if backend.is_array(total) and backend.is_array(part):
            total += part
            return total
        if type(total) is type(part) is Batch:
            total.array += part.array
            return total
    return total + part


def _chain_rule(
    op: Primitive, inputs: Any, out: Any, tangents: list[Any], params: dict[str, Any]
) -> Any:
    """Return Σ ∂f/∂x · ẋ over the inputs of an elementwise operation."""
    frame, total = [None, out, *inputs], None
    for i, tangent in enumerate(tangents):
        if tangent is not None:
            frame[0] = tangent
            part = _called(_rule(op, i), frame, params)
            total = part if total is None else total + part
    return total


def _called(rule: Rule, frame: list[Any], params: dict[str, Any]) -> Any:
    """Return what a rule makes of a tangent; of the duals only what it names is computed."""
    for slot in rule.slots:
        if type(frame[slot]) is Dual:
            frame[slot] = frame[slot].value
    return rule.call(frame, params)


def _transposed(
    op: Primitive, inputs: Any, out: Any, tangents: list[Any], params: dict[str, Any]
) -> Any:
    """Return J ẋ for an operation that states g ↦ Jᵀ g: the transpose of that, which is linear."""
    values, result = _read(op, inputs, out, tangents, params)
    record = any(isinstance(tangent, Tensor) for tangent in tangents)
    g = Tensor.of(_zeros(result, tangents)).requires_grad_()
    frame = [g, result, values, 0] if op.variadic else [g, result, *values]
    roots, seeds = [], []
    with enable_grad():
        for i, tangent in enumerate(tangents):
            if tangent is None:
                continue
            if op.variadic:
                frame[3] = i
            pulled = _rule(op, i).call(frame, params)
            if pulled is None:
                continue
            shape = tangent.shape
            roots.append(pulled if pulled.shape == shape else sum_to(pulled, shape=shape))
            seeds.append(tangent)
        (found,) = autograd.pull(roots, [g], seeds, record)
    return found if found is not None else g if record else g.data


def _read(
    op: Primitive, inputs: Any, out: Any, tangents: list[Any], params: dict[str, Any]
) -> tuple[list[Any], Any]:
    """Return the values of inputs and result; what no rule reads is another of that shape.

    For it may have none: nobody computes the gradient of a leaf, say, when its tangent is wanted.
    """
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    slots = {slot for i in moving for slot in _rule(op, i).slots}
    unread = [type(x) is Dual and i + 2 not in slots for i, x in enumerate(inputs)]
    if op.variadic or 1 in slots or type(out) is not Dual or not any(unread):
        return _values(inputs), value_of(out)
    values = [x.tangent if other else value_of(x) for x, other in zip(inputs, unread, strict=True)]
    return values, op(*values, **params)


def _zeros(like: Any, tangents: list[Any]) -> Any:
    """Return an array of zeros of a value's shape and dtype, where the tangents are."""
    tangent = next(tangent for tangent in tangents if tangent is not None)
    raw = tangent.data if isinstance(tangent, Tensor) else tangent
    xp = backend.of((raw.array if isinstance(raw, Batch) else raw,))
    return xp.zeros(like.shape, like.dtype)
