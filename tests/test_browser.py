"""The lessons as a class uses them: in JupyterLab, in Chromium, with the keyboard.

Debian's Chromium is used (`chromium` on the PATH): where it is missing these tests are skipped, except in CI, where a
skip is a failure (conftest.py).
"""

import re
import shutil

import nbformat
import pytest
from baseline import NOTEBOOKS, lessons
from bench_browser import watch
from cells import keep_needed
from lab import CHROMIUM, explorer, launch, open_page, run_all, serve, wait_until, write_notebook
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect

EXPLORERS = ["BitWidthExplorer", "StepExplorer", "ThresholdExplorer"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the PATH")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab that serves a copy of the lessons."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with launch() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def lesson(lab, browser):
    """Lesson 03, all cells run."""
    page = open_page(browser)
    run_all(page, lab, "03_formulas.ipynb")
    return page


def test_run_all_reaches_the_end(lesson):
    assert_last_cell_ran(lesson, "03_formulas.ipynb")
    assert lesson.complaints == []


def test_training_shows_its_progress_and_the_explorer_of_lesson_04_answers(lab, browser):
    """The cells of lesson 04 that these two need: the rest trains for minutes, and nbval runs it."""
    notebook = nbformat.read(NOTEBOOKS / "04_mnist.ipynb", as_version=4)
    keep_needed(notebook, lambda cell_id: cell_id in ("train", "mixed-explorer"))
    nbformat.write(notebook, lab.notebooks / "04_part.ipynb")
    page = open_page(browser)
    run_all(page, lab, "04_part.ipynb")
    assert_sliders_answer(explorer(page, "LayerBitsExplorer"), 4, parts=2)
    page.locator(".jp-WindowedPanel-outer").first.evaluate("element => { element.scrollTop = 0 }")
    for _ in range(50):  # down to the training cell
        if page.get_by_text("batch 1875 of 1875").count():
            break
        page.locator(".jp-WindowedPanel-outer").first.evaluate("element => { element.scrollTop += 400 }")
        page.wait_for_timeout(200)
    expect(page.get_by_text("batch 1875 of 1875: accuracy 0.9")).to_have_count(1)
    assert page.complaints == []
    page.close()


def test_a_link_of_lesson_07_leads_to_its_cell(lab, browser):
    """A click opens the lesson; once it is loaded, a click goes to the cell."""
    table = "linked([point for point in collect() if point.method.startswith('QAT, 2 bits')])"
    imports = "from qlib.frontier import collect\nfrom qlib.frontier_plots import linked\n"
    write_notebook(lab, "07links.ipynb", imports + table)
    page = open_page(browser)
    run_all(page, lab, "07links.ipynb")
    link = page.get_by_role("link", name="qat-table").first
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text="shipped, control_kernels ="))
    for _ in range(10):
        page.locator(".lm-TabBar-tab", has_text="07links.ipynb").click()
        link.click()
        page.locator(".lm-TabBar-tab", has_text="04_mnist.ipynb").wait_for(timeout=30_000)
        page.wait_for_timeout(4_000)
        if page.locator("#jp-main-statusbar", has_text="04_mnist.ipynb").count() and cell.count() and cell.is_visible():
            break
    expect(cell).to_be_in_viewport()
    assert page.complaints == []
    page.close()


def test_lesson_01_reaches_the_end_and_its_panel_answers(lab, browser):
    page = open_page(browser)
    run_all(page, lab, "01_background.ipynb")
    assert_last_cell_ran(page, "01_background.ipynb")
    assert_sliders_answer(explorer(page, "ModelSizeExplorer"), 2, parts=2)
    assert page.complaints == []
    page.close()


