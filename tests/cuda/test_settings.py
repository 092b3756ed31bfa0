"""The switches: sums in a fixed order, and TF32."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import settings
from tests.cuda.compare import host
from tests.fake_cupy import modules
from tests.fuse import host as cpp
from tests.fuse import nvrtc


@pytest.fixture(autouse=True)
def switches_as_they_were():
    before, chosen = dict(settings.values), set(settings.chosen)
    yield
    settings.values.update(before)
    settings.chosen.intersection_update(chosen)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64"])
def test_repeated_indices_add_in_the_order_of_the_index(dtype, device):
    """Sums of numbers of very different sizes: another order would round otherwise."""
    rng = np.random.default_rng(0)
    rows = rng.integers(-5, 5, 400)
    values = (rng.standard_normal((400, 3)) * 10.0 ** rng.integers(-3, 3, (400, 1))).astype(dtype)
    start = rng.standard_normal((5, 3)).astype(dtype)
    expected = start.copy()
    np.add.at(expected, rows, values)
    found = []
    for _ in range(2):
        with mg.deterministic():
            index = np.broadcast_to((rows % 5)[:, None], (400, 3))
            x = mg.tensor(start, device=device)
            y = mg.scatter_add(x, index, mg.tensor(values, device=device), 0)
            found.append(host(y, device, dtype))
    np.testing.assert_array_equal(*found)
    if dtype != "float16":
        np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


def test_gradients_of_an_index_are_the_cpus_to_the_last_bit(device):
    rng = np.random.default_rng(1)
    weight, rows = rng.standard_normal((7, 4)).astype("float32"), rng.integers(0, 7, (30, 2))
    found = []
    for where in ("cpu", device):
        with mg.deterministic():
            x = mg.tensor(weight, device=where, requires_grad=True)
            scale = mg.tensor(rng.standard_normal(1).astype("float32"), device=where) * 0 + 1
            (x[rows] * scale).sum().backward()
            empty = x[np.zeros(0, int)].sum()
            empty.backward()
        found.append(host(x.grad, where))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_of_sums_in_order_compiles(dtype, architecture, fake):
    module = mg.backend.get("cuda")
    text = module.IN_ORDER.format(type=module._TYPES[dtype])
    assert b"add_in_order" in nvrtc.compiled(text, architecture)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_text_of_sums_in_order_adds_as_numpy_does(dtype, fake, tmp_path):
    """Run as C++: to the last bit what NumPy adds, and places that are not named stay."""
    module = mg.backend.get("cuda")
    text = module.IN_ORDER.format(type=module._TYPES[dtype])
    (launch,) = cpp.compiled([text], "add_in_order", tmp_path)
    rng = np.random.default_rng(0)
    out, values = (rng.standard_normal(n).astype(dtype) for n in (9, 200))
    values *= 10.0 ** rng.integers(-3, 3, 200)
    places = rng.integers(1, 9, 200)
    expected = out.copy()
    np.add.at(expected, places, values)
    order = np.argsort(places, kind="stable")
    launch(4, 64, [out, places[order], order, values, np.int64(200)])
    np.testing.assert_array_equal(out, expected)


def test_switches_turn_at_once_and_turn_back(fake):
    assert not settings.values["deterministic"]
    with mg.deterministic():
        assert settings.values["deterministic"]
        with mg.deterministic(False):
            assert not settings.values["deterministic"]
        assert settings.values["deterministic"]
    assert not settings.values["deterministic"]
    modules.compute_types.clear()
    mg.allow_tf32()  # before anything was on a GPU
    assert modules.compute_types == {}
    mg.ones(1, device="cuda")
    assert modules.compute_types == {np.dtype("float32"): "TF32"}
    with mg.allow_tf32(False):
        assert modules.compute_types == {np.dtype("float32"): "default"}
    assert modules.compute_types == {np.dtype("float32"): "TF32"}


def test_the_environment_decides_tf32_where_nobody_asked(fake):
    modules.compute_types.clear()
    settings.chosen.clear()
    mg.ones(1, device="cuda")
    assert modules.compute_types == {}


def test_half_precision_sums_in_float32(device):
    """The product of 4,096 ones and small numbers is lost where sums are of half precision."""
    a = mg.full((2, 4096), 1.0, dtype="float16", device=device)
    b = mg.full((4096, 2), 2.0**-6, dtype="float16", device=device)
    y = a @ b
    assert y.dtype == "float16"
    np.testing.assert_allclose(host(y, device), 64, rtol=2e-3)
