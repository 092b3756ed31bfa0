"""Every method on a device: its steps are the CPU's, in its parameters' memory there."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    condition_number,
    diagonal,
    estimate_diagonal,
    lanczos,
    spectral_density,
    top_eigenvalues,
    trace,
)
from tests.cuda.compare import equal, host
from tests.fake_cupy import counts
from tests.optim.problems import PROBLEMS
from tests.optim.table import NAMES, ROWS

SHAPES = [(3, 4), (4,), (), (5, 2, 2), (0, 3), (6, 1)]
every_row = pytest.mark.parametrize("row", ROWS, ids=NAMES)
SECOND_ORDER = sorted(
    name for name, method in optim.METHODS.items() if issubclass(method, optim.SecondOrder)
)


def leaves(where, dtype, seed=0):
    rng = np.random.default_rng(seed)
    made = [mg.tensor(rng.standard_normal(s).astype(dtype), device=where) for s in SHAPES]
    made[0].data = made[0].to("cpu").data.copy("F") if where == "cpu" else made[0].T.clone().T.data
    return [p.requires_grad_() for p in made]


def steps(row, params, optimizer, where, count):
    rng = np.random.default_rng(1)
    for step in range(count):
        for i, p in enumerate(params):
            g = rng.standard_normal(p.shape).astype(p.dtype)
            p.grad = None if (step + i) % 7 == 3 else mg.tensor(g, device=where)
        optimizer.step()


def made(row, params, **keywords):
    return optim.METHODS[row.method](params, lr=row.rate, **{**row.keywords, **keywords})


@every_row
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_first_order_methods(row, dtype, device):
    found = []
    for where in ("cpu", device):
        params = leaves(where, dtype)
        groups = [{"params": params[:3], "weight_decay": 0.1}, {"params": params[3:], "l1": 0.01}]
        optimizer = made(row, groups)
        schedule = optim.ExponentialLR(optimizer, 0.9)
        before = dict(counts)
        for _ in range(3):
            steps(row, params, optimizer, where, 4)
            schedule.step()
        assert counts["waits"] == before.get("waits", 0)  # a step reads nothing back
        found.append([host(p.detach(), where, dtype) for p in params])
    equal(*found, tolerance=1e-11 if dtype == "float64" else 1e-4)


@every_row
def test_state_made_on_one_device_goes_on_on_the_other(row, device):
    results = []
    for places in (("cpu", "cpu"), ("cpu", device), (device, "cpu"), (device, device)):
        params = leaves(places[0], "float64")
        optimizer = made(row, params)
        steps(row, params, optimizer, places[0], 5)
        state = optimizer.state_dict()
        for entry in state["state"].values():
            assert all(isinstance(v, (int, float, np.ndarray)) for v in entry.values())
        again = [p.detach().to(places[1]).clone().requires_grad_() for p in params]
        other = made(row, again)
        other.load_state_dict(state)
        steps(row, again, other, places[1], 5)
        results.append([host(p.detach(), places[1]) for p in again])
    for result in results[1:]:
        equal(results[0], result)


def test_a_model_that_moves_takes_its_optimizer_along(device):
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters())
    for where in ("cpu", device, "cpu"):
        model.to(where)
        model(mg.ones(4, 3, device=where)).sum().backward()
        optimizer.step()
        assert {p.device for p in model.parameters()} == {where}


def test_clipping(device):
    def clipped(where, clip):
        params = leaves(where, "float64")
        for p, g in zip(params, leaves(where, "float64", seed=5), strict=True):
            p.grad = g.detach()
        found = clip(params)
        norms = found if isinstance(found, list) else [] if found is None else [found]
        return [np.asarray(float(n)) for n in norms] + [host(p.grad, where) for p in params]

    for clip in (
        lambda ps: optim.clip_grad_norm_(ps, 0.5),
        lambda ps: optim.clip_grad_norm_(ps, 1e6),
        lambda ps: optim.clip_grad_norm_(ps, 0.5, norm_type=3),
        lambda ps: optim.clip_grad_norm_(ps, 0.5, norm_type=np.inf),
        lambda ps: optim.clip_grad_norm_(ps, 0.5, error_if_nonfinite=True),
        lambda ps: optim.clip_grad_norm_per_parameter_(ps, 0.5),
        lambda ps: optim.clip_grad_value_(ps, 0.5),
    ):
        equal(clipped("cpu", clip), clipped(device, clip))
    waits = counts["waits"]
    norm = optim.clip_grad_norm_([p for p in leaves(device, "float64") if p.grad is None], 1.0)
    assert (norm, counts["waits"]) == (0.0, waits)


def test_averages_of_weights(device):
    results = []
    for where in ("cpu", device):
        params = leaves(where, "float64")
        ema = optim.EMA(params, 0.5, warmup=True)
        for _ in range(3):
            for p in params:
                p.data += 1
            ema.update()
        with ema.applied():
            inside = [host(p.detach(), where) for p in params]
        other = optim.EMA(leaves("cpu", "float64"))
        other.load_state_dict(ema.state_dict())
        results.append(inside + [host(p.detach(), where) for p in params] + other.averages)
    equal(*results)


# Second order ------------------------------------------------------------------------------------


def network(where, dtype="float64"):
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((20, 4)).astype(dtype), device=where)
    y = mg.tensor(rng.integers(0, 3, 20), device=where)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    state = {k: rng.standard_normal(v.shape) * 0.5 for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    model.to(where)

    def closure():
        output = model(x)
        return nn.CrossEntropyLoss()(output, y), output

    return model, closure


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_second_order_methods(name, device):
    found = []
    for where in ("cpu", device):
        model, closure = network(where)
        optimizer = optim.METHODS[name](model.parameters())
        losses = [optimizer.step(closure).item() for _ in range(2)]
        state = optimizer.state_dict()
        again, closure = network("cpu")  # and it goes on on the CPU
        again.load_state_dict(model.state_dict())
        other = optim.METHODS[name](again.parameters())
        other.load_state_dict(state)
        losses.append(other.step(closure).item())
        assert losses[-1] < losses[0]
        found.append([np.array(losses), *again.state_dict().values()])
    equal(*found, tolerance=1e-5)


def test_the_preconditioner_of_hessian_free(device):
    """Its signs are drawn on the device, so that no two devices draw the same."""
    model, closure = network(device)
    optimizer = optim.HessianFree(model.parameters(), preconditioner="diagonal")
    losses = [optimizer.step(closure).item() for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]


SOLVERS = ["CG", "BFGS", "L-BFGS", "Newton-CG", "trust-ncg", "trust-exact", "lm"]
SMALL = [p for p in PROBLEMS if p.name in ("rosenbrock", "beale", "wood", "powell-singular")]


@pytest.mark.parametrize("method", SOLVERS)
def test_minimize(method, device):
    for problem in SMALL:
        f = problem if method != "lm" else lambda x, p=problem: mg.stack(list(p.residuals(x)))
        found = []
        for where in ("cpu", device):
            start = mg.tensor(np.array(problem.start), device=where)
            result = optim.minimize(f, start, method=method)
            assert result.x.device == result.jac.device == where
            found.append([np.asarray(result.fun)])
        equal(*found, tolerance=1e-6)


NAMES_OF_MINIMIZE = sorted({*SOLVERS, "L-BFGS-B", *SECOND_ORDER} - {"lm", "stochastic-diagonal-lm"})


@pytest.mark.parametrize("method", NAMES_OF_MINIMIZE)
def test_minimize_of_two_tensors_by_every_name(method, device):
    """With a callback, which is given what lives on the device; as on the CPU."""
    squares = method in ("gauss-newton", "levenberg-marquardt", "hessian-free")

    def f(a, b):
        residuals = mg.concatenate([(a - 1).reshape(-1), 3 * (b * b - 2), 0.1 * (a.sum() * b)])
        return residuals if squares else (residuals**2).sum() / 2

    found = []
    for where in ("cpu", device):
        start = [mg.full((2, 2), 0.5, dtype="float64", device=where)]
        start.append(mg.tensor([1.0, 2.0, 1.5], dtype="float64", device=where))
        seen = []
        few = {"maxiter": 20} if method == "derivative-free-cg" else {}  # it crawls here
        result = optim.minimize(f, start, method=method, options=few, callback=seen.append)
        assert {x.device for x in (*result.x, *result.jac, *seen[-1])} == {where}
        found.append([np.asarray(result.fun), *(host(x.detach(), where) for x in result.x)])
        assert result.success or few, result.message
    equal(*found, tolerance=1e-6)


def test_newton_meets_matrices_that_are_not_definite(device):
    """CuPy says nothing where NumPy raises."""
    for keywords in ({}, {"indefinite": "shift"}, {"line_search": "trust-region"}):
        p = mg.tensor([0.1, 0.2], dtype="float64", device=device, requires_grad=True)
        optimizer = optim.Newton([p], **keywords)
        before = optimizer.step(lambda p=p: p[0] ** 4 - p[0] ** 2 + p[1] ** 2).item()
        after = optimizer.step(lambda p=p: p[0] ** 4 - p[0] ** 2 + p[1] ** 2).item()
        assert after < before
    p = mg.tensor([1.0, 1.0], dtype="float64", device=device, requires_grad=True)
    singular = optim.Newton([p], indefinite="none", line_search="fixed")
    with pytest.raises(ArithmeticError, match="singular"):
        singular.step(lambda: (p[0] + p[1]) ** 2)


# Curvature ---------------------------------------------------------------------------------------


def test_operators_and_spectra(device):
    found = []
    for where in ("cpu", device):
        model, closure = network(where)
        loss, output = closure()
        parameters = list(model.parameters())
        H = HessianOperator(loss, parameters)
        G = GaussNewtonOperator(loss, parameters, output)
        n = H.shape[0]
        v = mg.tensor(np.linspace(-1, 1, n), device=where)
        M = mg.tensor(np.linspace(-1, 1, 3 * n).reshape(n, 3), device=where)
        products = [
            H @ v,
            G @ v,
            H @ M,
            H.dense(),
            G.dense(),
            H.gradient(),
            diagonal(H),
            v.data @ H,
        ]
        products = [host(x, where, "float64") for x in products]
        values = top_eigenvalues(H, 2)
        products += [host(values.values, where), host(abs(values.vectors), where)]
        basis, alpha, beta = lanczos(H.matvec, v.data, 4)
        products += [host(basis, where), alpha, beta]
        numbers = [
            trace(G, n).value, condition_number(G).largest, estimate_diagonal(G, 2).products,
            trace(G, 12, method="hutch++").products, spectral_density(H, 5, 2).products,
        ]  # fmt: skip
        found.append([*products, np.array(numbers)])
    equal(*found, tolerance=1e-6)


def test_functions_of_functions(device):
    def f(x):
        return (mg.exp(x) * mg.sin(x * x)).sum()

    def g(x):
        return mg.exp(x) * mg.sin(x * x)

    found = []
    for where in ("cpu", device):
        x = mg.tensor([0.5, 1.0, 1.5], dtype="float64", device=where)
        v = mg.tensor([1.0, -1.0, 2.0], dtype="float64", device=where)
        results = [
            mg.grad(f)(x), mg.hessian(f)(x), mg.hvp(f, x, v), mg.vhp(f, x, v), mg.jvp(g, x, v)[1],
            mg.hvp(f, x, v, order="reverse-over-reverse"), mg.vjp(g, x)[1](v)[0],
            *(mg.jacobian(g, sweep=sweep)(x) for sweep in ("auto", "forward", "reverse")),
            mg.ggn_vp(g, lambda y: (y * y).sum(), x, v), mg.grad(lambda x: mg.grad(f)(x).sum())(x),
            mg.hessian(lambda x, v=v: mg.hvp(f, x, v).sum())(x),
        ]  # fmt: skip
        found.append([host(y, where, "float64") for y in results])
    equal(*found)
    x = mg.tensor([0.5, 1.0], requires_grad=True, dtype=mg.float64, device=device)
    assert mg.testing.gradcheck(f, x)
    assert mg.testing.gradgradcheck(g, x)