def test_the_explorer_of_lesson_05_answers(lab, browser):
    """The cells of lesson 05 that it needs: the rest measures for a minute, and nbval runs it."""
    notebook = nbformat.read(NOTEBOOKS / "05_applications.ipynb", as_version=4)
    keep_needed(notebook, lambda cell_id: cell_id == "budget-explorer")
    nbformat.write(notebook, lab.notebooks / "05_part.ipynb")
    page = open_page(browser)
    run_all(page, lab, "05_part.ipynb")
    assert_sliders_answer(explorer(page, "BudgetExplorer"), 1, parts=2)
    assert page.complaints == []
    page.close()


def test_lesson_02_reaches_the_end_and_its_bits_can_be_flipped(lab, browser):
    page = open_page(browser)
    run_all(page, lab, "02_concepts.ipynb")
    assert_last_cell_ran(page, "02_concepts.ipynb")
    panel = explorer(page, "FormatExplorer")
    bits = panel.locator("button:visible")
    assert bits.count() == 8
    for bit in bits.all():
        before, pressed = shown(panel), bit.get_attribute("aria-pressed")
        bit.press("Enter")
        wait_until(lambda before=before: not set(shown(panel)[:2]) & set(before), 20, lambda: shown(panel)[1])
        expect(bit).to_have_attribute("aria-pressed", {"true": "false", "false": "true"}[pressed])
        assert bit.get_attribute("aria-label")
    assert panel.locator("[role=alert]").count() == 0
    assert page.complaints == []
    page.close()


def test_a_prediction_is_chosen_and_revealed_by_keyboard(lesson):
    """The button waits for a choice; the answer is announced; another choice hides it again."""
    notebook, asked = lesson.locator(".jp-WindowedPanel-outer").first, lesson.locator(".qlib-predict").first
    notebook.evaluate("element => { element.scrollTop = 0 }")
    for _ in range(20):
        lesson.wait_for_timeout(200)
        if asked.count() and asked.is_visible():
            break
        notebook.evaluate("element => { element.scrollTop += element.clientHeight / 2 }")
    button, answer = asked.get_by_role("button", name="Reveal"), asked.get_by_role("status")
    expect(button).to_be_disabled()
    asked.get_by_role("radio").first.press("Space")
    expect(button).to_be_enabled()
    assert answer.count() == 0
    button.press("Enter")
    expect(answer).to_contain_text("You chose")
    asked.get_by_role("radio").nth(1).press("Space")
    expect(answer).to_have_count(0)
    assert lesson.complaints == []


def test_no_popup_asks_for_anything(lesson):
    assert lesson.get_by_text("Jupyter news").count() == 0
    assert lesson.locator(".jp-Dialog").count() == 0


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_reaches_both_ends_by_keyboard(lesson, name):
    """At each end picture, alt text and spoken numbers are new, the handle says where it stands, and nothing failed."""
    sliders = {"BitWidthExplorer": 1, "StepExplorer": 2, "ThresholdExplorer": 2}
    assert_sliders_answer(explorer(lesson, name), sliders[name])
    assert lesson.complaints == []


def assert_sliders_answer(panel, number, *, parts=3):
    """At the ends of each slider the first `parts` of what is `shown` are new: accuracy may well stay as it was."""
    sliders = panel.locator(".widget-slider")
    assert sliders.count() == number
    for slider in sliders.all():
        handle = slider.locator(".noUi-handle")
        for key, end in (("Home", "aria-valuemin"), ("End", "aria-valuemax"), ("PageDown", None)):
            before, at = shown(panel), handle.get_attribute("aria-valuenow")
            handle.press(key)
            if end and float(handle.get_attribute(end)) == float(at):
                continue  # it stood there before
            wait_until(lambda before=before: not set(shown(panel)[:parts]) & set(before), 20, lambda: shown(panel)[1])
            assert end is None or float(handle.get_attribute("aria-valuenow")) == float(handle.get_attribute(end))
            expect(handle).to_have_accessible_name(slider.locator(".widget-label").text_content())
            expect(handle).to_have_attribute("aria-valuetext", slider.locator(".widget-readout").text_content())
    assert panel.locator("[role=alert]").count() == 0


