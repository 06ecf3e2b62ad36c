"""In CI nothing may be skipped: a skip there is a failure that names its reason."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("workbook", deadline=None)  # a slow machine is no failure
hypothesis.settings.load_profile("workbook")

if "PYTEST_XDIST_WORKER" in os.environ:  # one process per processor: more threads would only wait for each other
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def _refuse_a_skip(report) -> None:
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    _refuse_a_skip((yield).get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    _refuse_a_skip((yield).get_result())
