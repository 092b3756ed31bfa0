"""The memory of large results: used again when nobody holds it, and never while somebody does."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.backend import numpy as xp
from minigrad.backend import pool as pool_module
from minigrad.backend.pool import Pool

COUNTED = getattr(sys, "_is_gil_enabled", lambda: True)()
counted = pytest.mark.skipif(not COUNTED, reason="without the interpreter's lock nothing is kept")
SIZE = 160  # of square matrices larger than what the pool begins with


@pytest.fixture(autouse=True)
def empty():
    mg.empty_cache()
    yield
    mg.empty_cache()


def square(seed=0):
    return np.random.default_rng(seed).standard_normal((SIZE, SIZE)).astype("float32")


def address(array):
    return array.__array_interface__["data"][0]


@counted
def test_memory_is_used_again_when_it_was_let_go():
    a = square()
    first = xp.matmul(a, a)
    where = address(first)
    second = xp.matmul(a, a)
    assert address(second) != where
    del first
    assert address(xp.matmul(a, a)) == where


HOLDERS = {
    "the array": lambda x: x,
    "a view": lambda x: x[1:, ::2].T,
    "a view of a view": lambda x: x.reshape(-1)[3:].reshape(-1, 1),
    "a tensor": mg.Tensor.of,
    "a detached tensor": lambda x: mg.Tensor.of(x).detach(),
    "a tensor's array": lambda x: mg.Tensor.of(x).numpy(),
    "a memoryview": memoryview,
    "DLPack": lambda x: np.from_dlpack(x),
    "a closure": lambda x: lambda: x,
    "a weak reference": weakref.ref,
}


@pytest.mark.parametrize("name", HOLDERS)
def test_memory_that_somebody_holds_is_not_given_again(name):
    a = square()
    out = xp.matmul(a, a)
    where, expected = address(out), out.copy()
    held = HOLDERS[name](out)
    del out
    assert where not in [address(x) for x in [xp.matmul(a, square(i)) for i in range(3)]]
    if name in ("a closure", "a weak reference"):
        np.testing.assert_array_equal(held(), expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_what_is_held_never_changes(steps):
    """Whatever is let go when: each result that is still held is what NumPy computed for it."""
    a = square()
    held = {}
    for place, keep in steps:
        factor = square(place)
        if keep:
            held[place] = (xp.matmul(a, factor), np.matmul(a, factor))
        else:
            held.pop(place, None)
        for found, expected in held.values():
            np.testing.assert_array_equal(found, expected)


@counted
def test_threads_are_not_given_the_same_memory(monkeypatch):
    a = square()
    wrong = []
    count = pool_module._count

    def slow(array):  # others run between the look and the taking
        found = count(array)
        time.sleep(1e-5)
        return found

    monkeypatch.setattr(pool_module, "_count", slow)

    def multiply(seed):
        factor = square(seed)
        expected = np.matmul(a, factor)
        for _ in range(50):
            out = xp.matmul(a, factor)
            if not np.array_equal(out, expected):
                wrong.append(seed)

    threads = [threading.Thread(target=multiply, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@counted
def test_who_interrupts_is_given_memory_of_its_own(monkeypatch):
    """A signal's handler may run between any two steps, and the lock lets its own thread in."""
    a, b = square(1), square(2)
    first = xp.matmul(a, a)
    del first  # one array is free
    held = []
    count = pool_module._count

    def interrupted(*arguments):
        found = count(*arguments)
        if not held:
            held.append(None)
            held[0] = xp.matmul(b, b)
        return found

    monkeypatch.setattr(pool_module, "_count", interrupted)
    out = xp.matmul(a, a)
    np.testing.assert_array_equal(out, np.matmul(a, a))
    np.testing.assert_array_equal(held[0], np.matmul(b, b))


@counted
def test_limits_forget_the_oldest_and_take_nothing_from_who_uses_it():
    pool = Pool(np.empty, limit=1000, each=3)
    kind = np.dtype("float64")
    arrays = [pool.take((10,), kind) for _ in range(5)]
    assert len({address(x) for x in arrays}) == 5
    assert pool.nbytes == 3 * 80
    first, last = weakref.ref(arrays[0]), weakref.ref(arrays[-1])
    arrays.clear()
    assert first() is None
    assert last() is not None
    wide = pool.take((100,), kind)  # 800 bytes: room for two of the small ones
    assert pool.nbytes == 800 + 2 * 80
    assert pool.take((1000,), kind).nbytes == 8000  # larger than the limit: not kept
    assert pool.nbytes == 800 + 2 * 80
    del wide
    pool.clear()
    assert pool.nbytes == 0
    assert last() is None


@counted
def test_the_memory_given_last_is_given_first():
    """It may still be in the processor's cache."""
    kind = np.dtype("float32")
    arrays = [xp.pool.take((SIZE, SIZE), kind) for _ in range(3)]
    last = address(arrays[-1])
    arrays.clear()
    assert address(xp.pool.take((SIZE, SIZE), kind)) == last
    assert address(xp.pool.take((SIZE, SIZE), kind)) == last


def test_memory_starts_at_a_line_of_the_cache():
    for _ in range(5):
        held = [xp.empty_for((SIZE, SIZE + k), np.dtype("float32")) for k in range(5)]
        assert {address(x) % 64 for x in held} == {0}


def test_empty_cache_frees_what_is_kept():
    a = square()
    kept = weakref.ref(xp.matmul(a, a))
    mg.empty_cache()
    gc.collect()
    assert kept() is None


def test_gradients_outlive_the_model_that_made_them():
    """A leaf's gradient is the array of a product: the next sweep must not write into it."""
    x = mg.tensor(square(1))
    weight = mg.tensor(square(2), requires_grad=True)
    (x @ weight).sum().backward()
    first = weight.grad
    expected = first.numpy().copy()
    weight.grad = None
    (x @ (weight * 3)).sum().backward()
    np.testing.assert_array_equal(first.numpy(), expected)
    np.testing.assert_allclose(weight.grad.numpy(), 3 * expected, rtol=1e-5)


FORKED = """
import os
import threading

import numpy as np

from minigrad.backend import numpy as xp

a = np.ones((160, 160), np.float32)
held, done = threading.Event(), threading.Event()

def hold():
    with xp.pool.lock:
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    print(xp.matmul(a, a)[0, 0], flush=True)
    os._exit(0)
os.waitpid(child, 0)
done.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_forked_process_is_not_locked():
    """The thread that held the lock is not in the child, and would never let go of it."""
    run = [sys.executable, "-W", "ignore", "-c", FORKED]
    one = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    assert subprocess.check_output(run, timeout=60, text=True, env=one) == "160.0\n"
