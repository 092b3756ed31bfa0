"""What users get wrong with methods that take a closure, and what they are told."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import curvature, datasets, nn, optim, training


def leaf():
    return mg.tensor(np.array([1.0, 2.0]), requires_grad=True)


def test_a_closure_that_keeps_its_graph_after_backward():
    p = leaf()

    def closure():
        loss = ((p - 3) ** 4).sum()
        loss.backward(retain_graph=True)
        return loss

    with pytest.raises(optim.ClosureError, match=r"backward\(\): leave that out"):
        optim.LBFGS([p]).step(closure)


@pytest.mark.parametrize("name", ["lbfgs", "levenberg-marquardt"])
def test_the_loss_in_place_of_the_closure(name):
    p = leaf()
    with pytest.raises(TypeError, match=r"needs a closure.*not Tensor; .*step\(closure\)"):
        optim.METHODS[name]([p]).step((p * p).sum())


def test_the_state_of_a_related_method():
    p = leaf()
    bfgs = optim.BFGS([p])
    bfgs.step(lambda: ((p - 3) ** 4).sum())
    with pytest.raises(ValueError, match="LBFGS: the state is of another method"):
        optim.LBFGS([p]).load_state_dict(bfgs.state_dict())


def test_fit_with_a_loss_that_is_a_number():
    data = datasets.blobs(20)
    model = nn.Linear(2, len(data.classes))
    optimizer = optim.LBFGS(model.parameters())
    with pytest.raises(TypeError, match="the loss function returned float"):
        training.fit(model, lambda z, y: z.sum().item(), optimizer, data, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("f", "x0", "keywords", "error", "message"),
    [
        (lambda p: (p.detach() ** 2).sum(), [3.0], {}, optim.ClosureError, "does not depend on"),
        (3, [3.0], {}, TypeError, "f is a function"),
        (lambda p: p.sum(), [], {}, ValueError, "x0 is empty"),
        (
            lambda p: (p * p).sum(),
            [3.0],
            {"options": {"max_iter": 3}},
            optim.HyperparameterError,
            "try maxiter",
        ),
    ],
    ids=["detached", "no function", "empty", "max_iter"],
)
def test_minimize(f, x0, keywords, error, message):
    with pytest.raises(error, match=message):
        optim.minimize(f, x0, **keywords)


def test_the_curvature_of_a_graph_that_is_gone_or_of_other_tensors():
    w, other = leaf(), leaf()
    loss = (w**3).sum()
    with pytest.raises(mg.GraphError, match="depends on none of the inputs"):
        curvature.Curvature(loss, [other])
    loss.backward()
    with pytest.raises(mg.GraphError, match="the graph was freed"):
        curvature.HessianOperator(loss, [w])
    assert mg.hvp(lambda x: (w * w).sum(), other, other).tolist() == [0, 0]


def test_numpys_functions_name_minigrads():
    with pytest.raises(TypeError, match=r"use mg.sum\(tensor\)"):
        np.sum(leaf())
    with pytest.raises(TypeError, match=r"use mg.mean\(tensor\)"):
        np.mean(leaf())


@pytest.mark.parametrize("name", ["lbfgs", "newton-cg", "hessian-free"])
def test_what_stands_beside_the_loss_is_a_tensor(name):
    p = leaf()
    with pytest.raises(optim.ClosureError, match=r"beside it float; legal .* logits or residuals"):
        optim.METHODS[name]([p]).step(lambda: ((p * p).sum(), 0.93))


def test_the_curvature_in_place_of_its_closure():
    p = leaf()
    with pytest.raises(TypeError, match=r"curvature is a closure too.*not Tensor; pass its name"):
        optim.HessianFree([p]).step(lambda: ((p * p).sum(), p), curvature=(p * p).sum())


@pytest.mark.parametrize(
    ("inverse", "error", "message"),
    [
        (lambda r: None, TypeError, r"returned NoneType; legal is a vector of shape \(2,\)"),
        (lambda r: r[:1], TypeError, r"returned shape \(1,\); legal"),
        (lambda r: -r, ArithmeticError, r"not positive definite: rᵀM⁻¹r = -.*every h > 0"),
    ],
    ids=["none", "short", "negative"],
)
def test_preconditioners_that_are_none(inverse, error, message):
    p = leaf()
    with pytest.raises(error, match=message):
        optim.NewtonCG([p], preconditioner=inverse).step(lambda: (p**4).sum())
    np.testing.assert_array_equal(p.numpy(), [1, 2])


def test_a_preconditioner_may_return_a_tensor():
    p = leaf()
    optimizer = optim.NewtonCG([p], preconditioner=lambda r: mg.tensor(r) / 2)
    optimizer.step(lambda: ((p - 3) ** 2).sum())
    np.testing.assert_allclose(p.numpy(), [3, 3])


def test_a_hessian_that_no_memory_holds():
    with pytest.raises(MemoryError, match=r"3,000,000 numbers takes 72 TB, .*mg\.hvp"):
        mg.hessian(lambda x: (x * x).sum())(np.zeros(3_000_000))
