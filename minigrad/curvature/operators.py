"""The Hessian and the Gauss–Newton matrix as linear operators: matrices known by their products.

Floor 2. An operator acts on one flat vector of all inputs: each input row by row, one after the
other, in the order given. What SciPy's sparse solvers, and CuPy's, ask of an operator is there
(``shape``, ``ndim``, ``dtype``, ``matvec``, ``rmatvec``, ``matmat``, ``rmatmat``, ``@``), without
importing either. What the product of a recorded loss returns is contiguous memory of its own, for
CuPy's solvers hand it to cuBLAS by its address, and change it in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigrad import backend
from minigrad.backend import Array, Device, DeviceError
from minigrad.batch import Batch
from minigrad.forward import COLUMNS
from minigrad.mode import ShapeError, enable_grad
from minigrad.ops.linalg import _matmul
from minigrad.primitive import Primitive
from minigrad.products import Curvature
from minigrad.tensor import Tensor, tensor
from minigrad.trees import tree_leaves, tree_map

Matrix = Any  # what `as_operator` takes


class LinearOperator:
    """A real symmetric matrix A of `size` rows, known by the function v ↦ A v.

    `product` takes and returns arrays of the backend, of shape (size,), and of this dtype. The
    operator multiplies vectors (size,) and the columns of matrices (size, k): ``A @ v``,
    ``A.matvec(v)``; and rows, ``v @ A``. The product with a Tensor is a Tensor,
    with an array an array; other dtypes are converted to the operator's, and nothing is recorded
    for differentiation.

    Raises ShapeError for another length, which it names, DeviceError for a vector on another
    device, TypeError for what is neither array nor Tensor, and for complex numbers.
    """

    ndim = 2
    _width = 1  # how many columns are multiplied at once
    __array_ufunc__ = None  # so that ``array @ operator`` asks the operator

    def __init__(
        self,
        size: int,
        product: Callable[[Array], Array],
        dtype: Any = "float32",
        device: Device | None = None,
    ) -> None:
        self.shape = (size, size)
        self.dtype = backend.cpu.dtype(dtype)
        self.device = backend.canonical(device)
        if self.dtype.kind != "f":
            raise TypeError(f"an operator is of real floating numbers, not of {self.dtype}")
        self._product = product

    @property
    def T(self) -> LinearOperator:  # noqa: N802
        """The transpose, which is the operator itself."""
        return self

    H = T

    def matvec(self, vector: Any) -> Any:
        """Return A v for a vector (n,) or a column (n, 1)."""
        array = self._array(vector)
        if array.shape not in ((self.shape[0],), (self.shape[0], 1)):
            raise ShapeError(
                f"a vector of shape {array.shape} for an operator of shape {self.shape}; legal is "
                f"({self.shape[0]},)"
            )
        result = self._product(array.reshape(-1)).reshape(array.shape)
        return Tensor.of(result) if isinstance(vector, Tensor) else result

    def matmat(self, matrix: Any) -> Any:
        """Return A M for a matrix (n, k): k products, some at once where that is faster."""
        array = self._array(matrix)
        if array.ndim != 2 or array.shape[0] != self.shape[0]:
            raise ShapeError(
                f"a matrix of shape {array.shape} for an operator of shape {self.shape}; legal is "
                f"({self.shape[0]}, k)"
            )
        result = backend.of((array,)).empty_like(array)
        for start in range(0, array.shape[1], self._width):
            columns = slice(start, start + self._width)
            result[:, columns] = self._columns(array[:, columns])
        return Tensor.of(result) if isinstance(matrix, Tensor) else result

    rmatvec = matvec
    rmatmat = matmat

    def _columns(self, array: Array) -> Array:
        """Return the products of at most `_width` columns."""
        return self._product(array[:, 0])[:, None]

    def dense(self) -> Tensor:
        """Return the whole matrix, n products and n² numbers."""
        return Tensor.of(self.matmat(backend.get(self.device).eye(self.shape[0], dtype=self.dtype)))

    def __matmul__(self, other: Any) -> Any:
        return self.matmat(other) if getattr(other, "ndim", 1) == 2 else self.matvec(other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.matmat(other.T).T if getattr(other, "ndim", 1) == 2 else self.matvec(other)

    def __primitive__(self, op: Primitive, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Return ``tensor @ operator``, which asks the tensor first, and `mg.matmul` of both."""
        if op is not _matmul:
            raise TypeError(f"{op.__name__} of an operator is not known; it multiplies, with @")
        a, b = inputs
        return self.matmat(b) if a is self else self.matmat(a.T).T

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"{type(self).__name__}({rows} × {columns}, {self.dtype}, {self.device})"

    def _array(self, value: Any) -> Array:
        """Return a vector or a matrix as an array of this dtype, or raise an error."""
        array = value.data if isinstance(value, Tensor) else value
        if not backend.is_array(array):
            raise TypeError(
                f"an operator multiplies arrays and Tensors, not {type(value).__name__}; "
                "try mg.tensor(…)"
            )
        if backend.device_of(array) != self.device:
            raise DeviceError(
                f"a vector on {backend.device_of(array)} for an operator on {self.device}; "
                f'make a Tensor of it on device "{self.device}"'
            )
        if array.dtype.kind not in "fiub":
            raise TypeError(f"an operator of real numbers was given {array.dtype}")
        return array.astype(self.dtype, copy=False)


