"""A private JupyterLab and a real Chromium, for the tests and the benchmark that use the lessons as a class does."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import nbformat
from baseline import METADATA, NOTEBOOKS
from playwright.sync_api import Browser, Locator, Page, sync_playwright

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


@contextmanager
def serve(folder: Path) -> Iterator[SimpleNamespace]:
    """A JupyterLab on `folder`/notebooks, with settings of its own: its `address` and the path of its `notebooks`."""
    notebooks = folder / "notebooks"
    notebooks.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={notebooks}",
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
        yield SimpleNamespace(address=f"http://127.0.0.1:{port}/lab", notebooks=notebooks)
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def launch() -> Iterator[Browser]:
    """Chromium without a window."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


def open_page(browser: Browser) -> Page:
    """A page that remembers what its console complains of."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints = []
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page


def write_notebook(lab: SimpleNamespace, name: str, *sources: str) -> None:
    """A notebook of these code cells, among those that `lab` serves."""
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), lab.notebooks / name)


def run_all(page: Page, lab: SimpleNamespace, name: str) -> None:
    """Open a notebook, choose Run All Cells in the menu, and wait for the kernel to come to rest."""
    lesson = Path(name).stem.partition("_")[0]  # a workspace of its own: no other tab is restored
    page.goto(f"{lab.address}/workspaces/{lesson}/tree/{name}")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    idle = page.locator("#jp-main-statusbar", has_text="| Idle")
    waiting = page.locator(".jp-InputPrompt", has_text="[*]")
    quiet = 0
    for _ in range(1200):
        page.wait_for_timeout(500)
        quiet = quiet + 1 if idle.count() and not waiting.count() else 0  # a kernel is idle for a moment between cells
        if quiet == 3:
            return
    raise AssertionError("the notebook was still running after 600 s")


def explorer(page: Page, name: str) -> Locator:
    """The live panel below the cell that makes this explorer. The notebook draws only what is near the screen."""
    notebook = page.locator(".jp-WindowedPanel-outer").first
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=f"{name}("))
    panel = cell.locator(".jp-OutputArea-output .widget-vbox").first
    notebook.evaluate("element => { element.scrollTop = 0 }")
    for _ in range(100):
        page.wait_for_timeout(200)
        if panel.locator("img").count() and panel.locator("img").is_visible():
            break
        notebook.evaluate("element => { element.scrollTop += element.clientHeight / 2 }")
    panel.scroll_into_view_if_needed()
    return panel


def answers(address: str) -> bool:
    """Whether a server answers there."""
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


def wait_until(condition: Callable[[], object], seconds: float, explain: Callable[[], str] = lambda: "") -> None:
    """Ask again and again; an AssertionError with the explanation when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s. {explain()}"
        time.sleep(0.05)
