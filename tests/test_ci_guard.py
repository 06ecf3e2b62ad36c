"""conftest.py: where CI is set, a skipped test is a failed one, and the reason is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
PASSES = "def test_passes():\n    assert True\n"
SKIPS = {
    "a mark": "import pytest\n\n@pytest.mark.skip(reason='no such engine')\ndef test_skips():\n    assert True\n",
    "a condition": (
        "import pytest\n\npytestmark = pytest.mark.skipif(True, reason='no such engine')\n\n"
        "def test_skips():\n    assert True\n"
    ),
    "a call": "import pytest\n\ndef test_skips():\n    pytest.skip('no such engine')\n",
    "a fixture": (
        "import pytest\n\n@pytest.fixture\ndef engine():\n    pytest.skip('no such engine')\n\n"
        "def test_skips(engine):\n    assert True\n"
    ),
    "a missing import": (
        "import pytest\n\nengine = pytest.importorskip('no_such_engine', reason='no such engine')\n\n"
        "def test_skips():\n    assert True\n"
    ),
}


def pytest_in(folder, *options, ci):
    """Run pytest in `folder`, with nothing of the pytest that runs this test, and no plugin that isn't named."""
    shutil.copy(ROOT / "conftest.py", folder)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_") and k not in ("CI", "BUILD_NUMBER")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}", *options]
    env = inherited | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({"CI": "1"} if ci else {})
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("source", SKIPS.values(), ids=SKIPS)
def test_a_skip_is_a_failure_in_ci(tmp_path, source):
    (tmp_path / "test_passes.py").write_text(PASSES)
    (tmp_path / "test_skips.py").write_text(source)
    in_ci = pytest_in(tmp_path, ci=True)
    assert in_ci.returncode != 0, in_ci.stdout
    assert "no such engine" in in_ci.stdout and "skipped in CI" in in_ci.stdout


def test_a_skip_is_a_skip_at_home(tmp_path):
    (tmp_path / "test_passes.py").write_text(PASSES)
    for number, source in enumerate(SKIPS.values()):
        (tmp_path / f"test_skips_{number}.py").write_text(source)
    at_home = pytest_in(tmp_path, "-rs", ci=False)
    assert at_home.returncode == 0, at_home.stdout + at_home.stderr
    assert f"1 passed, {len(SKIPS)} skipped" in at_home.stdout and "no such engine" in at_home.stdout


def test_without_a_skip_ci_is_content(tmp_path):
    (tmp_path / "test_passes.py").write_text(PASSES)
    in_ci = pytest_in(tmp_path, ci=True)
    assert in_ci.returncode == 0 and "1 passed" in in_ci.stdout


def test_a_failure_stays_a_failure(tmp_path):
    (tmp_path / "test_fails.py").write_text("def test_fails():\n    assert 2 + 2 == 5, 'wrong sum'\n")
    for ci in (False, True):
        run = pytest_in(tmp_path, ci=ci)
        assert run.returncode == 1 and "wrong sum" in run.stdout and "skipped in CI" not in run.stdout


def test_a_skipped_notebook_cell_is_a_failure_in_ci_only(tmp_path):
    cells = [nbformat.v4.new_code_cell("assert False", id="skipped"), nbformat.v4.new_code_cell("one = 1", id="run")]
    cells[0].metadata.tags = ["nbval-skip"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "lesson.ipynb")
    options = ("-p", "nbval.plugin", "--nbval", "--nbval-current-env", "-rs")
    at_home = pytest_in(tmp_path, *options, ci=False)
    assert at_home.returncode == 0, at_home.stdout + at_home.stderr
    assert "1 passed, 1 skipped" in at_home.stdout
    in_ci = pytest_in(tmp_path, *options, ci=True)
    assert in_ci.returncode == 1 and "1 failed, 1 passed" in in_ci.stdout
    assert "skipped in CI" in in_ci.stdout and "lesson.ipynb::Cell 0" in in_ci.stdout
