"""What an operation says when it is called wrongly: a table of calls, errors and words.

Every message names the operation and what was given; those of shapes name the rule too.
"""

import numpy as np
import pytest

import minigrad as mg
from minigrad import ShapeError

A, B, C = mg.ones((2, 3)), mg.ones((4, 5)), mg.ones(3)
I = mg.arange(6).reshape(2, 3)  # noqa: E741
SQUARE = mg.ones((3, 3))
BOTH = r"\(2, 3\) and \(4, 5\)"
AXES = "legal are -2 to 1"

BINARY = {
    "add": lambda: A + B, "sub": lambda: A - B, "mul": lambda: A * B, "div": lambda: A / B,
    "pow": lambda: A**B, "maximum": lambda: mg.maximum(A, B), "minimum": lambda: mg.minimum(A, B),
    "less": lambda: A < B, "less_equal": lambda: A <= B, "greater": lambda: A > B,
    "greater_equal": lambda: A >= B, "equal": lambda: A == B, "not_equal": lambda: A != B,
    "logical_and": lambda: mg.logical_and(A, B), "logical_or": lambda: mg.logical_or(A, B),
    "where": lambda: mg.where(A > 0, 1.0, B),
}  # fmt: skip

REDUCTIONS = [
    "sum", "mean", "var", "std", "prod", "max", "min", "argmax", "argmin", "logsumexp", "softmax",
    "log_softmax", "cumsum", "any", "all", "flip", "squeeze",
]  # fmt: skip

