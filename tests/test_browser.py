"""The lessons as a class uses them: in JupyterLab, in Chromium, with the keyboard.

Debian's Chromium is used (`chromium` on the PATH): where it is missing these tests are skipped, except in CI, where a
skip is a failure (conftest.py).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest
from baseline import METADATA, NOTEBOOKS
from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = NOTEBOOKS.parent
CHROMIUM = shutil.which("chromium")
# The sandbox doesn't work as root; the rest keeps Chromium from looking for its maker's hosts.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
EXPLORERS = {"BitWidthExplorer": "num_bits", "StepExplorer": "relative", "ThresholdExplorer": "fraction"}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the PATH")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab that serves a copy of the notebooks, with settings of its own."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        "--IdentityProvider.token=",
        "--config=.jupyter/jupyter_lab_config.json",
        "--no-browser",
        "--allow-root",
    ]
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = os.environ | {place: str(folder / place) for place in places}
    command = [sys.executable, "-m", "jupyter", "lab", *options]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/api"), 60, lambda: (folder / "log").read_text())
        yield SimpleNamespace(address=f"http://127.0.0.1:{port}/lab", notebooks=folder / "notebooks")
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def lesson(lab, browser):
    """Lesson 03, all cells run."""
    page = open_page(browser)
    run_all(page, lab, "03_formulas.ipynb")
    return page


def test_run_all_reaches_the_end(lesson):
    assert_last_cell_ran(lesson, "03_formulas.ipynb")
    assert lesson.complaints == []


def test_training_shows_its_progress_and_lesson_04_reaches_the_end(lab, browser):
    page = open_page(browser)
    run_all(page, lab, "04_mnist.ipynb")
    assert_last_cell_ran(page, "04_mnist.ipynb")
    for _ in range(60):  # back to the training cell
        if page.get_by_text("batch 1875 of 1875").count():
            break
        page.locator(".jp-WindowedPanel-outer").first.evaluate("element => { element.scrollTop -= 400 }")
        page.wait_for_timeout(200)
    expect(page.get_by_text("batch 1875 of 1875: accuracy 0.9")).to_have_count(1)
    assert page.complaints == []
    page.close()


def test_no_popup_asks_for_anything(lesson):
    assert lesson.get_by_text("Jupyter news").count() == 0
    assert lesson.locator(".jp-Dialog").count() == 0


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_reaches_both_ends_by_keyboard(lesson, name):
    """At each end picture, alt text and spoken numbers are new, the handle says where it stands, and nothing failed."""
    panel = explorer(lesson, name)
    handles = panel.locator(".noUi-handle")
    assert handles.count() == {"BitWidthExplorer": 1, "StepExplorer": 2, "ThresholdExplorer": 2}[name]
    for handle in handles.all():
        for key, end in (("Home", "aria-valuemin"), ("End", "aria-valuemax"), ("PageDown", None)):
            before = shown(panel)
            handle.press(key)
            wait_until(lambda before=before: not set(shown(panel)) & set(before), 20, lambda: shown(panel)[1])
            assert end is None or float(handle.get_attribute("aria-valuenow")) == float(handle.get_attribute(end))
    assert panel.locator("[role=alert]").count() == 0
    assert lesson.complaints == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_choice_can_be_made(lesson, name):
    panel = explorer(lesson, name)
    for select in panel.locator("select").all():
        options = select.locator("option").all_text_contents()
        first = select.input_value()
        for option in [*(option for option in options if option != first), first]:
            before = shown(panel)
            select.select_option(option)
            wait_until(lambda before=before: shown(panel)[0] != before[0], 20)
            assert panel.locator("[role=alert]").count() == 0
    assert lesson.complaints == []


def test_an_error_is_shown_in_the_panel(lab, browser):
    """A tensor that can't be drawn: the panel says why, the old picture stays, and the next choice mends it."""
    page = open_page(browser)
    source = [
        "import numpy as np",
        "from qlib import widgets",
        "tensors = {'good': np.linspace(-1, 1, 99), 'broken': np.full(9, np.nan)}",
        "widgets.ThresholdExplorer(tensors)",
    ]
    cell = nbformat.v4.new_code_cell("\n".join(source), id="only")
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=METADATA)
    nbformat.write(notebook, lab.notebooks / "broken.ipynb")
    run_all(page, lab, "broken.ipynb")
    panel = page.locator(".jp-OutputArea-output .widget-vbox").first
    picture = panel.locator("img")
    picture.wait_for()
    before = picture.get_attribute("src")
    panel.locator("select").select_option("broken")
    expect(panel.locator("[role=alert]")).to_contain_text("expected no NaN, got 9 of 9 values")
    assert picture.get_attribute("src") == before
    panel.locator("select").select_option("good")
    expect(panel.locator("[role=alert]")).to_have_count(0)
    page.close()


def open_page(browser) -> Page:
    """A page that remembers what its console complains of."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints = []
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def assert_last_cell_ran(page: Page, name: str) -> None:
    stored = nbformat.read(NOTEBOOKS / name, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in stored.cells)
    bottom(page)
    expect(page.locator(".jp-InputPrompt", has_text=f"[{cells}]:")).to_be_visible()


def run_all(page: Page, lab: SimpleNamespace, name: str) -> None:
    """Open a notebook, choose Run All Cells in the menu, and wait for the kernel to come to rest."""
    page.goto(f"{lab.address}/workspaces/{name[:2]}/tree/{name}")  # a workspace of its own: no other tab is restored
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    idle = page.locator("#jp-main-statusbar", has_text="| Idle")
    waiting = page.locator(".jp-InputPrompt", has_text="[*]")
    quiet = 0
    for _ in range(600):
        page.wait_for_timeout(500)
        quiet = quiet + 1 if idle.count() and not waiting.count() else 0  # a kernel is idle for a moment between cells
        if quiet == 3:
            return
    raise AssertionError("the notebook was still running after 300 s")


def explorer(page: Page, name: str) -> Locator:
    """The live panel below the cell that makes this explorer. The notebook draws only what is near the screen."""
    notebook = page.locator(".jp-WindowedPanel-outer").first
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=f"widgets.{name}("))
    panel = cell.locator(".jp-OutputArea-output .widget-vbox").first
    notebook.evaluate("element => { element.scrollTop = 0 }")
    for _ in range(100):
        page.wait_for_timeout(200)
        if panel.locator("img").count() and panel.locator("img").is_visible():
            break
        notebook.evaluate("element => { element.scrollTop += element.clientHeight / 2 }")
    panel.scroll_into_view_if_needed()
    return panel


def bottom(page: Page) -> None:
    for _ in range(10):
        page.locator(".jp-WindowedPanel-outer").first.evaluate(
            "element => { element.scrollTop = element.scrollHeight }"
        )
        page.wait_for_timeout(200)


def shown(panel: Locator) -> tuple[str, str, str]:
    """What the panel shows: the picture's bytes, its alt text, the numbers in the live region."""
    picture = panel.locator("img")
    numbers = panel.locator("[aria-live=polite]").text_content()
    assert re.search(r"\d", numbers)
    return picture.get_attribute("src"), picture.get_attribute("alt"), numbers


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


def wait_until(condition, seconds: float, explain=lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s. {explain()}"
        time.sleep(0.05)
