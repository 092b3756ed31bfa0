"""Every dataset by the name that the command line uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minigrad.datasets import images, synthetic
from minigrad.datasets.dataset import Dataset, DatasetError

_WHOLE: dict[str, Callable[[], Dataset]] = {
    "digits": images.digits,
    "blobs": synthetic.blobs,
    "spirals": synthetic.spirals,
    "moons": synthetic.moons,
    "circles": synthetic.circles,
    "xor": synthetic.xor,
    "checkerboard": synthetic.checkerboard,
}

_SPLIT: dict[str, Callable[..., tuple[Dataset, Dataset]]] = {
    "mnist": images.mnist,
    "fashion-mnist": images.fashion_mnist,
}

#: The data sets that `load` knows by name.
NAMES = (*_WHOLE, *_SPLIT)


def load(
    name: str,
    test: float = 0.2,
    seed: int = 0,
    data_dir: str | Path | None = None,
    download: bool = False,
) -> tuple[Dataset, Dataset]:
    """Return the (train, test) of a dataset by name.

    `test` and `seed` split those that come in one piece (see `Dataset.split`); `data_dir` and
    `download` are for those that are read from files (see `mnist`). Raises DatasetError.
    """
    if name in _SPLIT:
        return _SPLIT[name](data_dir, download)
    if name not in _WHOLE:
        raise DatasetError(f"no dataset {name!r}; there are {', '.join(NAMES)}")
    if data_dir is not None or download:
        raise DatasetError(
            f"{name} is not read from files; data_dir and download are for {' and '.join(_SPLIT)}"
        )
    return _WHOLE[name]().split(test, seed)