class _Recorded(LinearOperator):
    """An operator made of a recorded loss, as long as whose graph it lives."""

    def __init__(
        self, loss: Tensor, parameters: Iterable[Tensor], outputs: Tensor | None = None
    ) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__}: there are no parameters to differentiate by")
        for x in self.parameters:
            if not isinstance(x, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: parameters are Tensors, not {type(x).__name__}"
                )
        if len({id(x) for x in self.parameters}) < len(self.parameters):
            raise ValueError(f"{type(self).__name__}: a parameter is given twice; give it once")
        devices = {x.device for x in self.parameters}
        if len(devices) > 1:
            raise DeviceError(
                f"{type(self).__name__}: the parameters are on {', '.join(sorted(devices))}; "
                "they must be on one device"
            )
        arrays = [x.data for x in self.parameters]
        dtype = backend.of(arrays).result_type(*arrays)
        self.curvature = Curvature(loss, self.parameters, outputs)
        super().__init__(sum(a.size for a in arrays), self._times, dtype, devices.pop())
        sizes = [x.size for x in self.parameters] + [node.size for node in self.curvature._nodes]
        self._width = max(1, COLUMNS // max(1, *sizes))

    def split(self, vector: Any) -> list[Tensor]:
        """Return a flat vector's parts, Tensors of the parameters' shapes and dtypes."""
        array, start, parts = self._array(vector), 0, []
        if array.shape != self.shape[:1]:
            raise ShapeError(
                f"a vector of shape {array.shape} for parameters of {self.shape[0]} numbers"
            )
        for x in self.parameters:
            part = array[start : start + x.size].reshape(x.shape)
            parts.append(Tensor.of(part.astype(x.dtype, copy=False)))
            start += x.size
        return parts

    def flatten(self, parts: Sequence[Tensor]) -> Array:
        """Return Tensors of the parameters' shapes as one flat array."""
        xp = backend.get(self.device)
        joined = xp.concatenate([part.data.reshape(-1) for part in parts])
        return joined.astype(self.dtype, copy=False)

    def gradient(self) -> Tensor:
        """Return the loss's gradient, as a flat vector."""
        return Tensor.of(self.flatten(self.curvature.gradient()))

    def _times(self, vector: Array) -> Array:
        return self.flatten(self._products(self.split(vector)))

    def _columns(self, array: Array) -> Array:
        if array.shape[1] == 1:
            return super()._columns(array)
        xp = backend.of((array,))
        rows, start, parts = xp.ascontiguousarray(array.T), 0, []
        for x in self.parameters:
            part = rows[:, start : start + x.size].astype(x.dtype, copy=False)
            parts.append(Batch(part.reshape(len(rows), *x.shape)))
            start += x.size
        found = zip(self._products(parts), self.parameters, strict=True)
        joined = [y.data.reshape(len(y.data) if y.ndim > x.ndim else 1, -1) for y, x in found]
        return xp.concatenate([xp.broadcast_to(y, (len(rows), y.shape[1])) for y in joined], 1).T

    def _products(self, vectors: Sequence[Any]) -> list[Tensor]:
        raise NotImplementedError(
            f"{type(self).__name__} does not say what its products are; define _products(vectors), "
            "or use HessianOperator(loss, parameters), GaussNewtonOperator(loss, parameters, "
            "outputs) or LinearOperator(size, product)"
        )


class HessianOperator(_Recorded):
    """The Hessian H of a recorded loss by `parameters`: ``HessianOperator(loss, parameters)``.

    `loss` is a Tensor of one element, recorded from the parameters, Tensors of any shapes. Its
    graph is kept as long as the operator; it refuses to be used once a value that it needs was
    changed in place, or `backward` freed it. A product costs two to three gradients. Errors are
    those of `Curvature`.
    """

    @classmethod
    def of(cls, f: Callable[..., Tensor], primals: Any) -> HessianOperator:
        """Return the Hessian of a function at a point: the arguments of f, as in `mg.hvp`."""
        arguments, inputs = _variables(primals)
        with enable_grad():
            return cls(f(*arguments), inputs)

    def _products(self, vectors: Sequence[Any]) -> list[Tensor]:
        return self.curvature.hvp(vectors)


class GaussNewtonOperator(_Recorded):
    """The Gauss–Newton matrix Jᵀ H_L J: ``GaussNewtonOperator(loss, parameters, outputs)``.

    J is the Jacobian of `outputs`, the very tensor that the loss was computed from (logits,
    residuals), by the parameters, and H_L the Hessian of the loss by the outputs. Where the loss is
    convex in its outputs, the matrix is positive semidefinite. Otherwise as `HessianOperator`.
    """

    def __init__(self, loss: Tensor, parameters: Iterable[Tensor], outputs: Tensor) -> None:
        super().__init__(loss, parameters, outputs)

    @classmethod
    def of(
        cls, f: Callable[..., Tensor], loss: Callable[[Tensor], Tensor], primals: Any
    ) -> GaussNewtonOperator:
        """Return the matrix of ``loss(f(*primals))`` at a point, as in `mg.ggn_vp`."""
        arguments, inputs = _variables(primals)
        with enable_grad():
            outputs = f(*arguments)
            return cls(loss(outputs), inputs, outputs)

    def _products(self, vectors: Sequence[Any]) -> list[Tensor]:
        return self.curvature.ggn_vp(vectors)


class FisherOperator(GaussNewtonOperator):
    """The Fisher matrix: ``FisherOperator(loss, parameters, outputs)``.

    F = E[∇ log p(y) ∇ log p(y)ᵀ] over y drawn from the model's own distribution, averaged over the
    inputs. It is the Gauss–Newton matrix where the loss is a mean negative log-likelihood and the
    outputs are its natural parameters (Martens 2020, JMLR 21, section 9), so it is computed so:

    - cross-entropy and the logits of classes; binary cross-entropy with logits, one per sample;
    - ½ Σ (y - f)² averaged over the samples: a normal distribution of variance 1. The mean squared
      error of outputs with C numbers a sample is 2/C times that, and so is the result.

    For other losses the result is a Gauss–Newton matrix and no Fisher matrix. The
    "empirical Fisher" of the observed y is another matrix (Kunstner, Balles and Hennig 2019).
    """


def as_operator(matrix: Matrix) -> LinearOperator:
    """Return a symmetric matrix as an operator: an array, a Tensor, SciPy's operator, CuPy's, ours.

    That it is symmetric is not checked. Raises ShapeError if it is not square.
    """
    if isinstance(matrix, LinearOperator):
        return matrix
    array = matrix.data if isinstance(matrix, Tensor) else matrix
    dense = backend.is_array(array)
    if not dense and not (hasattr(matrix, "matvec") and hasattr(matrix, "shape")):
        raise TypeError(
            "a symmetric matrix is an operator, an array or a Tensor, not "
            f"{type(matrix).__name__}; try HessianOperator(loss, parameters)"
        )
    if len(array.shape) != 2 or array.shape[0] != array.shape[1]:
        raise ShapeError(f"a symmetric matrix is square; this one has shape {array.shape}")
    size, dtype = array.shape[0], array.dtype
    if not dense:
        return LinearOperator(size, matrix.matvec, dtype, backend.device_of_operator(matrix))
    return LinearOperator(size, lambda v: array @ v, dtype, backend.device_of(array))


def _variables(primals: Any) -> tuple[list[Any], list[Tensor]]:
    """Return the arguments as tensors to differentiate by, and these in a row."""
    given = primals if isinstance(primals, (tuple, list)) else (primals,)
    arguments = [tree_map(lambda x: tensor(x).requires_grad_(), x) for x in given]
    return arguments, tree_leaves(arguments)