@pytest.mark.parametrize("name", [path.name for path in lessons()])
def test_a_page_without_a_kernel_and_a_network_shows_every_explorer(browser, tmp_path, name):
    """As nbconvert writes it: the picture is there, and its alt text says the numbers that are stored beside it."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    page_text, _ = HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "page.html").write_text(page_text, encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri(), wait_until="domcontentloaded")
    outputs = [output for cell in notebook.cells if "Explorer(" in cell.source for output in cell.get("outputs", [])]
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs]
    texts = [text for text in texts if "Explorer: " in text]
    assert texts or name != "03_formulas.ipynb"
    for text in texts:
        picture = page.locator(f'img[alt$="{text.split(": ", 1)[1]}"]')
        expect(picture).to_have_count(1)
        assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 990
    assert page.locator('img:not([alt]), img[alt=""], img[alt^="No description"]').count() == 0
    context.close()


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


def test_the_explorers_of_the_tools_answer(lab, browser):
    """Those of lessons 06, 06c, 06d and 08, on small inputs: each slider by keyboard, to both ends."""
    setup = """
import numpy as np
import qlib
from qlib.choose_widgets import ChooseExplorer
from qlib.distillation_widgets import TemperatureExplorer
from qlib.pruned import PrunedNetwork
from qlib.pruning_widgets import SparsityExplorer
from qlib.sharing_widgets import SharingExplorer

rng = np.random.default_rng(0)
sparse = rng.normal(size=(60, 50)).astype(np.float32) * (rng.random((60, 50)) < 0.1)
_, (x, y) = qlib.load_mnist()
network = PrunedNetwork(qlib.load_cnn().get_weights(), x[::50, ..., None] / np.float32(255), y[::50])
"""
    cells = [
        "ChooseExplorer(budget=50_000, points=1)",
        "SharingExplorer({'sparse': sparse})",
        "SparsityExplorer(network, ['a', 'b', 'c', 'd'])",
        "TemperatureExplorer(rng.normal(size=(9, 10)) * 4, y[:9], x[:9])",
    ]
    page = open_page(browser)
    write_notebook(lab, "tools.ipynb", setup.strip(), *cells)
    run_all(page, lab, "tools.ipynb")
    explorers = {"ChooseExplorer": 2, "SharingExplorer": 2, "SparsityExplorer": 4, "TemperatureExplorer": 2}
    for name, sliders in explorers.items():
        assert_sliders_answer(explorer(page, name), sliders, parts=2)
    assert page.complaints == []
    page.close()


def test_an_error_is_shown_in_the_panel(lab, browser):
    """A tensor that can't be drawn: the panel says why, the old picture stays, and the next choice mends it."""
    page = open_page(browser)
    source = [
        "import numpy as np",
        "from qlib import widgets",
        "tensors = {'good': np.linspace(-1, 1, 99), 'broken': np.full(9, np.nan)}",
        "widgets.ThresholdExplorer(tensors)",
    ]
    write_notebook(lab, "broken.ipynb", "\n".join(source))
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


@pytest.mark.parametrize("weights", [10_000])
def test_each_key_is_answered_and_the_last_one_wins(lab, browser, weights):
    """What the benchmark measures, but for the times: every goal that isn't in words is reached."""
    result = watch(lab, browser, presses=4, weights=weights)
    assert result["complaints"] == []
    facts = [(name, value, goal) for name, value, goal in result["rows"] if not isinstance(goal, (str, type(None)))]
    assert len(facts) > 10
    assert [(name, value, goal) for name, value, goal in facts if value != pytest.approx(goal, abs=1e-3)] == []


def assert_last_cell_ran(page: Page, name: str) -> None:
    stored = nbformat.read(NOTEBOOKS / name, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in stored.cells)
    bottom(page)
    expect(page.locator(".jp-InputPrompt", has_text=f"[{cells}]:")).to_be_visible()


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
