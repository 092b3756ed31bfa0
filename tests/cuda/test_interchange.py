"""Memory shared with other arrays of a GPU: what one side writes, the other reads."""

import numpy as np
import pytest

import minigrad as mg
from tests.cuda.compare import host


class Foreign:
    """Another library's array: nothing but the interface."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return self.array.__cuda_array_interface__


def test_dlpack_shares_memory(device):
    import cupy

    x = mg.arange(6.0, device=device).reshape(2, 3)
    array = cupy.from_dlpack(x)
    array[0, 0] = 7
    assert host(x, device)[0, 0] == 7
    y = mg.from_dlpack(array)
    assert (y.device, y.dtype, y.shape) == (device, x.dtype, x.shape)
    y[1, 1] = 9.0
    assert host(x, device)[1, 1] == 9
    assert x.__dlpack_device__() == (2, 0)
    with pytest.raises(BufferError, match="detach"):
        cupy.from_dlpack(x.requires_grad_())


def test_cuda_array_interface_both_ways(device):
    import cupy

    x = mg.ones(4, device=device)
    array = cupy.asarray(Foreign(x))
    array[1] = 5
    assert host(x, device).tolist() == [1, 5, 1, 1]
    y = mg.tensor(Foreign(array))
    assert y.device == device
    y[0] = 8.0
    assert host(x, device)[0] == 1  # `tensor` copies
    assert mg.tensor(Foreign(array), device="cpu").device == "cpu"
    assert mg.tensor(Foreign(array), dtype="float64").dtype == "float64"
    assert not hasattr(mg.ones(3), "__cuda_array_interface__")
    assert not hasattr(x.requires_grad_(), "__cuda_array_interface__")


def test_an_array_of_cupy_made_by_the_user_is_taken_first_of_all(fake):
    import cupy

    x = mg.tensor(cupy.arange(3.0))  # nothing else has asked for CUDA before
    assert x.device == "cuda:0"
    np.testing.assert_array_equal(x.numpy(), [0, 1, 2])
