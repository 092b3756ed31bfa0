"""Which array library computes: devices, and the backend module of an array.

Floor 0. `numpy.py` and `cupy.py` beside this file are the only files of the package that import an
array library. They have the same names; what both libraries spell alike passes through to the
library itself, so ``xp.exp`` is NumPy's or CuPy's. Nothing here knows of tensors.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, TypeVar, cast

from minigrad.backend import numpy as cpu
from minigrad.backend import settings

Array = Any  # an array of either library; the two share no base class
Device = str  # "cpu", "cuda:0", "cuda:1", …
Function = TypeVar("Function", bound=Callable[..., Any])

_cuda: ModuleType | None = None
several = False  # whether there is more than one GPU, so that who computes must look where


# What nvidia-smi prints above its table is the newest CUDA that the driver serves.
INSTALL = 'pip install "cupy-cuda13x[ctk]" (or "cupy-cuda12x[ctk]", where nvidia-smi says CUDA 12)'


class DeviceError(RuntimeError):
    """A device that is not there, or operands that live on two devices."""


def canonical(device: Device | None) -> Device:
    """Return the full name of a device: ``None`` is ``"cpu"``, ``"cuda"`` is ``"cuda:0"``.

    Raises DeviceError for a name that is no device's.
    """
    if device is None:
        return "cpu"
    if isinstance(device, str):
        if device in ("cpu", "cuda"):
            return "cpu" if device == "cpu" else "cuda:0"
        if device.startswith("cuda:") and device[5:].isdecimal():
            return device
    raise DeviceError(
        f'no device {device!r}; the devices are "cpu", "cuda" and "cuda:0", "cuda:1", …'
    )


def get(device: Device | None) -> ModuleType:
    """Return the backend module that serves `device`, ready to make arrays there.

    CuPy is imported on the first use of it. The device becomes the one on which CuPy computes.

    Raises DeviceError if CuPy, the driver or the device is missing.
    """
    name = canonical(device)
    if name == "cpu":
        return cpu
    module = _second()
    module.use(name)
    return module


def _second() -> ModuleType:
    """Return CuPy's backend module, imported when it is first asked for."""
    global _cuda, several
    if _cuda is None:
        _cuda = _imported()
        several = _cuda.several
    return _cuda


def _imported() -> ModuleType:
    """Return CuPy's backend module, or raise DeviceError with what to install."""
    try:
        module = importlib.import_module("minigrad.backend.cupy")
    except ImportError as error:
        if error.name == "cupy":
            raise DeviceError(
                f'device "cuda" needs CuPy: {INSTALL}; device "cpu" needs nothing'
            ) from None
        raise DeviceError(
            f'device "cuda" cannot be used: CuPy is installed, but cannot be imported '
            f"({first_line(error)}); install it anew: {INSTALL}"
        ) from None
    missing = module.unavailable()
    if missing:
        raise DeviceError(f'device "cuda" cannot be used: {missing}; or use device="cpu"')
    if "tf32" in settings.chosen:
        module.allow_tf32(settings.values["tf32"])
    return module


def switched() -> None:
    """Tell CuPy of a switch that was turned, if CuPy is in use."""
    if _cuda is not None and "tf32" in settings.chosen:
        _cuda.allow_tf32(settings.values["tf32"])


def empty_cache() -> None:
    """Free the memory that is kept for the next arrays and that none uses now, on every device.

    On the CPU large results of matrix products are made in the memory of earlier ones that nobody
    holds any more, 256 MiB of it at most; on a GPU CuPy keeps what was freed. Nothing that is in
    use changes, and the next large arrays take as long as the first ones did.
    """
    cpu.empty_cache()
    if _cuda is not None:
        _cuda.empty_cache()


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def of(values: Any) -> ModuleType:
    """Return the backend of the first array of the second library among `values`, else NumPy's.

    With several GPUs, the one where the arrays are becomes that on which CuPy computes; DeviceError
    if they are on two.
    """
    if _cuda is not None:
        for value in values:
            if isinstance(value, _cuda.Array):
                if _cuda.several:
                    _cuda.follow(values)
                return _cuda
    return cpu


