"""What all tests share: how hypothesis draws, and ``--no-skips``.

Hypothesis draws the same examples every time, and may take its time. A worker of pytest-xdist has
one core, so its products of matrices have one thread.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MINIGRAD_FAST", "0")  # tests/fuse turns Numba on, in a folder of its own
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when a test imports NumPy

settings.register_profile(
    "minigrad",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=10,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("minigrad")


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="fail what would be skipped")


def _fail_if_skipped(config, report):
    if config.getoption("--no-skips") and report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr if isinstance(report.longrepr, tuple) else [report.longrepr]
        report.outcome = "failed"
        report.longrepr = f"--no-skips: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    _fail_if_skipped(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _fail_if_skipped(collector.config, report)
    return report
