"""Checkpoint files: everything that a run must remember, in one file, without pickle.

The file is safetensors: the arrays, and beside them, in the header's metadata, one JSON text for
all the rest. One file, because two could be torn apart by a kill between them. It is written
under another name, flushed to the disk, and renamed, which happens at once: whoever reads it
finds the whole old one or the whole new one.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from minigrad import backend, random
from minigrad.tensor import Tensor

_KEY = "minigrad"


class CheckpointError(ValueError):
    """A file that is no checkpoint, or does not fit what it is to be loaded into."""


def library() -> Any:
    """Return the safetensors library, or raise ImportError with what to install."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "checkpoints need the safetensors library: pip install safetensors, or minigrad[train]"
        ) from None
    return safetensors


def write_atomically(path: Path, data: bytes, durable: bool = True) -> None:
    """Put `data` into the file `path` so that it holds the old bytes or the new, at any moment.

    Unless it is to be `durable` it does not wait for the disk, so that a crash of the machine, but
    not a kill of the process, may lose the file.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # such as a full disk, which does not say of what file
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
    if durable and os.name == "posix":  # the new name must reach the disk too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save_tensors(path: str | Path, arrays: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write named arrays as a safetensors file, atomically."""
    xp = backend.get("cpu")
    host = {
        name: xp.ascontiguousarray(backend.of((a,)).to_host(a)).reshape(a.shape)
        for name, a in arrays.items()
    }
    write_atomically(Path(path), library().numpy.save(host, metadata=metadata))


def save_checkpoint(path: str | Path, **parts: Any) -> None:
    """Write a checkpoint of named parts, and of the state of `mg.random`, atomically.

    ``save_checkpoint(path, model=model, optimizer=optimizer, epoch=3)``: a part with a
    ``state_dict()`` is saved by it, any other as it is: numbers, strings, arrays, and dicts, lists
    and tuples of them. Raises TypeError for anything else, ImportError without safetensors.
    """
    state = {
        name: part.state_dict() if hasattr(part, "state_dict") else part
        for name, part in parts.items()
    }
    arrays: dict[str, Any] = {}
    tree = _packed({"random": random.save(), **state}, "", arrays)
    save_tensors(path, arrays, {_KEY: json.dumps(tree)})


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the parts of a checkpoint as plain data, with NumPy arrays.

    Raises CheckpointError, naming the file, if it is missing, damaged, or something else.
    """
    safetensors = library()
    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        unreadable = path.exists() and not os.access(path, os.R_OK)
        reason = error.strerror or ("Permission denied" if unreadable else "no such file")
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({reason})") from None
    except safetensors.SafetensorError:
        raise _damaged(path, "it is no safetensors file, or not a whole one") from None
    if _KEY not in metadata:
        raise CheckpointError(
            f"{path}: a safetensors file, but no checkpoint: its metadata lacks {_KEY!r}; "
            "weights alone are loaded with model.load_state_dict"
        )
    try:
        return dict(_unpacked(json.loads(metadata[_KEY]), arrays))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "its metadata is damaged") from error


def _damaged(path: str | Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: cannot be read as a checkpoint ({what}); start anew, or from another one"
    )


def resume(path: str | Path, **parts: Any) -> dict[str, Any]:
    """Load a checkpoint into objects, put `mg.random` back, and return the parts that remain.

    ``position = resume(path, model=model, optimizer=optimizer)``: every part named here must be in
    the file and is given it by its ``load_state_dict``. Raises CheckpointError if the file does not
    serve or a part does not fit.
    """
    state = load_checkpoint(path)
    for name, part in parts.items():
        if name not in state:
            raise CheckpointError(f"{path} has no {name!r}; it has {', '.join(state)}")
        try:
            part.load_state_dict(state.pop(name))
        except ValueError as error:
            raise CheckpointError(f"{path} does not fit this {name}: {error}") from error
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise _damaged(path, f"its {name!r} is damaged") from error
    try:
        random.load(state.pop("random"))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "its 'random' is damaged") from error
    return state


# Plain data as JSON and arrays -------------------------------------------------------------------


def _packed(value: Any, place: str, arrays: dict[str, Any]) -> Any:
    """Return `value` as JSON can hold it; its arrays go to `arrays`, named by their place."""
    if isinstance(value, Tensor):
        value = value.data
    if value is None or (
        isinstance(value, (bool, int, float, str)) and not hasattr(value, "dtype")
    ):
        return value
    if hasattr(value, "dtype"):
        arrays[place] = value if backend.is_array(value) else backend.get("cpu").asarray(value)
        return {"$array": place}
    if isinstance(value, (list, tuple)):
        items = [_packed(item, f"{place}/{i}", arrays) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        if all(isinstance(key, str) and key[:1] != "$" and "/" not in key for key in value):
            start = place + "/" if place else ""
            return {key: _packed(item, start + key, arrays) for key, item in value.items()}
        return {"$dict": _packed([[*pair] for pair in value.items()], place, arrays)}
    raise TypeError(
        f"{place} is a {type(value).__name__}; a checkpoint holds numbers, strings, arrays, and "
        "dicts, lists and tuples of them"
    )


def _unpacked(tree: Any, arrays: dict[str, Any]) -> Any:
    """Undo `_packed`."""
    if isinstance(tree, list):
        return [_unpacked(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$array" in tree:
        return arrays[tree["$array"]]
    if "$tuple" in tree:
        return tuple(_unpacked(item, arrays) for item in tree["$tuple"])
    if "$dict" in tree:
        return {_unpacked(key, arrays): _unpacked(item, arrays) for key, item in tree["$dict"]}
    return {key: _unpacked(item, arrays) for key, item in tree.items()}
