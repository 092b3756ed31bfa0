"""Checks of a derivative against finite differences, in PyTorch's manner, for one's own functions.

Floor 2, above `func`. The numbers come from central differences, (f(x + ε) - f(x - ε)) / 2ε, whose
error is of order ε² + 1e-16/ε: hence float64, and tolerances that fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minigrad import autograd, backend
from minigrad.creation import zeros_like
from minigrad.mode import ShapeError, enable_grad
from minigrad.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Function = Callable[..., Any]


class GradcheckError(AssertionError):
    """An analytic derivative that differs from the numerical one."""


def gradcheck(
    f: Function,
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Compare every ∂f/∂x by reverse mode with (f(x + ε) - f(x - ε)) / 2ε; return True if equal.

    `f` takes the inputs and returns a Tensor or several. Each input that requires a gradient, of
    any shape, is checked at every element against every element of every floating output: equal
    means |analytic - numerical| ≤ atol + rtol · |numerical|. Choose inputs off the kinks of f.

    Raises GradcheckError with the input, the element and both numbers; TypeError for an input that
    requires a gradient and is not float64; ValueError if no input requires one.
    """
    arguments = _arguments(inputs)
    outputs = _outputs(f, arguments)
    for n, x in enumerate(arguments):
        if not _wanted(x):
            continue
        columns = _numerical(f, arguments, n, eps)
        rows = [_analytic(y, x) for y in outputs]
        for element, column in columns:
            for m, (y, row) in enumerate(zip(outputs, rows, strict=True)):
                for place in _places(y.shape):
                    analytic = float(row[place].data[element])
                    numerical = float(column[m].data[place])
                    if not abs(analytic - numerical) <= atol + rtol * abs(numerical):
                        raise GradcheckError(
                            f"the derivative of output {m}{_at(place)} by input {n}{_at(element)} "
                            f"is {analytic!r} by reverse mode and {numerical!r} by central "
                            f"differences (eps={eps}, atol={atol}, rtol={rtol})"
                        )
    return True


def gradgradcheck(
    f: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Any] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Compare the second derivatives of f: `gradcheck` of the function (x, v) ↦ vᵀ ∂f/∂x.

    `grad_outputs` has a float64 vector v for each floating output, of its shape; standard normal
    numbers if left out, always the same.

    Raises what `gradcheck` raises; ShapeError for `grad_outputs` that do not fit the outputs.
    """
    arguments = _arguments(inputs)
    outputs = _outputs(f, arguments)
    if grad_outputs is None:
        vectors = [_random(y, seed) for seed, y in enumerate(outputs)]
    else:
        given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
        vectors = [v.detach().requires_grad_() for v in given]
    if [v.shape for v in vectors] != [y.shape for y in outputs]:
        raise ShapeError(
            f"grad_outputs of shapes {[v.shape for v in vectors]} for outputs of shapes "
            f"{[y.shape for y in outputs]}"
        )
    count = len(arguments)

    def gradient(*variables: Any) -> list[Tensor]:
        chosen = [x for x in variables[:count] if _wanted(x)]
        pairs = zip(_outputs(f, variables[:count]), variables[count:], strict=True)
        live = [(y, v) for y, v in pairs if y.requires_grad]
        if not live:
            return [zeros_like(x) for x in chosen]
        found = autograd.grad(
            [y for y, _ in live],
            chosen,
            [v for _, v in live],
            create_graph=True,
            allow_unused=True,
        )
        return [zeros_like(x) if g is None else g for g, x in zip(found, chosen, strict=True)]

    return gradcheck(gradient, [*arguments, *vectors], eps, atol, rtol)


def _wanted(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _arguments(inputs: Tensor | Sequence[Any]) -> list[Any]:
    """Return the inputs as leaves of their own, and everything else as it is."""
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not any(_wanted(x) for x in given):
        raise ValueError(
            "no input requires a gradient: there is nothing to check; make one with "
            "mg.tensor(x, dtype=mg.float64, requires_grad=True)"
        )
    for n, x in enumerate(given):
        if _wanted(x) and x.dtype != "float64":
            raise TypeError(
                f"input {n} is {x.dtype}, in which differences have too few digits; check in "
                "float64: mg.tensor(x, dtype=mg.float64, requires_grad=True)"
            )
    return [x.detach().requires_grad_() if _wanted(x) else x for x in given]


def _outputs(f: Function, arguments: Sequence[Any]) -> list[Tensor]:
    """Return the floating outputs of f, recorded."""
    with enable_grad():
        value = f(*arguments)
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    for y in values:
        if not isinstance(y, Tensor):
            raise TypeError(f"f returns a Tensor or several, not {type(y).__name__}")
    return [y for y in values if y.dtype.kind == "f"]


def _numerical(
    f: Function, arguments: list[Any], n: int, eps: float
) -> Iterator[tuple[tuple[int, ...], list[Tensor]]]:
    """Yield, for each element of input n, its index and the central differences of the outputs."""
    x = arguments[n]

    def moved(element: tuple[int, ...], step: float) -> list[Tensor]:
        array = backend.copied(x.data)
        array[element] += step
        there = Tensor.of(array).requires_grad_()
        return _outputs(f, [*arguments[:n], there, *arguments[n + 1 :]])

    for element in _places(x.shape):
        above, below = moved(element, eps), moved(element, -eps)
        yield (
            element,
            [(a.detach() - b.detach()) * (0.5 / eps) for a, b in zip(above, below, strict=True)],
        )


def _analytic(y: Tensor, x: Tensor) -> dict[tuple[int, ...], Tensor]:
    """Return the gradient by x of each element of y, a reverse sweep each."""
    rows = {}
    for place in _places(y.shape):
        seed = zeros_like(y)
        seed.data[place] = 1
        found = (
            autograd.grad(y, x, seed, retain_graph=True, allow_unused=True)[0]
            if (y.requires_grad)
            else None
        )
        rows[place] = zeros_like(x) if found is None else found
        if rows[place].dtype != x.dtype or rows[place].shape != x.shape:
            raise GradcheckError(
                f"a gradient of shape {rows[place].shape} and dtype {rows[place].dtype} for an "
                f"input of shape {x.shape} and dtype {x.dtype}"
            )
    return rows


def _places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the index of every element of an array of this shape."""
    yield from backend.cpu.ndindex(*shape)


def _at(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]" if place else ""


def _random(y: Tensor, seed: int) -> Tensor:
    """Return standard normal numbers of the shape of y, leaving the global generator alone."""
    array = backend.get(y.device).generator(seed).standard_normal(y.shape)
    return Tensor(array).requires_grad_()
