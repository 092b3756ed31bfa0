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
    assert str(theirs.dtype) == f"torch.{dtype}"
    theirs[1, 2] = 1
    assert x[1, 2].item() == 1
    ours = mg.from_dlpack(theirs.T)
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
