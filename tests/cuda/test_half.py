"""float16 on the CPU and on a device: dtypes stay, and what adds up many numbers loses no more.

The oracle is NumPy in float64 on the same numbers. A result may be off by its own rounding to
float16, half of 2⁻¹⁰, and a little more.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, nn, optim
from minigrad.optim import HyperparameterError
from tests.cuda.compare import host

ROWS, COLUMNS = 4096, 16
CLASSES = np.arange(ROWS) % COLUMNS


def numbers(seed=0):
    """Return positive numbers whose sums over 4,096 rows float16 cannot make in float16."""
    return np.random.default_rng(seed).random((ROWS, COLUMNS)).astype("float16")


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def normal(x, axis):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5)


def entropy(x):
    return -np.log(softmax(x, 1)[np.arange(ROWS), CLASSES])


def classes(x):
    return mg.tensor(CLASSES, device=x.device)


F = nn.functional
CASES = {
    "sum of columns": (lambda x: x.sum(0), lambda a: a.sum(0)),
    "sum of rows": (lambda x: x.T.sum(1), lambda a: a.sum(0)),
    "mean": (lambda x: x.mean(), lambda a: a.mean()),
    "mean of large": (lambda x: (x * 1000).mean(0), lambda a: (a * 1000).mean(0)),
    "variance": (lambda x: x.var(0), lambda a: a.var(0)),
    "deviation": (lambda x: (x * 1000).std(), lambda a: (a * 1000).std()),
    "norm": (lambda x: mg.norm(x * 300, axis=1), lambda a: np.linalg.norm(a * 300, axis=1)),
    "norm of order 3": (lambda x: mg.norm(x, 3), lambda a: (a**3).sum() ** (1 / 3)),
    "logsumexp": (lambda x: mg.logsumexp(x, 0), lambda a: np.log(np.exp(a).sum(0))),
    "softmax": (lambda x: mg.softmax(x * 8, 0), lambda a: softmax(a * 8, 0)),
    "log_softmax": (lambda x: mg.log_softmax(x, 0), lambda a: np.log(softmax(a, 0))),
    "cumsum": (lambda x: mg.cumsum(x, 0), lambda a: a.cumsum(0)),
    "product": (lambda x: x.T @ x, lambda a: a.T @ a),
    "products": (
        lambda x: (x.reshape(4, 1024, 16).mT @ x.reshape(4, 1024, 16)).sum(0),
        lambda a: a.T @ a,
    ),
    "einsum": (lambda x: mg.einsum("ij,ij->j", x, x), lambda a: (a * a).sum(0)),
    "layer norm": (lambda x: F.layer_norm(x * 300, x.shape[-1]), lambda a: normal(a * 300, 1)),
    "batch norm": (lambda x: F.batch_norm(x, training=True), lambda a: normal(a, 0)),
    "mse": (lambda x: F.mse_loss(x * 100, x * 0), lambda a: ((a * 100) ** 2).mean()),
    "huber": (lambda x: F.huber_loss(x * 9, x * 0), lambda a: np.where(
        a * 9 <= 1, (a * 9) ** 2 / 2, a * 9 - 0.5).mean()),
    "cross-entropy": (lambda x: F.cross_entropy(x, classes(x)), lambda a: entropy(a).mean()),
    "sum of cross-entropies": (
        lambda x: F.cross_entropy(x[:99], classes(x)[:99], reduction="sum"),
        lambda a: entropy(a)[:99].sum(),
    ),
    "smoothed": (
        lambda x: F.cross_entropy(x, classes(x), label_smoothing=0.1),
        lambda a: (0.9 * entropy(a) - 0.1 * np.log(softmax(a, 1)).mean(1)).mean(),
    ),
    "nll": (lambda x: F.nll_loss(-x, classes(x)), lambda a: a[np.arange(ROWS), CLASSES].mean()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values(name, device):
    ours, oracle = CASES[name]
    expected = oracle(numbers().astype("float64"))
    for where in ("cpu", device):
        x = mg.tensor(numbers(), device=where, requires_grad=True)
        out = ours(x)
        found = host(out.detach(), where, "float16").astype("float64")
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())
        (g,) = mg.autograd.grad((out * 1).sum(), x)
        assert np.isfinite(host(g, where, "float16")).all()


REDUCTIONS = ["mean", "var", "std", "norm", "cumsum", "logsumexp", "softmax", "log_softmax"]


@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_first_argument_may_be_given_by_its_name(name, device):
    function = getattr(mg, name)
    for where in ("cpu", device):
        x = mg.tensor(numbers() * 30, device=where)
        found, expected = function(axis=0, x=x), function(x, axis=0)
        np.testing.assert_array_equal(host(found, where, "float16"), host(expected, where))


def test_a_loss_may_be_given_all_by_name(device):
    large = np.full((70_000, 2), 30, "float16")  # the sum of the losses is beyond float16
    large[:, 1] = 60
    for where in ("cpu", device):
        x = mg.tensor(large, device=where)
        target = mg.tensor(np.zeros(len(large), int), device=where)
        assert F.cross_entropy(target=target, logits=x).item() == 30
        assert F.nll_loss(target=target, logp=x).item() == -30


@pytest.mark.parametrize("name", ["sum of columns", "mean", "softmax", "batch norm", "nll"])
def test_derivatives_are_those_of_float32(name, device):
    """First and second derivatives, each of the dtype of what it is a derivative by."""
    ours, _ = CASES[name]
    found = {}
    for where, dtype in (("cpu", "float32"), ("cpu", "float16"), (device, "float16")):
        x = mg.tensor(numbers()[:64], device=where).astype(dtype).detach().requires_grad_()
        if name == "nll":
            out = F.nll_loss(-x, mg.tensor(CLASSES[:64], device=where)) * 64
        else:
            out = ours(x)
        weights = mg.tensor(np.linspace(-1, 1, out.size).reshape(out.shape), device=where)
        (g,) = mg.autograd.grad((out * weights.astype(dtype)).sum(), x, create_graph=True)
        h = mg.autograd.grad((g * g).sum(), x)[0] if g.requires_grad else None
        found[where, dtype] = [host(z, where, dtype) for z in (g.detach(), h) if z is not None]
    expected = found["cpu", "float32"]
    for where in ("cpu", device):
        for a, b in zip(found[where, "float16"], expected, strict=True):
            scale = np.abs(b).max()
            np.testing.assert_allclose(a.astype("float32"), b, rtol=0, atol=1e-2 * scale + 1e-6)


ACTIVATIONS = [
    F.relu, F.leaky_relu, F.elu, F.selu, F.gelu, F.softplus, F.silu, F.tanh, F.sigmoid,
    F.lecun_tanh, F.softmax, F.dropout, lambda x: F.gelu(x, approximate="tanh"),
    lambda x: F.prelu(x, x[:1, 0].detach()), mg.exp, mg.sin, abs, lambda x: x**3, lambda x: 2 / x,
    lambda x: mg.clip(x, 0.2, 0.5), lambda x: mg.where(x > 0.3, x, 0), lambda x: x.max(0),
]  # fmt: skip


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_elementwise_functions_stay_in_float16(function, device):
    for where in ("cpu", device):
        x = mg.tensor(numbers()[:8] + 0.1, device=where).detach().requires_grad_()
        out = function(x)
        (g,) = mg.autograd.grad(out.sum(), x, create_graph=True)
        (h,) = mg.autograd.grad((g * x).sum(), x)
        for z in (out.detach(), g.detach(), h):
            assert np.isfinite(host(z, where, "float16")).all()


def test_the_gradient_of_a_bias_counts_beyond_2048(device):
    for where in ("cpu", device):
        x = mg.ones(ROWS, 3, dtype="float16", device=where)
        weight = mg.ones(2, 3, dtype="float16", device=where, requires_grad=True)
        bias = mg.zeros(2, dtype="float16", device=where, requires_grad=True)
        mg.affine(x, weight, bias).sum().backward()
        assert host(bias.grad, where, "float16").tolist() == [ROWS, ROWS]
        assert host(weight.grad, where, "float16").tolist() == [[ROWS] * 3] * 2


def test_what_meets_in_one_place_is_added_in_float32(device):
    for where in ("cpu", device):
        for switch in (False, True):
            with mg.deterministic(switch):
                x = mg.zeros(2, 3, dtype="float16", device=where, requires_grad=True)
                x[np.arange(ROWS) % 2].sum().backward()
                assert host(x.grad, where, "float16").tolist() == [[ROWS / 2] * 3] * 2
                x.grad = None
                x[np.zeros(ROWS, int)].sum().backward()
                assert host(x.grad, where, "float16").tolist() == [[ROWS] * 3, [0] * 3]


def test_products_of_three_axes_are_one_product(fake, monkeypatch):
    """CuPy makes float32 copies of a batch of float16 matrices, and none of one matrix."""
    xp, seen = backend.get("cuda"), []
    product = xp.matmul
    monkeypatch.setattr(xp, "matmul", lambda a, b: seen.append((a, b)) or product(a, b))
    x = mg.tensor(numbers()[:24].reshape(2, 3, 4, 16), device="cuda", requires_grad=True)
    weight = mg.tensor(numbers()[:5], device="cuda", requires_grad=True)
    out = mg.affine(x, weight, mg.zeros(5, dtype="float16", device="cuda"))
    assert out.shape == (2, 3, 4, 5)
    expected = numbers()[:24].astype("float64") @ numbers()[:5].T
    np.testing.assert_allclose(host(out, "cuda:0").reshape(24, 5), expected, rtol=2e-3)
    out.sum().backward()
    assert [a.ndim for pair in seen for a in pair] == [2] * 6
    assert (x.grad.shape, weight.grad.shape) == (x.shape, weight.shape)


def test_a_network_in_float16_of_parameters_in_float32(device):
    """The cast is in the graph: the products are of float16, parameters and gradients float32."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 64)
    x = mg.tensor(rng.standard_normal((64, 5)) + labels[:, None], dtype="float16", device=device)
    layers = [nn.Linear(5, 16, device=device), nn.Linear(16, 3, device=device)]
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer, losses = optim.Adam(parameters, lr=0.01), []

    def network(h):
        for layer in layers:
            weight, bias = (p.astype(mg.float16) for p in (layer.weight, layer.bias))
            h = mg.tanh(mg.affine(h, weight, bias))
        return h

    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), mg.tensor(labels, device=device))
        assert loss.dtype == "float16"
        loss.backward()
        assert {p.grad.dtype for p in parameters} == {np.dtype("float32")}
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_parameters_in_float16(device):
    """A step gives on a GPU what it gives on the CPU: in float32, and each result rounded once."""
    results = []
    for where in ("cpu", device):
        p = mg.tensor(numbers(), device=where, requires_grad=True)
        optimizer = optim.Adam([p], lr=0.1, eps=1e-4, weight_decay=0.1)
        for k in range(3):
            p.grad = mg.tensor(numbers() + k, device=where)
            optimizer.step()
        state = optimizer.state_dict()["state"][0]
        assert state["m"].dtype == state["v"].dtype == "float16"
        results.append([host(p.detach(), where, "float16"), state["m"], state["v"]])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.astype("float32"), b.astype("float32"), rtol=2**-10)


