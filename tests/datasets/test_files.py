"""IDX files, and the downloads that bring them: right or one clear error, never half."""

import gzip
import hashlib
import http.server
import socket
import struct
import threading

import numpy as np
import pytest

from minigrad import datasets
from minigrad.datasets import DatasetError, images, read_idx
from minigrad.datasets.download import fetch

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def idx(array, code=0x08):
    lengths = struct.pack(f">{array.ndim}I", *array.shape)
    return (
        bytes([0, 0, code, array.ndim])
        + lengths
        + array.astype(np.dtype(DTYPES[code]).newbyteorder(">")).tobytes()
    )


def pictures(n=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 28, 28))


PAIRS = {
    "train-images-idx3-ubyte": idx(pictures()),
    "train-labels-idx1-ubyte": idx(np.arange(6)),
    "t10k-images-idx3-ubyte": idx(pictures(4, 1)),
    "t10k-labels-idx1-ubyte": idx(np.arange(4)),
}


def fill(folder, rename=lambda name: name, pack=lambda data: data):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in PAIRS.items():
        (folder / rename(name)).write_bytes(pack(data))


@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 3)])
def test_read_idx(tmp_path, code, pack, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(DTYPES[code])
    (tmp_path / "data").write_bytes(pack(idx(array, code)))
    read = read_idx(tmp_path / "data")
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert read.dtype.isnative


GOOD = idx(pictures(2))
DAMAGED = {
    "empty": (b"", "missing"),
    "short": (GOOD[:3], "first four bytes are 00 00 08"),
    "magic": (b"\1" + GOOD[1:], "an IDX file begins with"),
    "type": (b"\0\0\x0a\3" + GOOD[4:], "an IDX file begins with"),
    "no axes": (b"\0\0\x08\0" + GOOD[4:], "an IDX file begins with"),
    "text": (b"<html>404</html>", "an IDX file begins with"),
    "lengths": (GOOD[:9], "cut off within the lengths"),
    "cut off": (GOOD[:-1], r"cut off: 1567 bytes of data, and the shape \(2, 28, 28\) needs 1568"),
    "huge": (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "cut off: 1568 bytes"),
    "surplus": (GOOD + b"\0", "1569 bytes of data, more than the 1568"),
    "gzip cut off": (gzip.compress(GOOD)[:-10], "gzip data are cut off or damaged"),
    "gzip garbage": (b"\x1f\x8b" + b"\0" * 30, "gzip data are cut off or damaged"),
    "gzip checksum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "gzip data are cut off or damaged"),
    "gzip of a cut-off file": (gzip.compress(GOOD[:-1]), "cut off: 1567"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_idx(tmp_path, damage):
    data, match = DAMAGED[damage]
    (tmp_path / "broken").write_bytes(data)
    with pytest.raises(DatasetError, match=match) as error:
        read_idx(tmp_path / "broken")
    assert str(tmp_path / "broken") in str(error.value)


def test_missing_idx(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: cannot be read \(No such file"):
        read_idx(tmp_path / "nowhere")


NAMES = {
    "plain": lambda name: name,
    "dotted": lambda name: name.replace("-idx", ".idx"),
    "gzip": lambda name: name + ".gz",
    "dotted gzip": lambda name: name.replace("-idx", ".idx") + ".gz",
}


@pytest.mark.parametrize("naming", NAMES)
@pytest.mark.parametrize("folder", ["", "mnist"])
def test_mnist_from_files(tmp_path, naming, folder):
    fill(tmp_path / folder, NAMES[naming], gzip.compress if "gzip" in naming else bytes)
    train, test = datasets.mnist(tmp_path)
    np.testing.assert_array_equal(train.images, (pictures() / 255).astype(np.float32))
    np.testing.assert_array_equal(test.y, range(4))
    assert (train.name, train.image_shape, len(test.classes)) == ("mnist", (28, 28), 10)


MISFITS = {
    "t10k-labels-idx1-ubyte": [
        (None, "no file t10k-labels-idx1-ubyte.gz .or t10k-labels-idx1-ubyte. in .*--download"),
        (idx(np.arange(5)), "4 images and .* 5 labels"),
        (idx(np.arange(4) + 7), "a label 10; legal are 0 to 9"),
        (idx(pictures(4)), "3 axes of uint8; labels are 1 axes of uint8"),
    ],
    "train-images-idx3-ubyte": [
        (idx(np.arange(6)), "1 axes of uint8; images are 3 axes of uint8"),
        (idx(pictures(), 0x0C), "3 axes of int32; images are"),
        (idx(pictures(0)), "0 images"),
    ],
}


@pytest.mark.parametrize(
    ("name", "data", "match"), [(name, *row) for name, rows in MISFITS.items() for row in rows]
)
def test_files_that_do_not_fit(tmp_path, name, data, match):
    fill(tmp_path)
    (tmp_path / name).unlink()
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError, match=match) as error:
        datasets.fashion_mnist(tmp_path)
    assert name in str(error.value)


def test_the_cache_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DatasetError, match="minigrad/mnist"):
        datasets.load("mnist")
    fill(tmp_path / "minigrad" / "mnist")
    assert len(datasets.load("mnist")[0]) == 6


# Downloads ---------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves PAIRS, gzipped, under /good/; under /cut/ and /unsized/ the first half of them."""

    def do_GET(self):
        _, folder, name = self.path.split("/")
        data = gzip.compress(PAIRS.get(name.removesuffix(".gz"), b""), mtime=0)
        if folder not in ("good", "cut", "unsized"):
            self.send_error(404)
            return
        self.send_response(200)
        if folder != "unsized":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if folder == "good" else data[: len(data) // 2])

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def closed():
    """An address on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    return f"http://127.0.0.1:{port}"


NAME = "train-images-idx3-ubyte.gz"
RIGHT = hashlib.sha256(gzip.compress(PAIRS[NAME[:-3]], mtime=0)).hexdigest()


def test_the_right_file(server, tmp_path):
    fetch(tmp_path / "new" / NAME, RIGHT, [server + "/good/"], timeout=5)
    np.testing.assert_array_equal(read_idx(tmp_path / "new" / NAME), pictures())
    assert [path.name for path in (tmp_path / "new").iterdir()] == [NAME]


FAILURES = {
    "wrong checksum": ("/good", "0" * 64, f"wrong checksum, SHA-256 {RIGHT} instead of 000"),
    "cut off": ("/cut", RIGHT, "cut off after [0-9]+ of [0-9]+ bytes"),
    "cut off without a length": ("/unsized", RIGHT, "wrong checksum"),
    "not there": ("/lost", RIGHT, "HTTP status 404"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_download_leaves_nothing(server, tmp_path, failure):
    folder, sha256, match = FAILURES[failure]
    with pytest.raises(DatasetError, match=match) as error:
        fetch(tmp_path / NAME, sha256, [server + folder], timeout=5)
    assert str(error.value).count("\n") == 0
    assert f"{server}{folder}/{NAME}" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_network(closed, tmp_path):
    with pytest.raises(DatasetError, match=r"no connection, .*refused"):
        fetch(tmp_path / NAME, RIGHT, [closed], timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_leaves_the_old_file(server, tmp_path):
    (tmp_path / NAME).write_bytes(b"old")
    with pytest.raises(DatasetError):
        fetch(tmp_path / NAME, "0" * 64, [server + "/good"], timeout=5)
    assert (tmp_path / NAME).read_bytes() == b"old"


def test_the_next_mirror_is_tried(server, closed, tmp_path):
    fetch(tmp_path / NAME, RIGHT, [closed, server + "/lost", server + "/good"], timeout=5)
    with pytest.raises(DatasetError, match=r"no connection.*; .*404.*; .*cut off"):
        fetch(tmp_path / NAME, RIGHT, [closed, server + "/lost", server + "/cut"], timeout=5)


def test_a_bad_address_and_a_bad_folder(tmp_path):
    with pytest.raises(DatasetError, match="unknown url type"):
        fetch(tmp_path / NAME, RIGHT, ["nonsense"])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="cannot be made"):
        fetch(tmp_path / "file" / "below" / NAME, RIGHT, [])


def test_mnist_downloads_what_is_missing(server, tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match="wrong checksum"):  # these are not the originals
        datasets.mnist(tmp_path, download=True, mirrors=[server + "/good"])
    sums = {
        name.rsplit("-", 2)[0]: hashlib.sha256(gzip.compress(data, mtime=0)).hexdigest()
        for name, data in PAIRS.items()
    }
    assert sums.keys() == images._SOURCES["mnist"]["sha256"].keys()
    monkeypatch.setitem(images._SOURCES["mnist"], "sha256", sums)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(6, 9)))
    train, test = datasets.mnist(tmp_path, download=True, mirrors=[server + "/good"])
    np.testing.assert_array_equal(test.images, (pictures(4, 1) / 255).astype(np.float32))
    assert train.y.tolist() == [9] * 6  # the file that was there is kept
    assert len(list(tmp_path.iterdir())) == 4
    datasets.mnist(tmp_path)
