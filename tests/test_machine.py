"""The machine below the arrays: `tune`, in processes of its own, as it changes a whole one."""

import json
import math
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad.machine import allocator
from minigrad.machine.allocator import starting_thresholds
from minigrad.machine.openblas import openblas

ROOT = Path(__file__).parents[1]
GLIBC = platform.libc_ver()[0] == "glibc"
only_glibc = pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")

FAULTS = """
import json, resource
import numpy as np
import minigrad as mg

def faults(size):
    x = np.ones(size >> 2, np.float32)
    for step in range(15):
        if step == 5:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        y = x + x
        z = y * x
        del y, z
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

sizes = [2 << 20, 40 << 20]  # below and above the most that glibc's threshold may be
untuned = [faults(size) for size in sizes]
records = [mg.tune().allocator for _ in range(2)]
print(json.dumps([untuned, [faults(size) for size in sizes], [str(r) for r in records]]))
"""


def child(code, **environment):
    """Run code in a process of its own; return what it printed."""
    set_here = ("MALLOC_", "OPENBLAS_", "OMP_")
    unset = {key: value for key, value in os.environ.items() if not key.startswith(set_here)}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=unset | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@only_glibc
def test_after_tune_a_large_temporary_costs_no_page_fault():
    untuned, tuned, records = json.loads(child(FAULTS))
    page = resource.getpagesize()
    huge = 2 << 20  # NumPy asks for huge pages from 4 MiB on
    assert untuned[0] > (2 << 20) / page, "no fault to save: the test shows nothing"
    assert untuned[1] > 10 * (40 << 20) / huge
    assert max(tuned) < 10
    first = "blocks mapped from 128 KiB → never, memory given back from 128 KiB → never"
    assert first in records[0]
    assert records[1].endswith("blocks mapped from never, memory given back from never")


def test_importing_the_library_does_not_tune():
    code = "import minigrad; from minigrad.machine import allocator, spinning;"
    code += "print(allocator._kept, spinning._shortened)"
    assert child(code) == "False False\n"


@only_glibc
def test_another_allocator_is_left_alone(tmp_path):
    """A library that takes malloc's place, as jemalloc does where it is preloaded."""
    (tmp_path / "other.c").write_text(
        "#include <stddef.h>\nextern void *__libc_malloc(size_t);\n"
        "void *malloc(size_t size) { return __libc_malloc(size); }\n"
    )
    library = tmp_path / "other.so"
    build = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "other.c")]
    try:
        subprocess.run(build, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no C compiler")
    code = "import minigrad as mg; t = mg.tune().allocator; print(t.applied, t.mapped_from, t)"
    out = child(code, LD_PRELOAD=str(library))
    assert out.startswith("False None glibc")
    assert "another allocator took malloc's place" in out


def test_where_there_is_no_glibc_nothing_is_done(monkeypatch):
    """What musl's confstr answers, and macOS's and Windows' os module."""

    def unknown(name):
        raise ValueError("unrecognized configuration name")

    for answer in (unknown, lambda name: None):
        monkeypatch.setattr(os, "confstr", answer, raising=False)
        result = allocator.keep()
        assert (result.applied, result.mapped_from, result.trimmed_from) == (False, None, None)
        assert str(result) == "not glibc: nothing to tune"
    monkeypatch.delattr(os, "confstr")
    assert not allocator.keep().applied


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (131072, 131072)),
        ({"MALLOC_MMAP_THRESHOLD_": "1000000"}, (1000000, 131072)),
        ({"MALLOC_TRIM_THRESHOLD_": "-1"}, (131072, math.inf)),
        ({"MALLOC_MMAP_MAX_": "0"}, (math.inf, 131072)),
        ({"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=0x100000:x=y"}, (1048576, 131072)),
        ({"MALLOC_MMAP_THRESHOLD_": "much", "GLIBC_TUNABLES": "::="}, (131072, 131072)),
    ],
)
def test_the_thresholds_that_a_process_starts_with(environment, expected):
    assert starting_thresholds(environment) == expected


# OpenBLAS itself is asked what it does, and the kernel how many threads there are.
SPINNING = """
import ctypes, os, threading
import numpy as np
import minigrad as mg
from minigrad.machine.openblas import openblas
library = openblas()
loaded = ctypes.CDLL(library.path)
a = np.random.default_rng(0).random((300, 300))
before = a @ a
def threads():
    return len(os.listdir("/proc/self/task"))
"""
only_own_threads = pytest.mark.skipif(
    sys.platform != "linux" or not getattr(openblas(), "own_threads", False),
    reason="needs Linux and an OpenBLAS with threads of its own",
)
only_told = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) >= "2.5.0",
    reason="the OpenBLAS of NumPy 2.5 cannot be told once it is loaded",
)


@only_own_threads
@only_told
def test_after_tune_the_threads_of_openblas_spin_for_less_and_multiply_as_before():
    code = f"""{SPINNING}
said = [loaded.openblas_thread_timeout(), threads()]
for _ in range(2):
    print(mg.tune().spinning)
    said += [loaded.openblas_thread_timeout(), threads()]
after = a @ a
print(said, (after == before).all(), threads(), "OPENBLAS_THREAD_TIMEOUT" in os.environ)
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
child = os.fork()
if not child:
    os._exit(int(not (a @ a == before).all()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (a @ a == before).all())
"""
    told, again, figures, forked = child(code, OPENBLAS_NUM_THREADS="2").splitlines()
    assert (told, again) == ("", "")
    assert figures == "[0, 2, 22, 1, 22, 1] True 2 False"
    assert forked == "0 True"


@only_own_threads
@pytest.mark.parametrize(
    ("variables", "thread", "reason"),
    [
        ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "", "OPENBLAS_THREAD_TIMEOUT is set"),
        ({"OPENBLAS_NUM_THREADS": "1"}, "", "OpenBLAS has one thread"),
        ({}, "threading.Thread(target=threading.Event().wait, daemon=True).start()",
         "other threads run"),
    ],
)  # fmt: skip
def test_where_the_threads_of_openblas_are_left_alone(variables, thread, reason):
    code = f"{SPINNING}\n{thread}\nthere = threads()\nprint(mg.tune())\nprint(threads() - there)"
    out = child(code, **{"OPENBLAS_NUM_THREADS": "2"} | variables).splitlines()
    assert out[-2:] == [f"OpenBLAS: threads spin as before ({reason})", "0"]


@only_own_threads
def test_an_openblas_that_hides_its_functions_is_left_alone():
    """Another library, which has them no more than the OpenBLAS of NumPy 2.5."""
    code = """
import os
from minigrad.machine import spinning
from minigrad.machine.openblas import OpenBLAS
spinning.openblas = lambda: OpenBLAS("libc.so.6", "Haswell", "", 2)
print(spinning.shorten(), "OPENBLAS_THREAD_TIMEOUT" in os.environ)
"""
    reason = "this OpenBLAS reads OPENBLAS_THREAD_TIMEOUT when it is loaded, and never again"
    assert child(code) == f"{reason} False\n"