def device_of(array: Array) -> Device:
    """Return the canonical name of the device that holds `array`."""
    return "cpu" if isinstance(array, cpu.Array) else of((array,)).device_of(array)


def device_of_operator(value: Any) -> Device:
    """Return the device on which another library's operator computes.

    It is known by the library of its class, or of one that this inherits from: CuPy's own compute
    on the device that is the current one.
    """
    libraries = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    return "cpu" if libraries.isdisjoint(("cupy", "cupyx")) else _second().current()


def owner(array: Array) -> Array:
    """Return the array whose memory this one looks at: itself, unless it is a view of another.

    What another library lent (bytes, a capsule of DLPack's) is no array, and its first view is it.
    """
    base: Any = getattr(array, "base", None)
    while base is not None and is_array(base):
        array, base = base, base.base
    return array


def writable(array: Array) -> Array:
    """Return an array that may be written to; raise ValueError for memory that may not."""
    if isinstance(array, cpu.Array) and not array.flags.writeable:
        raise ValueError(
            "the memory is read-only: it came from a library whose arrays never change, as JAX's, "
            "or was broadcast; change a copy, x.clone()"
        )
    return array


def claim(array: Array, owners: set[int]) -> bool:
    """Add an array's memory to that of the `owners` (by identity), and return whether it was free.

    It is the array's own to write to only if every element has its place there, and nobody else.
    Nothing is added for one that was broadcast, looks at a part of some memory, or at an owner's.
    """
    base = owner(array)
    if id(base) in owners:
        return False
    if base is not array:
        if 0 in array.strides or base.nbytes > array.nbytes + 64:
            return False  # 64 bytes may have gone to where the first is
        if not getattr(array.flags, "writeable", True):  # broadcast to the shape it had
            return False
    owners.add(id(base))
    return True


def apart(array: Array, owners: set[int]) -> Array:
    """Return an array in memory of its own: itself, if it can `claim` that, or a copy."""
    if claim(array, owners):
        return array
    array = copied(array)
    owners.add(id(owner(array)))
    return array


def copied(array: Array) -> Array:
    """Return a row-major copy of an array."""
    return of((array,)).copied(array)


def explained(error: Exception) -> Exception:
    """Return an error of CUDA's as a DeviceError that says what to do, any other as it is."""
    told = _cuda is None or isinstance(error, DeviceError)
    text = "" if told else cast(ModuleType, _cuda).advice(error)
    return DeviceError(text) if text else error


def explaining(function: Function) -> Function:
    """Return a function that says what to do where CUDA fails: a GPU without memory, mostly."""

    @functools.wraps(function)
    def told(*arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except (MemoryError, RuntimeError) as error:  # most of CUDA's are of the second kind
            known = explained(error)
            if known is error:
                raise
            raise known from None

    return cast(Function, told)


@explaining
def moved(array: Array, device: Device) -> Array:
    """Return an array on a device: itself if it is there."""
    where = canonical(device)
    if device_of(array) == where:
        return array
    if where != "cpu" and not isinstance(array, cpu.Array):
        return get(where).from_device(array, where)
    return get(where).from_host(of((array,)).to_host(array), where)


def streamed(batches: Iterable[tuple[Array, ...]], device: Device) -> Iterator[tuple[Array, ...]]:
    """Yield tuples of arrays on another device; to a GPU, one is copied ahead of its use."""
    where = canonical(device)
    if where != "cpu":
        try:
            yield from get(where).streamed(batches, where)
        except (MemoryError, RuntimeError) as error:
            known = explained(error)
            if known is error:
                raise
            raise known from None
        return
    for arrays in batches:
        yield tuple(moved(array, where) for array in arrays)


def beside(array: Array, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the parts of an index with those that are arrays on the device of `array`."""
    if isinstance(array, cpu.Array):
        return index
    device = device_of(array)
    return tuple(moved(part, device) if is_array(part) else part for part in index)


def is_array(value: Any) -> bool:
    """Say whether `value` is an array of a library in use."""
    return isinstance(value, cpu.Array) or (_cuda is not None and isinstance(value, _cuda.Array))
