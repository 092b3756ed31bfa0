"""Tensors on devices: made there, moved, mixed by mistake, and computed with on the second one."""

import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, datasets, fuse, nn, optim
from tests.cuda.compare import host
from tests.fake_cupy import counts


def test_creation(device):
    for made in (
        mg.zeros(2, 3, device=device), mg.ones(2, device="cuda"), mg.full((2,), 3.0, device=device),
        mg.eye(3, device=device), mg.arange(5, device=device), mg.linspace(0, 1, 5, device=device),
        mg.randn(3, device=device), mg.rand(3, device=device), mg.tensor([1.0], device=device),
        mg.zeros_like(mg.ones(2, device=device)), mg.ones_like(mg.zeros(2, device=device)),
        mg.tensor(mg.ones(3), device=device),
    ):  # fmt: skip
        assert made.device == device
    x = mg.zeros(2, device=device)
    x.grad = np.ones(2)
    assert x.grad.device == device
    assert repr(mg.ones(2, device=device)) == 'tensor([1., 1.], device="cuda:0")'


def test_same_numbers_after_the_same_seed(device):
    def drawn():
        mg.manual_seed(3)
        return [mg.randn(5, device=device).numpy(), mg.rand(5, device=device).numpy()]

    np.testing.assert_array_equal(drawn(), drawn())


def test_gradients_pass_between_devices(device):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = (x.to(device) ** 3).to("cpu")
    assert (x.to(device).device, y.device) == (device, "cpu")
    (g,) = mg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.device == "cpu"
    np.testing.assert_allclose(g.numpy(), [3, 12])
    np.testing.assert_allclose(mg.autograd.grad(g.sum(), x)[0].numpy(), [6, 12])
    assert type(x.to(device).to("cpu").data) is np.ndarray
    v = mg.tensor([1.0, 1.0])
    moved = lambda x: (x.to(device) ** 3).sum().to("cpu")  # noqa: E731
    np.testing.assert_allclose(mg.hvp(moved, x.detach(), v).numpy(), [6, 12])
    np.testing.assert_allclose(mg.jvp(moved, x.detach(), v)[1].numpy(), 15)


def test_mixing_is_an_error_that_says_what_to_call(device):
    x, y = mg.ones(3, device=device), mg.ones(3)
    for mixed in (lambda: x + y, lambda: y @ x, lambda: mg.where(x > 0, x, y),
                  lambda: x * np.ones(3), lambda: mg.concatenate([x, y])):  # fmt: skip
        with pytest.raises(mg.DeviceError, match=r"operands on cpu and cuda:0; move one with \.to"):
            mixed()
    with pytest.raises(mg.DeviceError):
        x.grad = y


def test_indices_may_come_from_the_host(device):
    x = mg.tensor(np.arange(6.0).reshape(2, 3), device=device, requires_grad=True)
    for index in ([1, 0], np.array([1, 0]), mg.tensor([1, 0]), mg.tensor([1, 0], device=device)):
        y = x[:, index]
        assert y.device == device
        np.testing.assert_array_equal(host(y.detach(), device), [[1, 0], [4, 3]])
    for one in (1, np.int64(1), np.array(1), mg.tensor(1), mg.tensor(1, device=device)):
        np.testing.assert_array_equal(host(x[one].detach(), device), [3, 4, 5])
        np.testing.assert_array_equal(host(x[:, one].detach(), device), [1, 4])
    assert x[0, x[0].argmax()].item() == 2
    x[[0, 0, 1]].sum().backward()
    np.testing.assert_array_equal(host(x.grad, device), [[2, 2, 2], [1, 1, 1]])
    z = mg.zeros(3, device=device)
    z[mg.tensor([True, False, True])] = 2.0
    z[np.array([1])] = mg.ones(1, device=device)
    np.testing.assert_array_equal(host(z, device), [2, 1, 2])


