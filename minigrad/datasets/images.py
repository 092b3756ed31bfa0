"""Pictures: the digits that ship inside, MNIST and Fashion-MNIST from IDX files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from minigrad.backend import Array
from minigrad.datasets.dataset import Dataset, DatasetError
from minigrad.datasets.idx import read_idx

_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip

# Where the originals are, and their SHA-256.
_SOURCES: dict[str, dict[str, Any]] = {
    "mnist": {
        "classes": _DIGITS,
        "mirrors": [
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        "sha256": {
            "train-images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train-labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "t10k-images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "t10k-labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    },
    "fashion-mnist": {
        "classes": _FASHION,
        "mirrors": [
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        "sha256": {
            "train-images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train-labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "t10k-images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "t10k-labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    },
}


def digits() -> Dataset:
    """Return the UCI handwritten digits: 1,797 images of 8 × 8 pixels in [0, 1], ten classes.

    They ship inside the package. E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, 1998, doi:10.24432/C50P49, CC BY 4.0; the set that
    scikit-learn's ``load_digits`` returns.
    """
    folder = Path(__file__).parent / "files"
    images = folder / "digits-images-idx3-ubyte.gz"
    return _dataset(images, folder / "digits-labels-idx1-ubyte.gz", "digits", _DIGITS, 16)


def mnist(
    data_dir: str | Path | None = None, download: bool = False, mirrors: Sequence[str] | None = None
) -> tuple[Dataset, Dataset]:
    """Return MNIST's (train, test): images of 28 × 28 pixels in [0, 1], ten digits.

    Reads the four IDX files of `data_dir` (or of its subfolder ``mnist``), gzipped or not:
    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k``; a dot may
    stand before ``idx``. Without `data_dir` they are looked for in minigrad's cache folder. With
    `download`, files that are missing are fetched from `mirrors` (base URLs; the known ones by
    default) and checked by SHA-256. Any number of images is accepted.

    Raises DatasetError, naming the file, if one is missing, damaged or does not fit its pair.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE, 1998.
    """
    return _idx_dataset("mnist", data_dir, download, mirrors)


def fashion_mnist(
    data_dir: str | Path | None = None, download: bool = False, mirrors: Sequence[str] | None = None
) -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST's (train, test): 28 × 28 pixels in [0, 1], ten kinds of clothes.

    Files and arguments as for `mnist`; the subfolder is ``fashion-mnist``.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", arXiv:1708.07747, 2017.
    """
    return _idx_dataset("fashion-mnist", data_dir, download, mirrors)


def _idx_dataset(
    name: str, data_dir: str | Path | None, download: bool, mirrors: Sequence[str] | None
) -> tuple[Dataset, Dataset]:
    if data_dir is not None and not Path(data_dir).is_dir():
        if Path(data_dir).exists():
            raise DatasetError(f"{name}: data_dir {str(data_dir)!r} is a file; give its folder")
        if not download:
            raise DatasetError(
                f"{name}: there is no folder {str(data_dir)!r} to read from; give the folder of "
                "the IDX files as data_dir, or allow the download (download=True, --download)"
            )
    source = _SOURCES[name]
    parts = []
    for part in ("train", "t10k"):
        files = []
        for kind in ("images-idx3", "labels-idx1"):
            file = f"{part}-{kind}-ubyte.gz"
            path = _find(file, name, data_dir)
            if path is None and download:
                path = _folder(name, data_dir) / file
                from minigrad.datasets.download import fetch  # HTTP is slow to import

                fetch(path, source["sha256"][f"{part}-{kind[:6]}"], mirrors or source["mirrors"])
            if path is None:
                where = data_dir if data_dir is not None else _folder(name, None)
                raise DatasetError(
                    f"{name}: no file {file} (or {file[:-3]}) in {where}; give the folder that "
                    "holds it as data_dir, or allow the download (download=True, --download)"
                )
            files.append(path)
        parts.append(_dataset(files[0], files[1], name, source["classes"], 255))
    return parts[0], parts[1]


def _folder(name: str, data_dir: str | Path | None) -> Path:
    """Return where the files of a set belong."""
    if data_dir is not None:
        return Path(data_dir)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "minigrad" / name


def _find(file: str, name: str, data_dir: str | Path | None) -> Path | None:
    folder = _folder(name, data_dir)
    plain = file.removesuffix(".gz")
    dotted = plain.replace("-idx", ".idx")
    for place in (folder, folder / name):
        for candidate in (plain, file, dotted, dotted + ".gz"):
            if (place / candidate).is_file():
                return place / candidate
    return None


def _dataset(
    images: Path, labels: Path, name: str, classes: tuple[str, ...], scale: int
) -> Dataset:
    """Return the dataset of two IDX files whose greatest pixel value is `scale`."""
    x = _bytes(images, 3, "images")
    y = _bytes(labels, 1, "labels")
    if len(x) != len(y) or not len(x):
        raise DatasetError(
            f"{images} has {len(x)} images and {labels} {len(y)} labels; they must be as "
            "many, at least 1"
        )
    if int(y.max()) >= len(classes):
        raise DatasetError(f"{labels}: a label {y.max()}; legal are 0 to {len(classes) - 1}")
    pixels = x.reshape(len(x), -1).astype("float32")
    pixels /= scale
    return Dataset(pixels, y, classes, name, x.shape[1:])


def _bytes(path: Path, ndim: int, what: str) -> Array:
    array = read_idx(path)
    if array.dtype != "uint8" or array.ndim != ndim:
        raise DatasetError(
            f"{path}: {array.ndim} axes of {array.dtype}; {what} are {ndim} axes of uint8 (magic "
            f"number 00 00 08 {ndim:02})"
        )
    return array
