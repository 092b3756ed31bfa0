"""Dataset, inputs with their targets, and Loader, which cuts them into batches.

What is not here: where data comes from (`images.py`, `synthetic.py`, `idx.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from minigrad import backend, random
from minigrad.backend import Array, Device
from minigrad.backend.legal import native
from minigrad.legal import integer
from minigrad.tensor import Tensor, tensor


class DatasetError(ValueError):
    """Data that cannot be had or is not what it says: the file, what was found, what is legal."""


class Dataset:
    """Inputs and their targets, both whole in memory.

    - ``x``: array of n rows, float32 unless it is given as float64 (`single` makes that float32,
      as `training.fit` does for a model in float32);
    - ``y``: array of n targets, int64 class indices, or floating numbers as they are given;
    - ``classes``: the names of the classes; ``name``: the set's name;
    - ``image_shape``: the shape of a row as a picture, or None.

    Raises DatasetError if x and y differ in length, are empty or no numbers, or a class index has
    no class, DeviceError if they are on two devices.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        classes: Sequence[str] = (),
        name: str = "data",
        image_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.x = _plain(x, f"{name}: x")
        self.y = _plain(y, f"{name}: y")
        if self.x.dtype.kind != "f" or self.x.dtype.itemsize < 4:
            self.x = self.x.astype("float32")
        if self.y.dtype.kind != "f":
            self.y = self.y.astype("int64")
        self.classes = tuple(classes)
        self.name = name
        self.image_shape = image_shape
        if self.x.ndim < 1 or self.y.ndim < 1 or len(self.x) != len(self.y) or not len(self.x):
            raise DatasetError(
                f"{name}: x of shape {self.x.shape} and y of shape {self.y.shape}; they must have "
                "the same number of rows, at least 1"
            )
        places = self.device, backend.device_of(self.y)
        if places[0] != places[1]:
            raise backend.DeviceError(
                f"{name}: x is on {places[0]} and y on {places[1]}; give both from the host, and "
                f"move the dataset with .to({sorted(places)[-1]!r})"
            )
        if self.classes and self.y.dtype.kind == "i":
            low, high = int(self.y.min()), int(self.y.max())
            if low < 0 or high >= len(self.classes):
                raise DatasetError(
                    f"{name}: class indices from {low} to {high}, and {len(self.classes)} classes; "
                    f"legal are 0 to {len(self.classes) - 1}"
                )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        kinds = f", {len(self.classes)} classes" if self.classes else ""
        return f"<{self.name}: {len(self)} × {self.x.shape[1:]}{kinds}, {self.device}>"

    @property
    def images(self) -> Array:
        """The inputs as pictures, of shape (n, *image_shape)."""
        if self.image_shape is None:
            raise DatasetError(f"{self.name} holds no pictures; its rows are in x")
        return self.x.reshape(len(self), *self.image_shape)

    @property
    def device(self) -> Device:
        """Where the arrays live."""
        return backend.device_of(self.x)

    def to(self, device: Device) -> Dataset:
        """Return this dataset with its arrays on a device; this one, if they are there."""
        if backend.canonical(device) == self.device:
            return self
        return self._like(Tensor.of(self.x).to(device).data, Tensor.of(self.y).to(device).data)

    def single(self) -> Dataset:
        """Return this dataset with float32 in place of float64; this one, if it has none."""
        x, y = (a.astype("float32") if a.dtype == "float64" else a for a in (self.x, self.y))
        return self if x is self.x and y is self.y else self._like(x, y)

    def subset(self, index: Any) -> Dataset:
        """Return the rows that a slice, an array of integers or a mask selects."""
        return self._like(self.x[index], self.y[index])

    def _like(self, x: Array, y: Array) -> Dataset:
        return Dataset(x, y, self.classes, self.name, self.image_shape)

    def split(self, test: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Shuffle the rows by a seed and return (train, test), both copies.

        `test` is the share held out, 0 < test < 1 (rounded to whole rows), or a number of rows. The
        classes are not balanced: each row is as likely to be held out as any other. The same seed
        gives the same split whatever `manual_seed` says.
        """
        n = len(self)
        held = round(test * n) if isinstance(test, float) else test
        if not 0 < held < n or (isinstance(test, float) and not 0 < test < 1):
            raise DatasetError(
                f"{self.name}: test={test!r} holds out {held} of {n} rows; legal is a share "
                f"between 0 and 1 or a number of rows from 1 to {n - 1}, leaving rows on both sides"
            )
        order = _on(self.device, backend.cpu.generator(_seed(seed)).permutation(n))
        return self.subset(order[held:]), self.subset(order[:held])

    def loader(
        self,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        device: Device | None = None,
    ) -> Loader:
        """Return the batches of this dataset, see `Loader`."""
        return Loader(self, batch_size, shuffle, seed, drop_last, device)


class Loader:
    """The batches of a dataset: each iteration is one epoch of pairs of tensors (x, y).

    With `shuffle` the order of epoch e is a function of the seed and e alone, so any epoch can be
    had again, from any batch on: `batches(epoch, start)`. A seed of None is drawn from `mg.random`
    once, so that `manual_seed` decides it. Without `shuffle` the batches are views of the dataset:
    copy before changing them. `drop_last` leaves out a last batch that is not full.

    With a `device` other than the dataset's, the rows stay where they are, and each batch is copied
    while the one before it is computed with: for data that a GPU has no room for. Data that it has
    room for are faster there as a whole: ``dataset.to("cuda").loader(...)``.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        device: Device | None = None,
    ) -> None:
        batch_size = integer("batch_size", batch_size, error=DatasetError)
        if drop_last and batch_size > len(dataset):
            raise DatasetError(
                f"batch_size={batch_size} with drop_last leaves no batch of the {len(dataset)} rows"
            )
        if seed is None and shuffle:
            seed = int(random.generator().integers(2**63))
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed if seed is None else _seed(seed)
        self.drop_last = drop_last
        self.device = dataset.device if device is None else backend.canonical(device)
        self.epoch = 0

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Return the next epoch's batches."""
        self.epoch += 1
        return self.batches(self.epoch - 1)

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Return the batches of one epoch (counted from 0), from batch number `start` on."""
        arrays = self._rows(epoch, start)
        if self.device != self.dataset.device:
            arrays = backend.streamed(arrays, self.device)
        return ((Tensor.of(x), Tensor.of(y)) for x, y in arrays)

    def on(self, device: Device) -> Loader:
        """Return this loader with its batches on a device; this one, if they are there."""
        if backend.canonical(device) == self.device:
            return self
        other = copy.copy(self)
        other.device = backend.canonical(device)
        return other

    def single(self) -> Loader:
        """Return this loader with float32 in place of float64; this one, if it has none."""
        dataset = self.dataset.single()
        if dataset is self.dataset:
            return self
        other = copy.copy(self)
        other.dataset = dataset
        return other

    def _rows(self, epoch: int, start: int) -> Iterator[tuple[Array, Array]]:
        """Return the arrays of one epoch's batches, where the dataset is."""
        x, y = self.dataset.x, self.dataset.y
        order = None
        if self.shuffle:
            stream: Any = [self.seed, epoch]
            order = backend.cpu.generator(stream).permutation(len(x))
            order = _on(self.dataset.device, order)
        for first in range(start * self.batch_size, len(self) * self.batch_size, self.batch_size):
            rows = slice(first, first + self.batch_size)
            if order is None:
                yield x[rows], y[rows]
            else:
                backend.of((x,))  # who took the last batch may have computed on another device
                yield x.take(order[rows], 0), y.take(order[rows], 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the seed and the number of epochs begun."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a loader that returned `state` would."""
        self.seed = state["seed"]
        self.epoch = state["epoch"]


def _plain(values: Any, what: str) -> Array:
    """Return a tensor, an array or nested lists as an array of numbers."""
    if hasattr(values, "__cuda_array_interface__") and not backend.is_array(values):
        values = tensor(values)  # an array on a GPU, before CuPy is in use
    if isinstance(values, Tensor):
        values = values.data
    try:
        array = values if backend.is_array(values) else backend.cpu.asarray(values)
    except ValueError as error:
        raise DatasetError(f"{what} is ragged ({error}); its rows must be of one shape") from None
    if array.dtype.kind in "fiub":
        backend.of((array,))  # which makes its device the current one
        return native(array)
    try:
        if array.dtype.kind == "O":  # such as of a table with columns of several kinds
            array.astype("float32")
            return array
    except (TypeError, ValueError):
        pass
    advice = "names become class indices by names, y = numpy.unique(y, return_inverse=True)"
    raise DatasetError(f"{what} has the dtype {array.dtype}, not one of real numbers; {advice}")


def _on(device: Device, array: Array) -> Array:
    return backend.get(device).from_host(array, device)


def _seed(seed: Any) -> int:
    return integer("seed", seed, least=0, error=DatasetError)