def test_a_model_in_float16(device):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm(4)).to("float16", device)
    with pytest.raises(HyperparameterError, match=r"Adam: eps=1e-08 is 0 in float16.*eps=1e-4"):
        optim.Adam(model.parameters())
    for optimizer in (
        optim.SGD(model.parameters(), lr=0.1),
        optim.Adam(model.parameters(), eps=1e-4),
    ):
        optimizer.zero_grad()
        (model(mg.tensor(numbers()[:8, :4], device=device)) ** 2).sum().backward()
        optimizer.step()
    for value in (*model.parameters(), *model.buffers()):
        assert np.isfinite(host(value.detach(), device)).all()
    assert {p.dtype for p in model.parameters()} == {np.dtype("float16")}


def test_what_there_is_none_of(device):
    x = mg.eye(3, dtype="float16", device=device)
    for name in ("inv", "det", "slogdet", "cholesky"):
        with pytest.raises(TypeError, match=f"{name}: there is none for float16; use x.astype"):
            getattr(mg, name)(x)
    with pytest.raises(TypeError, match="solve: there is none for float16"):
        mg.solve(x.astype(mg.float32), x)
    for dtype in ("bfloat16", np.dtype("complex64")):
        with pytest.raises(TypeError, match=r"no dtype of real numbers.*legal are.*float16"):
            x.astype(dtype)
        with pytest.raises(TypeError, match="no dtype of real numbers"):
            mg.tensor([1.0], dtype=dtype, device=device)
    with pytest.raises(TypeError, match="NumPy has no bfloat16"):
        x.astype("bfloat16")
    with pytest.raises(TypeError, match="complex128"):
        mg.tensor(np.array([1j]))


def test_an_array_of_bfloat16_is_refused():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    with pytest.raises(TypeError, match="NumPy has no bfloat16"):
        mg.tensor(np.ones(2, ml_dtypes.bfloat16))
