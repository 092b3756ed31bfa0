"""The fake itself: it refuses what CuPy refuses, and has no name that CuPy does not have."""

import json

import numpy as np
import pytest

from tests.fake_cupy import counts, ndarray, record


def test_names_are_those_of_cupy():
    """Every name in the list, with its parameters, is CuPy's own."""
    pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
    known = json.loads(record.FILE.read_text())
    installed = record.recorded()
    for namespace, names in known["names"].items():
        for name, described in names.items():
            there = installed["names"][namespace].get(name, "missing")
            assert there == described, f"{namespace}.{name}"


def test_its_array_has_nothing_that_cupys_has_not():
    """Without `__index__`, say, no array of CuPy's is an index of Python's."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
    ours = {name for name in dir(ndarray) if name.startswith("__") or not name.startswith("_")}
    assert ours - {"__weakref__"} <= set(dir(cupy.ndarray))


def test_dtypes_of_elementwise_functions_are_numpys():
    """As the stand-in computes with NumPy's: of one dtype, each function gives the same in both."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
    from cupyx.scipy import special

    def given(types, dtypes):
        for inputs, out in (loop.split("->") for loop in types if "E" not in loop):
            if all(np.can_cast(a, b) for a, b in zip(dtypes, map(np.dtype, inputs), strict=True)):
                return np.dtype(out)
        return None

    known = json.loads(record.FILE.read_text())["names"]["cupy"]
    compared = 0
    for name in [name for name, described in known.items() if described == "ufunc"]:
        ours = getattr(np, name, None)
        if not isinstance(ours, np.ufunc) or ours.nout > 1:
            continue
        for char in "?bBhHiIlLefd":
            dtypes = (np.dtype(char),) * ours.nin
            try:
                expected = ours.resolve_dtypes((*dtypes, None))[-1]
            except TypeError:
                continue
            assert given(getattr(cupy, name).types, dtypes) == expected, (name, char)
            compared += 1
    assert compared > 500
    assert given(special.erf.types, (np.dtype("e"),)) == "float64"  # which NumPy does not have


def test_private_names_that_are_used_are_there():
    """CuPy has no public name for TF32 but an environment variable, read once."""
    pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda13x")
    from cupy import _core

    assert callable(_core.set_compute_type)
    linalg = _core._routines_linalg
    assert linalg.COMPUTE_TYPE_TF32 != linalg.COMPUTE_TYPE_DEFAULT


@pytest.fixture
def cp(fake):
    import cupy

    return cupy


def test_refuses_what_cupy_refuses(cp):
    x, y = cp.arange(6.0).reshape(2, 3), np.ones(3)
    for mixed in (
        lambda: x + y, lambda: y + x, lambda: cp.maximum(x, y), lambda: cp.dot(x, y),
        lambda: cp.where(x > 1, x, y), lambda: cp.concatenate([x[0], y]), lambda: x[np.array([1])],
        lambda: x.__setitem__(0, y), lambda: cp.scatter_add, lambda: cp.sum(x, where=True),
        lambda: x.sum(initial=1), lambda: cp.take(x, 0, mode="wrap"), lambda: np.asarray(x),
        lambda: cp.random.default_rng(0).permutation(3), lambda: np.sin(y, out=x),
        lambda: cp.sum([1.0, 2.0]), lambda: cp.exp([1.0]), lambda: cp.power([x[0]], 2),
        lambda: cp.exp(x, where=x > 1), lambda: cp.exp(x, out=y), lambda: cp.where([True], x, x),
        lambda: cp.sum(3.0), lambda: cp.concatenate([[1.0], [2.0]]), lambda: x + [1.0] * 3,
        lambda: cp.clip(2.0, 0, 1), lambda: x[0].__iadd__(cp.ones(3, "complex64")),
        lambda: cp.random.default_rng(0).random(3, "float16"),
    ):  # fmt: skip
        with pytest.raises((TypeError, AttributeError)):
            mixed()


def test_has_no_dtype_that_cupy_has_not(cp):
    for make in (
        lambda: cp.array(["a"]), lambda: cp.array([None]), lambda: cp.zeros(3, object),
        lambda: cp.array(np.array([1], "datetime64[s]")), lambda: cp.ones(2).astype("S1"),
        lambda: cp.empty(2, np.longdouble),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="Unsupported dtype"):
            make()


def test_what_cupy_leaves_open_is_an_error_here(cp):
    """Of two values for one element CuPy keeps either; a float that an integer has not is any."""
    x = cp.zeros(3)
    for index in (cp.array([0, 1, 0]), [0, 1, 0], cp.array([0, 1, 3])):
        with pytest.raises(AssertionError, match="either"):
            x[index] = cp.array([1.0, 2.0, 3.0])
        x[index] = 7.0
    for number in (np.nan, np.inf, -1.0, 256.0):
        with pytest.raises(AssertionError, match="C\\+\\+"):
            cp.array([number]).astype("uint8")
    assert cp.array([255.5, -0.5]).astype("uint8").tolist() == [255, 0]


def test_numbers_promote_as_in_cupy(cp):
    """Python's numbers take the array's dtype; NumPy's, and arrays of no axis, do not."""
    x = cp.ones(2, "float32")
    assert (x + 3.0).dtype == (3 * x).dtype == "float32"
    assert (x + np.float64(3)).dtype == (x + cp.array(3.0)).dtype == "float64"
    with pytest.raises(TypeError, match="same_kind"):
        x.astype("int32").__iadd__(1.5)


