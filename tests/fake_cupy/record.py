"""Write `names.json`: the names of the CuPy that is installed, and their parameters.

``python -m tests.fake_cupy.record``. No GPU is needed.
"""

import inspect
import json
import re
import warnings
from pathlib import Path

FILE = Path(__file__).with_name("names.json")


def objects():
    """Return the namespaces that the fake has, by their names."""
    import cupy
    import cupyx
    import cupyx.scipy.special

    return {
        "cupy": cupy,
        "cupy.cuda": cupy.cuda,
        "cupy.cuda.Device": cupy.cuda.Device,
        "cupy.cuda.Event": cupy.cuda.Event,
        "cupy.cuda.Stream": cupy.cuda.Stream,
        "cupy.cuda.runtime": cupy.cuda.runtime,
        "cupy.linalg": cupy.linalg,
        "cupy.ndarray": cupy.ndarray,
        "cupy.random": cupy.random,
        "cupy.random.Generator": cupy.random.Generator,
        "cupyx": cupyx,
        "cupyx.scipy.special": cupyx.scipy.special,
    }


def parameters(value):
    """Return the names of a function's parameters, from its signature or its docstring's line."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        found = inspect.signature(value).parameters.values()
        names = ["*" if p.kind in kinds else p.name for p in found]
        return [name for name in names if name != "self"]
    except (TypeError, ValueError):
        pass
    first = (value.__doc__ or "").partition("\n")[0].strip()
    match = re.match(r"[\w.]+\((.*?)\)(\s*->.*)?$", first)
    if match is None:
        return None
    names = [part.partition("=")[0].strip() for part in match[1].split(",")]
    names = ["*" if name.startswith("*") else name.split()[-1] for name in names if name]
    return [name for name in names if name not in ("self", "/")]


def described(namespace):
    """Return the public names, each with its parameters, "ufunc", or "value"."""
    import cupy

    result = {}
    for name in sorted(dir(namespace)):
        value = getattr(namespace, name, None)
        if name.startswith("_") or value is None or inspect.ismodule(value):
            continue
        if isinstance(value, cupy.ufunc):
            result[name] = "ufunc"
        elif callable(value) and not inspect.isclass(value):
            result[name] = parameters(value)
        else:
            result[name] = "value"
    return result


def recorded():
    """Return the names of the installed CuPy, by namespace, and its version."""
    import cupy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = {name: described(namespace) for name, namespace in objects().items()}
    return {"version": cupy.__version__, "names": names}


if __name__ == "__main__":
    FILE.write_text(json.dumps(recorded(), separators=(",", ":"), sort_keys=True) + "\n")
