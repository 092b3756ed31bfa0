"""Operators: equal to matrices made independently, and taken by SciPy's solvers."""

import numpy as np
import pytest
from scipy.sparse import linalg as sparse

import minigrad as mg
from minigrad import nn
from minigrad.curvature import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    LinearOperator,
    as_operator,
)
from minigrad.curvature.operators import _Recorded
from tests.curvature.networks import (
    LABELS,
    LOSSES,
    TARGETS,
    X,
    flat,
    hessian_by_differences,
    logits,
    parameters,
)

NO_TORCH = "needs the parity extra: pip install minigrad[parity]"


def recorded(kind, loss="cross-entropy"):
    weights = parameters()
    outputs = logits(*weights)
    value = LOSSES[loss](outputs)
    return kind(value, weights) if kind is HessianOperator else kind(value, weights, outputs)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def jacobians():
    """Return ∂logits/∂parameters of each sample, (20, 3, 27), row by row in reverse mode."""
    weights = parameters()
    z = logits(*weights)
    rows = [
        flat([g.numpy() for g in mg.autograd.grad(z[i, c], weights, retain_graph=True)])
        for i in range(20)
        for c in range(3)
    ]
    return np.stack(rows).reshape(20, 3, -1), z.numpy()


def explicit_fisher(loss):
    """Return E[∇ log p ∇ log pᵀ] by its definition: a sum over every y, or an integral over it."""
    jacobian, z = jacobians()
    total = np.zeros((27, 27))
    for j, logit in zip(jacobian, z, strict=True):
        if loss == "cross-entropy":
            p = softmax(logit[None])[0]
            for c in range(3):
                score = j.T @ (np.eye(3)[c] - p)
                total += p[c] * np.outer(score, score)
        elif loss == "bits":
            for y in np.ndindex(2, 2, 2):
                p = 1 / (1 + np.exp(-logit))
                score = j.T @ (np.array(y) - p)
                total += np.prod(np.where(y, p, 1 - p)) * np.outer(score, score)
        else:  # y = f + noise: Gauss and Hermite's rule integrates the square exactly
            points, weights = np.polynomial.hermite_e.hermegauss(3)
            for index in np.ndindex(3, 3, 3):
                noise = points[list(index)]
                score = j.T @ noise
                probability = np.prod(weights[list(index)]) / np.sqrt(2 * np.pi) ** 3
                total += probability * np.outer(score, score)
    return total / 20


@pytest.mark.parametrize("loss", LOSSES)
def test_the_hessian_is_that_of_differences(loss):
    h = recorded(HessianOperator, loss)
    assert h.shape == (27, 27)
    assert h.dtype == np.float64
    expected = hessian_by_differences(LOSSES[loss], flat([p.numpy() for p in parameters()]))
    assert np.abs(h.dense().numpy() - expected).max() < 1e-8


@pytest.mark.parity
@pytest.mark.parametrize("loss", ["cross-entropy", "squared error"])
def test_the_hessian_is_that_of_pytorch(loss):
    torch = pytest.importorskip("torch", reason=NO_TORCH)

    def f(vector):
        w, b, v, c = (
            part.reshape(p.shape)
            for part, p in zip(vector.split([12, 3, 9, 3]), parameters(), strict=True)
        )
        z = torch.tanh(torch.tensor(X) @ w.T + b) @ v.T + c
        if loss == "cross-entropy":
            return torch.nn.functional.cross_entropy(z, torch.tensor(LABELS))
        return torch.nn.functional.mse_loss(z, torch.tensor(TARGETS))

    point = torch.tensor(flat([p.numpy() for p in parameters()]))
    expected = torch.autograd.functional.hessian(f, point).numpy()
    assert np.abs(recorded(HessianOperator, loss).dense().numpy() - expected).max() < 1e-12


@pytest.mark.parametrize(
    ("loss", "scale"), [("cross-entropy", 1), ("squared error", 2 / 3), ("bits", 1 / 3)]
)
def test_fisher_is_its_definition(loss, scale):
    """The means over all numbers divide by the 3 outputs also, and the square has no ½."""
    fisher = recorded(FisherOperator, loss).dense().numpy()
    assert np.abs(fisher - scale * explicit_fisher(loss)).max() < 1e-14
    assert np.linalg.eigvalsh(fisher)[0] > -1e-15


