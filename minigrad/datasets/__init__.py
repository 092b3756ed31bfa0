"""Data to train on: what ships inside, IDX files, small problems in the plane, and batches of them.

Floor 4; not imported by ``import minigrad``: ``from minigrad import datasets``.
"""

from typing import TYPE_CHECKING

from minigrad import elsewhere
from minigrad.datasets.catalogue import NAMES, load
from minigrad.datasets.dataset import Dataset, DatasetError, Loader
from minigrad.datasets.idx import read_idx
from minigrad.datasets.images import digits, fashion_mnist, mnist
from minigrad.datasets.synthetic import blobs, checkerboard, circles, moons, spirals, xor

__all__ = [
    "NAMES", "Dataset", "DatasetError", "Loader", "blobs", "checkerboard", "circles", "digits",
    "fashion_mnist", "load", "mnist", "moons", "read_idx", "spirals", "xor",
]  # fmt: skip

if not TYPE_CHECKING:  # else every name would be one to a checker of types
    __getattr__ = elsewhere.missing(__name__)