def test_operands_in_either_order_keep_the_graph(device):
    x = mg.ones(3, device=device, requires_grad=True)
    array = mg.full((3,), 2.0, device=device).data
    for y in (array * x, x * array, array - x, np.float64(2) * x, 2 * x, array / x, array < x):
        assert type(y) is mg.Tensor
        assert y.device == device
    (array * x).sum().backward()
    np.testing.assert_array_equal(host(x.grad, device), [2, 2, 2])
    assert type(array * x.detach()) is mg.Tensor


def test_two_devices(fake):
    """On the second device all is done there, whatever was computed on the first in between."""
    mg.manual_seed(0)
    models = {}
    for where in ("cuda:1", "cuda:0"):
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.1),
                              nn.Linear(8, 3)).to(where)  # fmt: skip
        models[where] = model, optim.Adam(model.parameters())
    before = counts["between devices"]
    for _ in range(2):
        for where, (model, optimizer) in models.items():
            x, y = mg.randn(5, 4, device=where), mg.tensor([0, 1, 2, 0, 1], device=where)
            loss = nn.CrossEntropyLoss()(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optim.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            assert loss.device == where
            assert {p.device for p in model.parameters()} == {where}
            assert {p.grad.device for p in model.parameters()} == {where}
    assert counts["between devices"] == before
    x, y = mg.ones(3, device="cuda:0"), mg.ones(3, device="cuda:1")
    with pytest.raises(mg.DeviceError, match="operands on cuda:0 and cuda:1; move one with"):
        x + y
    assert (x.to("cuda:1") + y).device == "cuda:1"
    assert counts["to host"] == 0
    loss = lambda p: (p * p * p).sum()  # noqa: E731
    z = mg.ones(3, device="cuda:1")
    mg.ones(3, device="cuda:0") + 1
    assert mg.hvp(loss, z, z).device == "cuda:1"
    mg.ones(3, device="cuda:0") + 1
    assert mg.hessian(loss)(z).device == "cuda:1"
    with pytest.raises(mg.DeviceError, match='no device "cuda:2"; there is "cuda:0", "cuda:1"'):
        mg.zeros(2, device="cuda:2")


def test_no_memory_left_is_one_line(device):
    with pytest.raises(
        mg.DeviceError, match=r"no memory left: .* free are .* bytes; try a smaller"
    ):
        mg.zeros(1 << 45, device=device)
    x = mg.ones(1 << 23, device=device)
    with pytest.raises(mg.DeviceError, match="no memory left"):
        mg.outer(x, x)
    with pytest.raises(mg.DeviceError, match="a value on cpu for a tensor on cuda:0"):
        x[:2] = mg.ones(2)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("cudaErrorInsufficientDriver: CUDA driver version is insufficient", "driver is missing"),
        ("cudaErrorNoDevice: no CUDA-capable device is detected", "there is no GPU"),
        ("cudaErrorInitializationError: initialization error", "CUDA failed"),
        ("cudaErrorUnsupportedPtxVersion: the provided PTX", "do not fit each other"),
    ],
)
def test_a_machine_that_cannot_is_told_why(error, said, fake, monkeypatch):
    import cupy

    def count():
        raise cupy.cuda.runtime.CUDARuntimeError(error)

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", count)
    with pytest.raises(mg.DeviceError, match=f'"cuda" cannot be used: .*{said}.*device="cpu"'):
        mg.zeros(2, device="cuda")


MISSING = [
    RuntimeError('Failure finding "libnvrtc.so.13": No such file: libnvrtc.so.13\nand more'),
    ImportError('Failure finding "libcublas.so.13": no such file\nand more'),
    RuntimeError("CuPy failed to load libnvrtc.so.13: OSError: no such file"),
    RuntimeError("Failed to find CUDA headers. Please install CUDA toolkit headers"),
]


@pytest.mark.parametrize("error", MISSING, ids=["finder", "library", "compiler", "headers"])
def test_a_library_that_is_missing_is_named(error, device, monkeypatch):
    def broken(*arguments):
        raise error

    import cupy

    monkeypatch.setattr(cupy, "matmul", broken)
    vars(mg.backend.get("cuda")).pop("matmul", None)
    x = mg.ones(2, 2, device=device)
    first = re.escape(str(error).splitlines()[0])
    with pytest.raises(mg.DeviceError, match=rf'{first}.*pip install "cupy-cuda13x\[ctk\]"'):
        x @ x
    vars(mg.backend.get("cuda")).pop("matmul", None)


