"""Memory shared with other libraries on the CPU: what one side writes, the other reads."""

import numpy as np
import pytest

import minigrad as mg


def test_numpy_takes_and_gives_memory():
    x = mg.arange(6.0).reshape(2, 3)
    array = np.from_dlpack(x)
    x[0, 0] = 7.0
    assert array[0, 0] == 7
    source = np.arange(4.0)
    y = mg.from_dlpack(source)
    source[1] = 9
    assert (y.tolist(), y.dtype, y.device) == ([0, 9, 2, 3], "float64", "cpu")
    assert y.__dlpack_device__() == (1, 0)


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "bool"])
def test_pytorch_takes_and_gives_memory(dtype):
    torch = pytest.importorskip(
        "torch", reason="needs the parity extra: pip install minigrad[parity]"
    )
    x = mg.zeros(2, 3, dtype=dtype)
    theirs = torch.from_dlpack(x)
    assert theirs.data_ptr() == x.data.ctypes.data  # no copy
    assert str(theirs.dtype) == f"torch.{dtype}"
    theirs[1, 2] = 1
    assert x[1, 2].item() == 1
    ours = mg.from_dlpack(theirs.T)
    assert ours.data.ctypes.data == theirs.data_ptr()
    assert (ours.shape, ours.dtype) == ((3, 2), dtype)
    ours[0, 0] = 1
    assert theirs[0, 0] == 1
    assert x[0, 0].item() == 1


@pytest.mark.parity
def test_what_pytorch_does_not_hand_over():
    torch = pytest.importorskip(
        "torch", reason="needs the parity extra: pip install minigrad[parity]"
    )
    with pytest.raises(BufferError, match="detach"):
        mg.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(BufferError, match="detach"):
        torch.from_dlpack(mg.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"bfloat16.*float32 first"):
        mg.from_dlpack(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match="complex64"):
        mg.from_dlpack(torch.ones(2, dtype=torch.complex64))


@pytest.fixture
def jax():
    return pytest.importorskip(
        "jax", reason="JAX is not installed: pip install minigrad[benchmark]"
    )


def aligned(dtype, count=24):
    """Return memory that JAX takes without a copy: it wants addresses that 64 divides."""
    memory = np.zeros(count * 8 + 64, "uint8")
    start = -memory.ctypes.data % 64
    return memory[start : start + count * np.dtype(dtype).itemsize].view(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "bool"])
def test_jax_takes_and_gives_memory(dtype, jax):
    x = mg.from_dlpack(aligned(dtype).reshape(4, 6))
    theirs = jax.numpy.from_dlpack(x)
    assert theirs.unsafe_buffer_pointer() == x.data.ctypes.data  # no copy
    assert str(theirs.dtype) == dtype
    x[1, 2] = 1
    assert theirs[1, 2] == 1
    made = jax.numpy.ones((2, 3), dtype)
    ours = mg.from_dlpack(made)
    assert ours.data.ctypes.data == made.unsafe_buffer_pointer()
    assert (ours.shape, ours.dtype, ours.device) == ((2, 3), dtype, "cpu")


def test_what_jax_made_is_computed_with_and_not_written_to(jax):
    x = mg.from_dlpack(jax.numpy.arange(3.0)).requires_grad_()
    (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 2, 4])
    with mg.no_grad(), pytest.raises(ValueError, match=r"read-only: .*JAX.*x\.clone\(\)"):
        x[0] = 1.0
    with mg.no_grad(), pytest.raises(ValueError, match=r"read-only: .*x\.clone\(\)"):
        x += 1
    y = mg.tensor(jax.numpy.arange(3.0))  # a copy
    y += 1
    assert y.tolist() == [1, 2, 3]
    with pytest.raises(BufferError, match="detach"):
        jax.numpy.from_dlpack(x)


def test_what_is_no_array_is_told_what_to_try():
    with pytest.raises(TypeError, match=r"list has no __dlpack__; try mg\.tensor"):
        mg.from_dlpack([1, 2])

    class Elsewhere:
        def __dlpack__(self): ...
        def __dlpack_device__(self):
            return (10, 0)

    with pytest.raises(mg.DeviceError, match="kind 10; legal are the CPU"):
        mg.from_dlpack(Elsewhere())
    with pytest.raises(AttributeError, match=r'on the CPU; use \.to\("cuda"\)'):
        _ = mg.ones(2).__cuda_array_interface__