SHAPES = {
    "matmul": (lambda: A @ A, r"\(2, 3\) and \(2, 3\).*last size of the left"),
    "matmul vector": (lambda: A @ mg.ones(2), r"matmul: shapes \(2, 3\) and \(2,\)"),
    "matmul batch": (lambda: mg.ones((5, 2, 3)) @ B, r"matmul: shapes \(5, 2, 3\) and \(4, 5\)"),
    "matmul batches": (lambda: mg.ones((2, 2, 3)) @ mg.ones((3, 3, 4)), r"\(2, 2, 3\) and \(3, 3,"),
    "matmul number": (lambda: A @ 2.0, r"matmul: .*use \* with a number"),
    "matmul 0-d": (lambda: mg.ones(()) @ A, r"\(\) and \(2, 3\).*use \* with a number"),
    "dot": (lambda: mg.dot(C, mg.ones(2)), r"dot: .*\(3,\) and \(2,\)"),
    "dot matrices": (lambda: mg.dot(A, A), "dot: two vectors"),
    "affine": (lambda: mg.affine(A, B, mg.ones(4)), r"affine: .*\(2, 3\) and \(4, 5\)"),
    "affine bias": (lambda: mg.affine(A, mg.ones((4, 3)), mg.ones(5)), "bias as long as the weig"),
    "affine weight": (lambda: mg.affine(A, mg.ones((4, 3, 2)), mg.ones(4)), "is a matrix"),
    "einsum sizes": (lambda: mg.einsum("ij,jk", A, B), rf"einsum: shapes {BOTH}.*one size"),
    "einsum operands": (lambda: mg.einsum("ij", A, B), "names 1 operands, and 2 were given"),
    "einsum axes": (lambda: mg.einsum("ijk->i", A), "'ijk' names 3 axes, and its operand has 2"),
    "einsum ellipsis": (lambda: mg.einsum("...ij->ij", C), "names 2 axes, and its operand has 1"),
    "einsum result": (lambda: mg.einsum("ij->iz", A), "einsum: .*'z'"),
    "einsum letters": (lambda: mg.einsum("i$->i", A), r"einsum: .*'\$'"),
    "solve": (lambda: mg.solve(SQUARE, mg.ones(2)), r"solve: .*\(3, 3\) and \(2,\).*as many rows"),
    "solve, not square": (lambda: mg.solve(A, C), r"solve: .*\(2, 3\).*square"),
    "solve, batches": (lambda: mg.solve(mg.ones((2, 3, 3)), mg.ones((4, 3, 1))), "solve: shapes"),
    "inv": (lambda: mg.inv(A), r"inv: .*\(2, 3\).*square"),
    "inv of a vector": (lambda: mg.inv(C), r"inv: .*\(3,\).*two axes"),
    "det": (lambda: mg.det(A), r"det: .*\(2, 3\).*square"),
    "slogdet": (lambda: mg.slogdet(A), r"slogdet: .*\(2, 3\).*square"),
    "cholesky": (lambda: mg.cholesky(A), r"cholesky: .*\(2, 3\).*square"),
    "trace": (lambda: mg.trace(C), r"trace: .*\(3,\).*two axes"),
    "diagonal": (lambda: mg.diagonal(C), r"diagonal: .*\(3,\).*two axes"),
    "tril": (lambda: mg.tril(C), r"tril: .*\(3,\).*two axes"),
    "triu": (lambda: mg.triu(C), r"triu: .*\(3,\).*two axes"),
    "mT": (lambda: C.mT, r"mT: .*\(3,\).*last two axes"),
    "reshape": (lambda: A.reshape(4, 2), r"reshape: .*\(2, 3\).*number of elements.*\(4,2\)"),
    "reshape twice -1": (lambda: A.reshape(-1, -1), "at most one -1"),
    "permute": (lambda: A.permute(0, 2), r"permute: \(0, 2\) .* 2 axes of \(2, 3\)"),
    "permute twice": (lambda: A.permute(0, 0), r"permute: \(0, 0\)"),
    "permute too few": (lambda: A.transpose(1), r"permute: \(1,\)"),
    "swapaxes": (lambda: A.swapaxes(0, 2), f"swapaxes: axis 2 .*{AXES}"),
    "expand": (lambda: A.expand(2, 4), r"expand: .*\(2, 3\).*size 1 expand.*\(2,4\)"),
    "expand too few": (lambda: A.expand(3), r"expand: \(3,\) has fewer axes .*\(2, 3\)"),
    "broadcast_to": (lambda: mg.broadcast_to(A, (3, 3)), r"\(2, 3\).*\(3,3\)"),
    "squeeze": (lambda: A.squeeze(0), r"squeeze: axis 0 of shape \(2, 3\) is not of size 1"),
    "unsqueeze": (lambda: A.unsqueeze(5), "unsqueeze: axis 5 .*legal are -3 to 2"),
    "flatten": (lambda: A.flatten(3), f"flatten: axis 3 .*{AXES}"),
    "norm": (lambda: A.norm(axis=2), f"norm: axis 2 .*{AXES}"),
    "norm's ord": (lambda: A.norm(0.5), "norm: ord is a number from 1 to infinity, not 0.5"),
    "norm's ord, a word": (lambda: A.norm("fro"), "not 'fro'"),
    "axis twice": (lambda: A.sum((0, -2)), r"sum: axis \(0, -2\) names an axis twice"),
    "axis of a number": (lambda: mg.ones(()).sum(0), "sum: axis 0 .* 0 axes; it has none"),
    "concatenate": (lambda: mg.concatenate([A, B]), f"concatenate: shapes {BOTH}.*must be equal"),
    "concatenate axes": (lambda: mg.concatenate([A, C]), r"\(2, 3\) and \(3,\)"),
    "concatenate axis": (lambda: mg.concatenate([A, A], 2), f"concatenate: axis 2 .*{AXES}"),
    "concatenate nothing": (lambda: mg.concatenate([]), "at least one"),
    "stack": (lambda: mg.stack([A, B]), f"stack: shapes {BOTH}.*equal"),
    "stack axis": (lambda: mg.stack([A, A], 4), "stack: axis 4 .*legal are -3 to 2"),
    "split": (lambda: A.split((1, 3)), r"split: sizes \(1, 3\) do not add up to 2, axis 0 of \(2,"),
    "split 0": (lambda: A.split(0), "split: pieces of size 0"),
    "split below 0": (lambda: A.split((-1, 3)), r"split: pieces of size \(-1, 3\)"),
    "pad": (lambda: mg.pad(A, ((1, 1),)), r"pad: 1 pairs .* 2 axes of \(2, 3\)"),
    "pad below 0": (lambda: mg.pad(A, -1), "pad: .*not negative"),
    "gather": (lambda: A.gather([0], 0), r"gather: .*2 axes, not int64 of shape \(1,\)"),
    "gather floats": (lambda: A.gather([[0.5]], 0), "gather: .*not float32"),
    "gather axis": (lambda: A.gather([[0]], 4), "gather: axis 4"),
    "scatter_add": (
        lambda: A.scatter_add(np.zeros((2, 3), int), B, 0),
        r"scatter_add: values of shape \(4, 5\) for an index of shape \(2, 3\)",
    ),
    "take axis": (lambda: A.take([0], 3), f"take: axis 3 .*{AXES}"),
    **{f"{name} of nothing": (getattr(mg.zeros(0), name), f"{name}: .*at least one element")
       for name in ("max", "min", "argmax", "argmin", "logsumexp", "softmax", "log_softmax")},
}  # fmt: skip

