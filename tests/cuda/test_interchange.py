"""Memory shared with other arrays of a GPU: what one side writes, the other reads."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import datasets
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


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "bool"])
def test_pytorch_on_a_gpu(dtype, gpu):
    torch = pytest.importorskip("torch", reason="needs the parity extra, with CUDA")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    x = mg.zeros(2, 3, dtype=dtype, device=gpu)
    theirs = torch.from_dlpack(x)
    assert theirs.data_ptr() == x.data.data.ptr  # no copy
    assert (str(theirs.dtype), theirs.is_cuda) == (f"torch.{dtype}", True)
    theirs[1, 2] = 1
    torch.cuda.synchronize()
    assert x[1, 2].item() == 1
    ours = mg.from_dlpack(theirs.T)
    assert (ours.data.data.ptr, ours.shape, ours.device) == (theirs.data_ptr(), (3, 2), gpu)
    by_interface = torch.as_tensor(x, device="cuda")
    assert by_interface.data_ptr() == x.data.data.ptr
    copied = mg.tensor(theirs)
    assert (copied.device, copied.tolist()) == (gpu, theirs.tolist())


@pytest.mark.gpu
def test_jax_on_a_gpu(gpu, monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = pytest.importorskip("jax", reason="JAX is not installed: pip install jax[cuda13]")
    if jax.default_backend() == "cpu":
        pytest.skip("this JAX has no CUDA")
    x = mg.zeros(4, 6, device=gpu)
    theirs = jax.numpy.from_dlpack(x)
    assert theirs.unsafe_buffer_pointer() == x.data.data.ptr  # no copy
    made = jax.numpy.ones((2, 3))
    ours = mg.from_dlpack(made)
    assert (ours.data.data.ptr, ours.device) == (made.unsafe_buffer_pointer(), gpu)
    assert (ours * 2).sum().item() == 12


def test_an_array_of_cupy_made_by_the_user_is_taken_first_of_all(fake):
    import cupy

    x = mg.tensor(cupy.arange(3.0))  # nothing else has asked for CUDA before
    assert x.device == "cuda:0"
    np.testing.assert_array_equal(x.numpy(), [0, 1, 2])


def test_so_is_one_in_a_dataset(fake):
    import cupy

    data = datasets.Dataset(cupy.ones((3, 2)), cupy.arange(3))
    assert (data.device, data.y.tolist()) == ("cuda:0", [0, 1, 2])
