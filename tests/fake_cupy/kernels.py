"""RawKernel: minigrad's kernels, their text read line by line and computed by NumPy.

It understands the one form that `minigrad.fuse` writes, and holds the arguments of a call to the
types of the text, which CuPy does not: a wrong type there is memory read wrongly.
"""

import re

import numpy as np

from minigrad.backend import numpy as cpu
from tests.fake_cupy.account import counts
from tests.fake_cupy.arrays import inside, ndarray

TYPES = {"float": np.float32, "double": np.float64}


class RawKernel:
    """A kernel of one loop over its vectors."""

    def __init__(self, code, name, options=(), backend="nvrtc", **others):
        assert options == ("--fmad=false",)
        assert not others
        self.F = TYPES[re.search(r"typedef (\w+) F;", code)[1]]
        arguments = re.search(rf'extern "C" __global__ void {name}\((.*?)\)', code, re.DOTALL)[1]
        self.arguments = [argument.strip() for argument in arguments.split(",")]
        body = re.search(r"i \+= step\) \{\n(.*?)\n    \}", code, re.DOTALL)[1]
        self.lines = [line.strip().removesuffix(";") for line in body.splitlines()]

    def __call__(self, grid, block, arguments, **keywords):
        counts["launches"] += 1
        assert len(arguments) == len(self.arguments)
        assert 0 < grid[0] < 1 << 31
        assert block[0] <= 1024
        F, names = self.F, self._functions()
        for declared, x in zip(self.arguments, arguments, strict=True):
            kind, name = declared.rsplit(" ", 1)
            if kind.endswith("*"):
                assert isinstance(x, ndarray)
                x = inside(x)
                assert x.dtype == {"F": F, "H": np.float16}[kind.removeprefix("const ")[0]]
                assert x.flags.c_contiguous
                assert x.size == arguments[-1]
            else:
                assert type(x) is {"F": F, "long long": np.int64}[kind], (declared, type(x))
            names[name] = x
        constant = {d.rsplit(" ", 1)[1] for d in self.arguments if d.startswith("const")}
        with np.errstate(all="ignore"):
            for line in self.lines:
                target, expression = line.split(" = ", 1)
                value = eval(re.sub(r"\[i\]", "", expression), names)
                if target.endswith("[i]"):
                    assert target[:-3] not in constant
                    assert np.asarray(value).dtype == names[target[:-3]].dtype
                    names[target[:-3]][...] = value
                else:
                    kind, name = target.removeprefix("const ").split()
                    array = np.array(value)
                    assert array.dtype == (bool if kind == "bool" else F), line
                    names[name] = array

    def _functions(self):
        F = self.F
        same = ("sqrt", "exp", "expm1", "log", "log1p", "tanh", "floor", "fabs")
        return {
            "F": lambda x: np.asarray(x, F)[()],
            "select": lambda c, a, b: np.where(c, a, b),
            "pow": np.power,
            "erf": cpu.erf,
            "wide": lambda x: x.astype(np.float32),
            "half": lambda x: x.astype(np.float16),
            **{name: getattr(np, name) for name in same},
        }


class ByName:
    """A kernel that NumPy computes, by its name: the text is CUDA's and is not read here."""

    def __init__(self, name):
        self.run = KERNELS[name]

    def __call__(self, grid, block, arguments):
        counts["launches"] += 1
        self.run(*(inside(x) for x in arguments))


def _add_in_order(out, places, order, values, n):
    assert np.all(np.diff(places) >= 0)
    np.add.at(out.reshape(-1), places[:n], values.reshape(-1)[order[:n]])


KERNELS = {"add_in_order": _add_in_order}


def raw_kernel(code, name, options=(), backend="nvrtc"):
    return ByName(name) if name in KERNELS else RawKernel(code, name, options, backend)