OTHERS = {
    "index": (lambda: A[2], IndexError, r"getitem: index 2 .* axis 0 with size 2.*\(2, 3\)"),
    "indices": (lambda: A[0, 3], IndexError, "index 3 .* axis 1 with size 3"),
    "too many indices": (lambda: A[0, 0, 0], IndexError, "too many indices"),
    "index of a number": (lambda: mg.ones(())[0], IndexError, "too many indices"),
    "a float index": (lambda: A[1.5], IndexError, "integers, slices.*not of float"),
    "a word as index": (lambda: A["x"], IndexError, "not of str"),
    "a float array": (lambda: A[np.array([0.5])], IndexError, "not of float64"),
    "a float tensor": (lambda: A[C], IndexError, "not of float32"),
    "index array": (lambda: A[np.array([0, 5])], IndexError, "index 5 .* axis 0 with size 2"),
    "index arrays": (lambda: A[[0, 1], [0, 1, 2]], IndexError, r"\(2,\) \(3,\)"),
    "mask": (lambda: A[np.ones(3, bool)], IndexError, "boolean index.* is 2 .* is 3"),
    "take": (lambda: A.take(5, 0), IndexError, "index 5 .* size 2"),
    "gather, too far": (lambda: A.gather([[9]], 0), IndexError, "index 9 .* size 2"),
    "gather, too wide": (lambda: A.gather(np.zeros((2, 5), int), 0), IndexError, "size 3"),
    "scatter_add, too far": (lambda: A.scatter_add([[7]], 1.0, 0), IndexError, "index 7 .* size 2"),
    "axis, a word": (lambda: A.sum("x"), TypeError, "sum: an axis is an integer, not 'x'"),
    "axis, a float": (lambda: A.sum(1.5), TypeError, "an axis is an integer, not 1.5"),
    "operand None": (lambda: A + None, TypeError, "operand is a Tensor, .* not NoneType"),
    "operand, a word": (lambda: A + "x", TypeError, "operand is a Tensor, .* not str"),
    "operand, complex": (lambda: A + 1j, TypeError, "operand is a Tensor, .* not complex"),
    "clip by a tensor": (lambda: A.clip(C), TypeError, "a number or None, not Tensor.*mg.maximum"),
    "integer powers": (lambda: I**-1, ValueError, "negative integer powers"),
    "integer powers, arrays": (lambda: I ** (I - 9), ValueError, "negative integer powers"),
    "minus a mask": (lambda: -(A > 0), TypeError, "neg: .* none of booleans; .* ~ for not"),
    "a mask less a mask": (lambda: (A > 0) - (A > 0), TypeError, "sub: .* != for either"),
    "singular": (lambda: mg.inv(SQUARE), np.linalg.LinAlgError, r"inv of \(3, 3\): Singular"),
    "singular solve": (lambda: mg.solve(SQUARE, C), np.linalg.LinAlgError, "solve .*: Singular"),
    "indefinite": (lambda: mg.cholesky(-mg.eye(2)), np.linalg.LinAlgError, "cholesky .* positive"),
    "det of singular": (
        lambda: mg.grad(mg.det)(SQUARE), np.linalg.LinAlgError, "Singular",
    ),
    "integers": (lambda: mg.tensor([1], requires_grad=True), TypeError, "floating.*int64.*astype"),
    "masks": (lambda: (A > 0).requires_grad_(), TypeError, "floating.*bool"),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_broadcast(name):
    with pytest.raises(ShapeError, match=rf"^{name}: shapes .*\(4, 5\).* compared from the right"):
        BINARY[name]()


@pytest.mark.parametrize("name", REDUCTIONS)
def test_axes_that_are_not_there(name):
    for axis in (2, -3):
        with pytest.raises(ShapeError, match=f"^{name}: axis {axis} of .* 2 axes; {AXES}"):
            getattr(mg, name)(A, axis)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    cause, message = SHAPES[name]
    with pytest.raises(ShapeError, match=message):
        cause()


@pytest.mark.parametrize("name", OTHERS)
def test_other_errors(name):
    cause, error, message = OTHERS[name]
    with pytest.raises(error, match=message) as caught:
        cause()
    assert not isinstance(caught.value, ShapeError)


def test_a_shape_error_is_a_value_error():
    assert issubclass(ShapeError, ValueError)


def test_affine_names_the_shapes_that_were_given():
    weight, bias = mg.ones(5, 6), mg.ones(5)
    for x, shapes in ((mg.ones(2, 3, 4), r"\(2, 3, 4\) and \(5, 6\) and \(5,\)"),
                      (mg.ones(4), r"\(4,\) and \(5, 6\) and \(5,\)")):  # fmt: skip
        with pytest.raises(mg.ShapeError, match=f"affine: shapes {shapes} do not fit; the last"):
            mg.affine(x, weight, bias)
    with pytest.raises(mg.ShapeError, match=r"affine: shapes \(2, 3, 6\) and .* and \(7,\)"):
        mg.affine(mg.ones(2, 3, 6), weight, mg.ones(7))
