"""Tensor: an array and, if it was computed from tensors that require a gradient, its node.

Floor 1. What is not here: the node, which says how a tensor was made (`node.py`), the primitives
that make tensors (`primitive.py`), the operations (`ops/`), which also give Tensor its operators
and methods, and the sweep backward (`autograd.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from minigrad import backend
from minigrad.backend import Array, Device, DeviceError
from minigrad.backend.legal import check_numbers, check_range, misshapen, native, no_place, on
from minigrad.backend.legal import legal_dtype as legal_dtype
from minigrad.mode import GraphError, ShapeError, mode
from minigrad.node import Node, clock

Value = Any  # a Tensor, an array, or a Python number
DType = Any  # a NumPy dtype, its name, or its scalar type


class Tensor:
    """An array that remembers how it was computed, if a gradient is wanted.

    Made by `mg.tensor` and by operations. Operators, methods and functions follow NumPy's
    broadcasting and promotion, except that a result is float64 only if an operand is.

    - ``data``: the array of the backend; changing it behind the tensor's back is not noticed.
    - ``requires_grad``: whether gradients flow to it; ``grad``: where `backward` adds them.
    """

    __slots__ = (
        "__weakref__",
        "_grad",
        "changed",
        "data",
        "hooks",
        "name",
        "node",
        "requires_grad",
    )
    __hash__ = object.__hash__

    data: Array
    node: Node | None
    changed: list[int]  # when it was last changed in place; all that share the memory share it

    def __init__(self, data: Any, requires_grad: bool = False, dtype: DType = None) -> None:
        self.data = _array(data, dtype, None)
        self._grad: Tensor | None = None
        self.node = None
        self.hooks: list[Callable[[Any], Any]] | None = None
        self.changed = [0]
        self.name: str | None = None
        self.requires_grad = False
        if requires_grad is not False:
            self.requires_grad_(requires_grad)

    @classmethod
    def of(cls, data: Array, node: Node | None = None, changed: list[int] | None = None) -> Tensor:
        """Return a tensor around an array as it is."""
        self = object.__new__(Tensor)
        self.data = data
        self.node = node
        self.changed = changed or [0]
        self._grad = self.hooks = self.name = None
        self.requires_grad = node is not None
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size  # type: ignore[no-any-return]

    @property
    def device(self) -> Device:
        """Where the array lives: ``"cpu"``, ``"cuda:0"``, …"""
        return backend.device_of(self.data)

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it, rather than a recorded operation."""
        return self.node is None

    @property
    def grad(self) -> Tensor | None:
        """What `backward` has accumulated: a Tensor of this shape and dtype, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = (
                value
                if isinstance(value, Tensor)
                else Tensor.of(_array(value, self.dtype, self.device))
            )
            if value.shape != self.shape:
                raise ShapeError(
                    f"a gradient of shape {value.shape} for a tensor of shape {self.shape}"
                )
            if value.device != self.device:
                raise DeviceError(f"a gradient on {value.device} for a tensor on {self.device}")
            if value.dtype != self.dtype:
                value = value.astype(self.dtype)
        self._grad = value

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this leaf (or no longer), and return it."""
        if not isinstance(requires_grad, (bool, backend.cpu.bool_)):
            raise TypeError(
                f"requires_grad is True or False, not {type(requires_grad).__name__}; for a tensor "
                "of a shape use mg.zeros(2, 3)"
            )
        if self.node is not None:
            raise GraphError(
                "requires_grad belongs to leaves; use .detach() to cut this tensor off its graph"
            )
        if requires_grad and self.data.dtype.kind != "f":
            raise TypeError(
                f"only floating tensors can require gradients, not {self.dtype}; "
                "use .astype(mg.float32)"
            )
        self.requires_grad = requires_grad
        return self

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
        """Call ``hook(gradient)`` whenever this tensor's gradient is complete; return a remover.

        What the hook returns, if anything, replaces the gradient.
        """
        if not self.requires_grad:
            raise GraphError("a hook waits for a gradient, and this tensor requires none")
        owner: Any = self if self.node is None else self.node
        owner.hooks = owner.hooks or []
        hooks = owner.hooks
        hooks.append(hook)
        return lambda: hooks.remove(hook)

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that gradients do not pass."""
        return Tensor.of(self.data, None, self.changed)

    def numpy(self) -> Any:
        """Return the value as a NumPy array: on ``"cpu"`` the same memory.

        It is read-only if gradients flow to this tensor, so that no change goes unnoticed.
        """
        array = backend.of((self.data,)).to_host(self.data)
        if self.requires_grad:
            array = array.view()
            array.flags.writeable = False
        return array

    def item(self) -> Any:
        """Return the only element as a Python number."""
        if self.size != 1:
            raise ValueError(f"item() needs one element, and the shape is {self.shape}")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the value as nested lists of Python numbers."""
        return self.data.tolist()

    def modified(self) -> None:
        """Note that the value was changed in place; graphs that kept it will refuse to be used."""
        self.changed[0] = next(clock)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.requires_grad and mode.recording:
            raise GraphError(
                "NumPy would compute outside the graph, and the gradient would be lost: use "
                "minigrad's own function (mg.dot for np.dot), or give NumPy the array, "
                "tensor.numpy()"
            )
        array = self.numpy()
        return array.astype(dtype) if dtype is not None or copy else array

    def __dlpack__(self, **keywords: Any) -> Any:
        """Hand the memory over to another library, without a copy; see `mg.from_dlpack`."""
        if self.requires_grad:
            raise BufferError(
                "a tensor that requires a gradient is not handed over, for what another library "
                "does to it no graph would know; use tensor.detach()"
            )
        return self.data.__dlpack__(**keywords)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return DLPack's number for the kind of device, and the number of the device."""
        return self.data.__dlpack_device__()  # type: ignore[no-any-return]

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Where the memory is on the GPU, for libraries that take such arrays without a copy."""
        if self.device == "cpu" or self.requires_grad:
            advice = 'is on the CPU; use .to("cuda")'
            if self.device != "cpu":
                advice = "requires a gradient; use .detach()"
            raise AttributeError(f"no __cuda_array_interface__: the tensor {advice}")
        return self.data.__cuda_array_interface__  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a tensor of shape () has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; "
                "use .any(), .all() or one element"
            )
        return bool(self.data.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"an index is an integer, not a tensor of {self.dtype}")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __repr__(self) -> str:
        host = backend.of((self.data,)).to_host(self.data)
        text = backend.cpu.array2string(host, prefix="tensor(", separator=", ")
        notes = [str(self.dtype)] if self.dtype != "float32" else []
        notes += [f'device="{self.device}"'] if self.device != "cpu" else []
        notes += [f"op={self.node.op.__name__}"] if self.node is not None else []
        notes += ["requires_grad=True"] if self.requires_grad and self.node is None else []
        return f"tensor({', '.join([text, *notes])})"

    @backend.explaining
    def __setitem__(self, index: Any, value: Any) -> None:
        graph = self.requires_grad or (isinstance(value, Tensor) and value.requires_grad)
        if graph and (mode.recording or self.node is not None):
            raise GraphError(
                "item assignment on a tensor that gradients flow through cannot be differentiated; "
                "use mg.where(mask, value, x) or mg.scatter_add, or assign to a leaf inside "
                "mg.no_grad()"
            )
        parts = tuple(map(_raw, index)) if isinstance(index, tuple) else (_raw(index),)
        if isinstance(value, (list, tuple)) and self.device != "cpu":  # NumPy takes them itself
            value = _array(value, self.dtype, self.device)
        value = on(self.device, _raw(value))
        backend.of((self.data,))  # which makes its device the current one
        backend.writable(self.data)[backend.beside(self.data, parts)] = value
        self.modified()

    @backend.explaining
    def _in_place(self, function: Callable[[Any, Any], Any], other: Any) -> Tensor:
        """Change the memory where no gradient is lost by it, else return a new tensor."""
        if mode.recording and self.requires_grad and self.node is None:
            raise GraphError(
                "changing a leaf that requires a gradient in place would escape the graph; "
                "do it inside mg.no_grad()"
            )
        if mode.recording and (
            self.requires_grad or (isinstance(other, Tensor) and other.requires_grad)
        ):
            return function(self, other)  # type: ignore[no-any-return]
        given = on(self.device, _raw(other))
        if isinstance(given, (list, tuple)):
            given = _array(given, None, self.device)
        xp = backend.of((self.data,))
        place = backend.writable(self.data)
        try:
            xp.copyto(place, function(self.data, given), casting="same_kind")
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ShapeError
            raise kind(no_place(self.data, given, error)) from None
        self.modified()
        return self

    def __iadd__(self, other: Value) -> Tensor:
        return self._in_place(lambda a, b: a + b, other)

    def __isub__(self, other: Value) -> Tensor:
        return self._in_place(lambda a, b: a - b, other)

    def __imul__(self, other: Value) -> Tensor:
        return self._in_place(lambda a, b: a * b, other)

    def __itruediv__(self, other: Value) -> Tensor:
        return self._in_place(lambda a, b: a / b, other)

    if TYPE_CHECKING:  # given their bodies by minigrad.ops and minigrad.autograd, one floor up

        def __getattr__(self, name: str) -> Any: ...
        def __array_ufunc__(self, *arguments: Any, **keywords: Any) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __add__(self, other: Value) -> Tensor: ...
        def __neg__(self) -> Tensor: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = __add__


def _raw(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _array(data: Any, dtype: DType, device: Device | None) -> Array:
    """Return `data` as an array: of its own dtype if it has one, else float32, int64 or bool."""
    if isinstance(data, Tensor):
        data = data.data
    elif not backend.is_array(data) and hasattr(data, "__cuda_array_interface__"):
        data = backend.get("cuda").adopted(data)
    where = backend.canonical(
        device or (backend.device_of(data) if backend.is_array(data) else "cpu")
    )
    xp = backend.get(where)
    if not backend.is_array(data):
        host = backend.cpu
        given = data
        typed = hasattr(data, "__array__") or hasattr(data, "__array_interface__")
        try:
            if isinstance(data, (list, tuple)):
                data = _untensor(data)
            data = host.array(host.asarray(data) if typed else data)
        except (ValueError, RecursionError) as error:
            raise ShapeError(misshapen(error)) from None
        wanted = data.dtype if dtype is None or typed else legal_dtype(dtype)
        check_range(data, wanted)
        check_numbers(data, given)
        if data.dtype == "float64" and not typed and dtype is None:
            data = data.astype("float32")
        data = xp.from_host(native(data), where)
    else:
        check_numbers(data, data)
        data = backend.moved(native(data), where)
    return data if dtype is None else data.astype(legal_dtype(dtype), copy=False)


def _untensor(data: Any) -> Any:
    if isinstance(data, (list, tuple)):
        return [_untensor(item) for item in data]
    return data.numpy() if isinstance(data, Tensor) else data


def tensor(
    data: Any, requires_grad: bool = False, dtype: DType = None, device: Device | None = None
) -> Tensor:
    """Return a tensor that holds a copy of `data`.

    `data` is a number, a nested list, an array or a tensor; any library's array on a GPU, if it has
    a ``__cuda_array_interface__``, stays on its device. An array keeps its dtype; Python floats
    become float32, integers int64. `device` is ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …

    Raises ShapeError for ragged lists, TypeError for data that is not real numbers or for an
    integer dtype with `requires_grad`, OverflowError for Python's numbers that an integer dtype
    does not hold, DeviceError for a device that is not there.
    """
    array = _array(data, dtype, device)
    source = _raw(data)
    foreign = not backend.is_array(source) and hasattr(source, "__cuda_array_interface__")
    if foreign or (backend.is_array(source) and (array is source or array.base is not None)):
        array = array.copy(order="K")  # the layout in memory stays what it was
    return Tensor.of(array).requires_grad_(requires_grad)