def test_gauss_newton_is_jacobian_hessian_jacobian():
    jacobian, z = jacobians()
    p = softmax(z)
    inner = np.einsum("ic,cd->icd", p, np.eye(3)) - np.einsum("ic,id->icd", p, p)
    expected = np.einsum("ica,icd,idb->ab", jacobian, inner, jacobian) / 20
    assert np.abs(recorded(GaussNewtonOperator).dense().numpy() - expected).max() < 1e-14


def test_functions_and_recorded_losses_give_the_same():
    weights, loss = parameters(), LOSSES["cross-entropy"]
    hessian = HessianOperator.of(lambda *w: loss(logits(*w)), weights)
    assert np.array_equal(hessian.dense().numpy(), recorded(HessianOperator).dense().numpy())
    ggn = GaussNewtonOperator.of(logits, loss, weights)
    assert np.array_equal(ggn.dense().numpy(), recorded(GaussNewtonOperator).dense().numpy())
    single = HessianOperator.of(lambda x: (x**3).sum(), np.arange(3.0))
    assert np.array_equal(single.dense().numpy(), np.diag([0.0, 6, 12]))


def test_a_model_in_float32_and_the_gradient():
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    outputs = model(mg.tensor(X.astype("float32")))
    loss = nn.CrossEntropyLoss()(outputs, mg.tensor(LABELS))
    h = HessianOperator(loss, model.parameters())
    assert repr(h) == "HessianOperator(43 × 43, float32, cpu)"
    assert (h @ np.ones(43)).dtype == np.float32
    assert all(p.grad is None for p in model.parameters())
    own = h.gradient().numpy()
    loss.backward()
    gradient = flat([p.grad.numpy() for p in model.parameters()])
    assert np.allclose(own, gradient, atol=1e-7)
    parts = h.split(mg.tensor(gradient))
    for part, p in zip(parts, model.parameters(), strict=True):
        assert np.array_equal(part.numpy(), p.grad.numpy())
    assert np.array_equal(h.flatten(parts), gradient)


def test_products_are_of_the_kind_given():
    h = recorded(HessianOperator)
    a = h.dense().numpy()
    m = np.random.default_rng(5).standard_normal((27, 4))
    for array in (m[:, 0], m[:, :1], m):
        for product in (h @ array, h.T @ array, h.H @ array, (array.T @ h).T):
            assert isinstance(product, np.ndarray)
            assert np.allclose(product, a @ array, atol=1e-14)
        t = mg.tensor(array, requires_grad=True)
        for product in (h @ t, (t.T @ h).T, mg.matmul(h, t), mg.matmul(t.T, h).T):
            assert isinstance(product, mg.Tensor)
            assert not product.requires_grad
            assert np.allclose(product.numpy(), a @ array, atol=1e-14)
    assert np.array_equal(h.matvec(m[:, 0]), h.rmatvec(m[:, 0]))
    assert np.array_equal(h.matmat(m), h.rmatmat(m))
    assert np.allclose(h @ np.arange(27), a @ np.arange(27))
    with pytest.raises(TypeError, match="add of an operator is not known; it multiplies, with @"):
        mg.tensor(m[:, 0]) + h


@pytest.mark.parametrize("kind", [HessianOperator, GaussNewtonOperator])
def test_columns_at_once_are_the_columns_one_by_one(kind):
    """Also where the loss does not depend on a parameter, or linearly, or dtypes differ."""
    weights = [*parameters(), mg.tensor([1.0, 2.0], requires_grad=True, dtype="float32")]
    weights += [mg.tensor([3.0], requires_grad=True)]
    outputs = logits(*weights[:4])
    loss = LOSSES["bits"](outputs) + weights[4].sum()
    h = kind(loss, weights) if kind is HessianOperator else kind(loss, weights, outputs)
    assert h.dtype == np.float64
    matrix = np.random.default_rng(8).standard_normal((30, 50))
    at_once = h @ matrix
    assert h._width > 50
    assert np.allclose(at_once, np.stack([h @ column for column in matrix.T], 1), atol=1e-15)
    assert not at_once[27:].any()


