"""The table of operations on a device: values and derivatives of every kind are the CPU's.

The CPU's are held to independent oracles in `tests/ops`. Here each quantity is computed twice by
the same text, on the CPU and on the device, and must come out there: of the right dtype, on the
right device, and equal.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, forward
from minigrad.batch import Batch
from minigrad.curvature import Curvature
from tests.cuda.compare import equal, host
from tests.ops.row import Drawn, listed
from tests.ops.table import ROWS

named = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def cases(row):
    """Return the fixed cases, those at the edges among them."""
    return row.cases.edges if isinstance(row.cases, Drawn) else row.cases


def on(x, where, dtype=None):
    """Return an array as a leaf on a device, in its memory order."""
    y = mg.tensor(x, dtype=dtype if x.dtype.kind == "f" else None, device=where)
    return y.requires_grad_(x.dtype.kind == "f")


def computed(row, case, where, dtype):
    """Return values and derivatives of orders 1 to 3, forward, reverse, and of batches."""
    arrays = row.inputs(case)
    xs = [on(x, where, dtype) for x in arrays]
    free = [x for x in xs if x.requires_grad]
    outputs = listed(row.mg(*xs, **case.params))
    found = [host(y, where) for y in outputs]
    rng = np.random.default_rng(1)
    ws = [on(rng.uniform(-1, 1, y.shape), where, dtype).detach() for y in outputs]
    vs = [on(rng.uniform(-1, 1, x.shape), where, dtype).detach() for x in free]
    live = [(w * y).sum() for w, y in zip(ws, outputs, strict=True) if y.requires_grad]
    if not live:
        return found
    value = sum(live[1:], live[0])
    kinds = {x.dtype for x in free}
    plain = mg.autograd.grad(value, free, retain_graph=True, allow_unused=True)
    found += [host(g, where, *kinds) for g in plain]
    found += [host(t, where) for t in forward.jvp(outputs, free, [v.data for v in vs])]
    curvature = Curvature(value, free)
    found += [host(h, where, *kinds) for h in curvature.hvp(vs)]
    found.append(host(curvature.hessian(), where, *kinds))
    for _ in range(2):
        gradients = mg.autograd.grad(value, free, create_graph=True, allow_unused=True)
        found += [host(g, where, *kinds) for g in gradients]
        live = [(g * v).sum() for g, v in zip(gradients, vs, strict=True) if g is not None]
        live = [part for part in live if part.requires_grad]
        if not live:
            break
        value = sum(live[1:], live[0])
    stacked = [backend.of((x.data,)).stack([x.data, x.data]) for x in xs]
    batch = listed(row.mg(*map(Batch, stacked), **case.params))
    return found + [host(y.array, where) for y in batch]


@named
def test_values_and_derivatives(row, device):
    for case in cases(row):
        equal(computed(row, case, "cpu", None), computed(row, case, device, None))


@pytest.mark.parametrize(
    "spec", ["ab,ab->b", "ab,ab->a", "abc,abc->b", "ab,ab->", "ab,ab->ab", "ab,ab->ba", "ab,ba->a",
             "aa,aa->a", "ab,bc->ac", "...a,...a->...", "ab,ab,ab->b", "ab->b"],
)  # fmt: skip
def test_einsteins_sums(spec, device):
    """Sums of products of two factors with the same axes are another text on a GPU."""
    names = spec.partition("->")[0].split(",")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3,) * len(name.replace("...", "xy"))) for name in names]
    found = backend.get(device).einsum(spec, *[mg.tensor(x, device=device).data for x in arrays])
    np.testing.assert_allclose(host(found, device), np.einsum(spec, *arrays), rtol=1e-12)
