"""What a row of the table of operations is, and how its inputs are drawn.

A row names an operation, its NumPy and PyTorch references, and where its inputs live; every test of
`test_table.py` follows from that. The NumPy reference takes complex numbers too and is analytic, so
that a contour integral around the real line gives its derivatives of any order to rounding: it is
the oracle of all gradients. Where an operation has pieces (abs, max, clip) the reference chooses
the piece by the real part.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# Domains: functions of a generator and a shape. All keep 0.3 or more from singularities and kinks,
# which the contour of radius 0.1 must not meet.


def real(rng, shape):
    return rng.uniform(-2, 2, shape)


def away(rng, shape):
    """Not near 0: for abs, for divisors, for norms."""
    return rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)


def positive(rng, shape):
    return rng.uniform(0.5, 2, shape)


def near_one(rng, shape):
    return 1 + rng.uniform(-0.02, 0.02, shape)


def above_minus_one(rng, shape):
    return rng.uniform(-0.5, 2, shape)


def small(rng, shape):
    return rng.uniform(-1, 1, shape)


def distinct(rng, shape):
    """No two closer than 0.8: for extremes, for variances."""
    n = int(np.prod(shape))
    return (rng.permutation(n) - n // 2 + rng.uniform(-0.1, 0.1, n)).reshape(shape)


def whole(rng, shape):
    """Near integers; with `halves`, for pieces that meet where the two are equal."""
    return rng.integers(-2, 3, shape) + rng.uniform(-0.05, 0.05, shape)


def halves(rng, shape):
    return whole(rng, shape) + 0.5


def matrix(rng, shape):
    """Square and well-conditioned, with a determinant of either sign."""
    eye = np.broadcast_to(np.eye(shape[-1]), shape)
    return rng.uniform(-0.5, 0.5, shape) + 3 * eye * rng.choice([-1, 1], shape[-1])


def definite(rng, shape):
    """Half of a symmetric positive definite matrix: x + xᵀ is one."""
    a = rng.uniform(-1, 1, shape)
    return (a @ np.swapaxes(a, -1, -2) / max(shape[-1], 1) + 2 * np.eye(shape[-1])) / 2


def mask(rng, shape):
    return rng.random(shape) < 0.5


# Cases: the shapes of the inputs and the keywords of the call, fixed or drawn.


@dataclass(frozen=True)
class Case:
    shapes: tuple[tuple[int, ...], ...]
    params: dict[str, Any]
    seed: int = 0


def case(*shapes, **params):
    return Case(shapes, params)


SEEDS = st.integers(0, 1000)


@dataclass(frozen=True)
class Drawn:
    """Cases that hypothesis draws, after those at the edges, which are always among them."""

    strategy: st.SearchStrategy[Case]
    edges: list[Case]


def broadcasting(count):
    """Shapes that broadcast to each other, 0-d, empty and size 1 among them."""
    drawn = hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=3, max_dims=3)
    rows, column = ((2, 3), (2, 1), (1, 3)), ((3, 1), (2, 1, 4), (1,))
    edges = [((),) * count, ((0,),) * count, ((1,),) * count, rows[:count], column[:count]]
    return Drawn(
        st.builds(lambda shapes, seed: Case(shapes.input_shapes, {}, seed), drawn, SEEDS),
        [case(*shapes) for shapes in edges],
    )


def reducing(smallest=0, one_axis=False, keepdims=True, ndim=0):
    """A shape with no side under `smallest`, an axis (or several, or None for all), keepdims."""
    edges = [((2, 3, 2), -1), ((1, 1), 1), ((3,), 0)] if smallest < 2 else [((2, 3), 1)]
    edges += [((), None), ((2, 3), None)] if ndim == 0 else []
    edges += [((2, 3, 2), (0, -1))] if not one_axis else []
    edges += [((0,), 0), ((0, 2), 0), ((2, 0), 0)] if smallest == 0 else []
    return Drawn(
        _reducing(smallest, one_axis, keepdims, ndim),
        [
            case(shape, axis=axis, **({"keepdims": keep} if keepdims else {}))
            for shape, axis in edges
            for keep in ((False, True) if keepdims else (False,))
        ],
    )


@st.composite
def _reducing(draw, smallest, one_axis, keepdims, ndim):
    shape = draw(hnp.array_shapes(min_dims=ndim, max_dims=3, min_side=smallest, max_side=4))
    choices = st.just(None) if ndim == 0 else st.nothing()
    if shape:
        choices = choices | st.integers(-len(shape), len(shape) - 1)
    if shape and not one_axis:
        choices = choices | hnp.valid_tuple_axes(len(shape), min_size=1)
    params = {"axis": draw(choices)}
    if keepdims:
        params["keepdims"] = draw(st.booleans())
    return Case((shape,), params, draw(SEEDS))


# Rows


@dataclass(frozen=True)
class Row:
    """An operation, its references, its domain, its cases."""

    name: str
    mg: Callable[..., Any]
    np: Callable[..., Any]
    torch: str | Callable[..., Any] | None  # a name in torch, or a function of torch and the inputs
    cases: list[Case] | Drawn
    domain: tuple[Callable[..., Any], ...] = (real,)
    differentiable: bool = True
    integers: bool = True  # whether integer inputs are legal

    def inputs(self, drawn, order="CFR"):
        """Return float64 (or boolean) inputs of a case, in some memory order."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), drawn.seed])
        domains = self.domain * len(drawn.shapes) if len(self.domain) == 1 else self.domain
        arrays = [domain(rng, shape) for domain, shape in zip(domains, drawn.shapes, strict=True)]
        return [_laid_out(np.asarray(x), order[rng.integers(len(order))]) for x in arrays]

    def each(self, check, count=10):
        """Call ``check(case)`` on every fixed case, then on `count` drawn ones."""
        drawn = isinstance(self.cases, Drawn)
        for fixed in self.cases.edges if drawn else self.cases:
            try:
                check(fixed)
            except BaseException as error:
                error.add_note(f"{self.name}: {fixed}")
                raise
        if drawn:
            settings(max_examples=count)(given(self.cases.strategy)(lambda case: check(case)))()

    def by_torch(self, torch, *inputs, **params):
        """Return what PyTorch returns."""
        if isinstance(self.torch, str):
            return getattr(torch, self.torch)(*inputs, **params)
        return self.torch(torch, *inputs, **params)


def _laid_out(x, order):
    """Return x in C order, in Fortran order, or backwards in memory."""
    if order == "R" and x.ndim:
        return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    return np.array(x, order="F" if order == "F" else "C")


def listed(y):
    """Return the results of an operation as a list."""
    return list(y) if isinstance(y, (list, tuple)) else [y]