def test_scipy_takes_operators_for_matrices():
    ggn = recorded(GaussNewtonOperator, "squared error")
    damped = LinearOperator(27, lambda v: ggn @ v + 0.1 * v, "float64")
    a = ggn.dense().numpy()
    b = np.random.default_rng(6).standard_normal(27)
    x, failed = sparse.cg(damped, b, rtol=1e-12)
    assert failed == 0
    assert np.allclose(x, np.linalg.solve(a + 0.1 * np.eye(27), b), atol=1e-9)
    h = recorded(HessianOperator)
    dense = h.dense().numpy()
    values = np.linalg.eigvalsh(dense)
    x, failed = sparse.minres(h, dense @ b, rtol=1e-12, maxiter=1000)
    assert failed == 0
    assert np.linalg.norm(dense @ x - dense @ b) < 1e-6
    found = sparse.eigsh(h, k=3, which="LA", return_eigenvectors=False)
    assert np.allclose(np.sort(found), values[-3:])
    found, _ = sparse.lobpcg(
        h, np.random.default_rng(7).standard_normal((27, 2)), tol=1e-9, maxiter=200
    )
    assert np.allclose(found, values[[-1, -2]])
    operator = sparse.aslinearoperator(h)
    assert operator.dtype == np.float64
    assert np.allclose((operator.T + operator) @ b, 2 * dense @ b)


def test_what_is_an_operator():
    a = np.array([[2.0, 1], [1, 3]])
    for matrix in (a, mg.tensor(a), sparse.aslinearoperator(a)):
        operator = as_operator(matrix)
        assert np.array_equal(operator @ np.array([1.0, 2]), [4, 7])
        assert operator.dtype == np.float64
        assert as_operator(operator) is operator


def test_the_graph_refuses_after_the_parameters_changed():
    h = recorded(HessianOperator)
    with mg.no_grad():
        h.parameters[2] += 1
    with pytest.raises(mg.GraphError, match="modified in place"):
        h @ np.ones(27)


x = mg.tensor([1.0, 2.0], requires_grad=True)
eye = as_operator(np.eye(2))
ERRORS = {
    "no scalar": (lambda: HessianOperator(x * x, [x]), mg.GraphError, r"shape \(2,\)"),
    "no graph": (lambda: HessianOperator(mg.tensor(1.0), [x]), mg.GraphError, "no graph"),
    "no Tensor": (lambda: HessianOperator(3.0, [x]), TypeError, "not float"),
    "no parameters": (lambda: HessianOperator((x * x).sum(), []), ValueError, "no parameters"),
    "twice": (lambda: HessianOperator((x * x).sum(), [x, x]), ValueError, "given twice"),
    "no Tensors": (lambda: HessianOperator((x * x).sum(), [1.0]), TypeError, "not float"),
    "function": (lambda: HessianOperator.of(lambda x: x, x), mg.GraphError, r"shape \(2,\)"),
    "outputs": (
        lambda: GaussNewtonOperator((x * x).sum(), [x], mg.tensor([1.0])),
        mg.GraphError,
        "lie not between",
    ),
    "length": (
        lambda: recorded(HessianOperator) @ np.ones(26),
        mg.ShapeError,
        r"\(26,\) for an operator of shape \(27, 27\); legal is \(27,\)",
    ),
    "rows": (
        lambda: recorded(HessianOperator) @ np.ones((26, 2)),
        mg.ShapeError,
        r"\(26, 2\) for an operator of shape \(27, 27\); legal is \(27, k\)",
    ),
    "parts": (lambda: recorded(HessianOperator).split(np.ones(3)), mg.ShapeError, "27 numbers"),
    "list": (lambda: eye @ [1, 2], TypeError, "not list"),
    "complex": (lambda: eye @ np.array([1j, 2]), TypeError, "complex128"),
    "not square": (lambda: as_operator(np.ones((2, 3))), mg.ShapeError, r"square.*\(2, 3\)"),
    "not a matrix": (lambda: as_operator([[1]]), TypeError, "not list"),
    "integers": (lambda: as_operator(np.ones((2, 2), int)), TypeError, "not of int64"),
    "no product": (
        lambda: _Recorded((x * x).sum(), [x]) @ np.ones(2, "float32"),
        NotImplementedError,
        r"does not say what its products are; .* use HessianOperator\(loss, parameters\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    act, error, words = ERRORS[name]
    with pytest.raises(error, match=words):
        act()