def test_results_are_in_the_order_of_c(cp):
    x = cp.ones((3, 4)).T
    assert x.flags.f_contiguous
    for y in (x + x, -x, cp.exp(x), 2 * x, cp.where(x > 0, x, 0), cp.clip(x, 0, None)):
        assert y.flags.c_contiguous
    assert cp.empty_like(x).flags.f_contiguous
    out = cp.empty_like(x)
    assert cp.exp(x, out=out) is out
    assert out.flags.f_contiguous
    with pytest.raises(ValueError, match="C-contiguous"):
        cp.dot(x, x.T, out=cp.empty((4, 4)).T)


def test_a_device_is_not_another(cp):
    x = cp.ones(3)
    with cp.cuda.Device(1):
        y = cp.ones(3)
        assert (x.device.id, y.device.id, y[1:].device.id) == (0, 1, 1)
        with pytest.raises(ValueError, match="different from the current device"):
            x + 1
        assert x.copy().device.id == 1
    with pytest.raises(ValueError, match="different from the current device"):
        x + y
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError):
        cp.cuda.Device(2).use()


def test_results_are_arrays_and_views_know_their_base(cp):
    x = cp.arange(6.0).reshape(2, 3)
    assert type(x.sum()) is type(x[0, 0]) is cp.ndarray
    x[0, 0][...] = 5
    assert x.tolist()[0][0] == 5
    assert x.T.base is x.base
    assert (x + 1).base is None
    assert cp.arange(3)[cp.array([4])].tolist() == [1]  # an index beyond the end wraps around


def test_memory_that_was_never_written_to_shows(cp):
    x = cp.ones(3)
    for made in (cp.empty(3), cp.empty_like(x), cp.ndarray((3,), "float32")):
        assert all(np.isnan(number) for number in made.tolist())


def test_a_stream_does_its_work_as_late_as_it_may(cp):
    stream, page = cp.cuda.Stream(non_blocking=True), np.ones(2)
    first, second = cp.empty(2), cp.empty(2)
    first.set(page, stream)
    arrival = stream.record()
    second.set(page, stream)
    assert not arrival.done
    assert np.isnan(first.sum().item())  # who does not wait for the arrival sees nothing
    page[0] = 5  # and who writes where a copy comes from changes it
    cp.cuda.get_current_stream().wait_event(arrival)
    assert arrival.done
    assert first.tolist() == [5, 1]
    assert np.isnan(second.sum().item())
    stream.synchronize()
    assert second.tolist() == [5, 1]


def test_launches_are_counted(cp):
    x = cp.ones((3, 4))
    for launch in (
        lambda: x + 1, lambda: x.__iadd__(1), lambda: cp.exp(x, out=x), x.sum, x.copy,
        lambda: x.__setitem__(0, 1), lambda: cp.add.at(x, 0, 1), lambda: x.fill(0), lambda: x @ x.T,
        lambda: cp.copyto(x, x + 0), lambda: cp.zeros(3), lambda: x[[0, 1]],
    ):  # fmt: skip
        before = counts["launches"]
        launch()
        assert counts["launches"] > before
    before = counts["launches"]
    x.T.reshape(2, 6)[0:1, None]
    assert counts["launches"] == before + 1  # the copy of a transpose that is reshaped


@pytest.mark.filterwarnings("ignore:cupyx.allow_synchronize will be removed")
def test_waits_are_counted(cp):
    import cupyx

    x = cp.arange(3.0)
    for wait in (
        lambda: x.sum().item(), lambda: float(x[0]), lambda: bool(x[0] > 1), x.tolist, x.get,
        lambda: cp.asnumpy(x), x.nonzero, lambda: x[x > 1], lambda: int(x[1]), lambda: f"{x}",
        cp.cuda.Device().synchronize, lambda: cp.unique(x), lambda: x.__setitem__(x > 9, 0),
        lambda: cp.add.at(x, x > 9, 1),
    ):  # fmt: skip
        before = counts["waits"]
        wait()
        assert counts["waits"] > before
        with cupyx.allow_synchronize(False), pytest.raises(cupyx.DeviceSynchronized):
            wait()
    before = counts["waits"]
    x[cp.array([0, 2])] = 0
    cp.exp(x[1:]).sum()
    assert counts["waits"] == before


def test_to_forbid_waiting_is_warned_of_as_by_cupy(fake):
    """Warnings are errors in the tests, which on a GPU would all have failed for this one."""
    import cupyx

    with pytest.warns(UserWarning, match="cupyx.allow_synchronize will be removed"):
        cupyx.allow_synchronize(True).__enter__()


def test_a_matrix_that_is_not_definite_is_told_of_only_to_who_asks(cp):
    """And what is left in place of a factor is no NaN that one could know it by."""
    import cupyx

    a = cp.array([[1.0, 2.0], [2.0, 1.0]])
    assert np.isfinite(cp.linalg.cholesky(a).get()).all()
    with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cp.linalg.cholesky(a)
    assert np.isfinite(cp.linalg.cholesky(a).get()).all()