@pytest.mark.parametrize("error", MISSING, ids=["finder", "library", "compiler", "headers"])
def test_a_cupy_that_compiles_nothing_is_found_out_at_once(error, fake, monkeypatch):
    """As of a wheel without what its part [ctk] brings; CuPy would say so at the first kernel."""
    import cupy

    def broken(*arguments):
        raise error

    monkeypatch.setattr(cupy, "ones", broken)
    with pytest.raises(mg.DeviceError, match=r'"cuda" cannot be used: .*\[ctk\]".*device="cpu"'):
        mg.zeros(2, device="cuda")


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("cupy_backends.cuda.libs.cublas", "CUBLAS_STATUS_ALLOC_FAILED", "no memory left"),
        ("cupy_backends.cuda.api.driver", "CUDA_ERROR_OUT_OF_MEMORY: out of", "no memory left"),
        ("cupy_backends.cuda.api.runtime", "cudaErrorMemoryAllocation: out", "no memory left"),
        ("cupy_backends.cuda.api.driver", "CUDA_ERROR_NO_BINARY_FOR_GPU: no", "newer driver"),
        ("cupy_backends.cuda.libs.curand", "CURAND_STATUS_LAUNCH_FAILURE", "CUDA failed"),
    ],
)
def test_what_cudas_libraries_say_is_one_line(module, text, said, device, monkeypatch):
    """In an operation, in a step of an optimizer, and between two batches."""
    import cupy

    kind = type("Error", (RuntimeError,), {"__module__": module})

    def broken(*arguments, **keywords):
        raise kind(text)

    p, x = mg.ones(3, device=device, requires_grad=True), mg.ones(2, 2, device=device)
    optimizer = optim.SGD([p])
    p.grad = mg.ones(3, device=device)
    batches = datasets.Dataset(np.ones((4, 2)), np.ones(4)).loader(2, device=device)
    xp = mg.backend.get("cuda")
    monkeypatch.setattr(xp, "matmul", broken, raising=False)
    monkeypatch.setattr(xp, "RawKernel", broken, raising=False)
    monkeypatch.setattr(cupy.cuda, "Stream", broken)
    fuse.trace(lambda theta, g: (theta - 0.01 * g,), ("theta", "g"), ("theta",)).graph.state.clear()
    for work in (lambda: x @ x, optimizer.step, lambda: list(batches)):
        with pytest.raises(mg.DeviceError, match=rf"{said}.*{text}|{text}.*{said}"):
            work()


def test_a_mistake_is_not_taken_for_cudas(device):
    p = mg.ones(3, device=device, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^my own$") as raised:
        optim.SGD([p]).step(lambda: (_ for _ in ()).throw(RuntimeError("my own")))
    assert type(raised.value) is RuntimeError


def test_empty_cache_gives_back_what_cupy_keeps(fake):
    import cupy

    device, host = cupy.get_default_memory_pool(), cupy.get_default_pinned_memory_pool()
    for where, pools in (("cuda", 1), ("cuda:1", 2)):  # CuPy has a pool on each device
        mg.ones(2, device=where)
        before = device.freed, host.freed
        mg.empty_cache()
        assert (device.freed, host.freed) == (before[0] + pools, before[1] + 1)


def test_an_operator_of_ones_own_computes_where_its_library_does(fake):
    """A subclass of another library's operator is of the module of whoever wrote it."""
    theirs = type("LinearOperator", (), {"__module__": "cupyx.scipy.sparse.linalg"})
    own = type("Mine", (theirs,), {"__module__": "__main__"})
    assert backend.device_of_operator(theirs()) == "cuda:0"
    assert backend.device_of_operator(own()) == "cuda:0"
    assert backend.device_of_operator(object()) == "cpu"
