"""Download of one file, checked and all or nothing: in place whole, or not there at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from minigrad.datasets.dataset import DatasetError

_CHUNK = 1 << 16


def fetch(path: Path, sha256: str, bases: Sequence[str], timeout: float = 30.0) -> None:
    """Download ``base + path.name`` to `path` from the first base URL that delivers it right.

    The bytes go to a temporary file of the same folder, which takes the name only after its length
    and SHA-256 were found right. Raises DatasetError with every URL and what was wrong there; then
    nothing is left behind.
    """
    failures = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"{path.parent}: cannot be made ({error.strerror})") from None
    for base in bases:
        url = base.rstrip("/") + "/" + path.name
        try:
            _fetch(path, sha256, url, timeout)
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{url}: {_reason(error)}")
    raise DatasetError(
        f"{path.name} could not be downloaded ({'; '.join(failures)}); try again later, or put "
        f"the file into {path.parent} by hand"
    )


def _fetch(path: Path, sha256: str, url: str, timeout: float) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            found = _transfer(url, file, timeout)
            if found != sha256:
                raise ValueError(f"wrong checksum, SHA-256 {found} instead of {sha256}")
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _transfer(url: str, file: IO[bytes], timeout: float) -> str:
    """Copy what `url` answers into `file` and return its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    request = urllib.request.Request(url, headers={"User-Agent": "minigrad"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        expected = answer.headers.get("Content-Length")
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    if expected is not None and size != int(expected):
        raise ValueError(f"cut off after {size} of {expected} bytes")
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection, {error.reason}"
    return str(error) or type(error).__name__
