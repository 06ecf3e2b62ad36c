"""qlib.drawing: how a drawing becomes an MNIST image, what the widget says, and one hour of class in half a minute."""

import fnmatch
import re
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from lab import CHROMIUM, launch, open_page, run_all, serve, wait_until, write_notebook
from playwright.sync_api import expect
from test_plots import decoded, only_tag

from qlib import load_cnn, load_mnist
from qlib.drawing import DrawADigit, mnist_like

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

QLIB = Path(__file__).resolve().parent.parent / "qlib"
(_, _), (X_TEST, Y_TEST) = load_mnist()


# ------------------------------------------------------------------- mnist_like


def sheet(shape, *parts, ink=1.0):
    """Paper, with rectangles of ink: (top, bottom, left, right), the ends not included."""
    paper = np.zeros(shape, np.float32)
    for top, bottom, left, right in parts:
        paper[top:bottom, left:right] = ink
    return paper


def picture(*parts, ink=1.0):
    return sheet((28, 28), *parts, ink=ink)


@pytest.mark.parametrize(
    "drawn, expected",
    [
        pytest.param(sheet((280, 280)), picture(), id="nothing"),
        # The box of a dot is as wide as it is high: all of the 20 x 20. Its centre, 9.5, goes to 13.5 on both axes.
        pytest.param(sheet((280, 280), (3, 4, 270, 271)), picture((4, 24, 4, 24)), id="dot"),
        pytest.param(sheet((1, 1), (0, 1, 0, 1)), picture((4, 24, 4, 24)), id="one pixel"),
        pytest.param(sheet((9, 9), (3, 5, 3, 5), ink=0.25), picture((4, 24, 4, 24), ink=0.25), id="faint dot"),
        # 40 x 2 becomes 20 x 1. Column 0 of one column goes to 14, the only place in [13.5, 14.5).
        pytest.param(sheet((100, 90), (60, 100, 0, 2)), picture((4, 24, 14, 15)), id="stroke in a corner"),
        pytest.param(sheet((90, 100), (0, 2, 60, 100)), picture((14, 15, 4, 24)), id="lying stroke"),
        # 40 x 3 becomes 20 x 1.5: two columns, each covered to three quarters.
        pytest.param(sheet((90, 90), (9, 49, 7, 10)), picture((4, 24, 13, 15), ink=0.75), id="one and a half wide"),
        # 28 x 21 becomes 20 x 15, although 21 / (28 / 20) is a little more than 15 in floating point.
        pytest.param(sheet((90, 90), (9, 37, 7, 28)), picture((4, 24, 7, 22)), id="three quarters"),
        # A T. Rows: a bar of 20 x 4 at 1.5 and a stem of 16 x 4 at 11.5, (80·1.5 + 64·11.5) / 144 = 5.94 -> 13.94.
        pytest.param(
            sheet((60, 60), (30, 34, 20, 40), (34, 50, 28, 32)), picture((8, 12, 4, 24), (12, 28, 12, 16)), id="T"
        ),
        # A lighter stem, 20 x 4 and 16 x 2: (80·1.5 + 32·11.5) / 112 = 4.36 would go to 13.36 + 1 = row 10, but the
        # stem would end outside. The image has no room for more than 8.
        pytest.param(
            sheet((60, 60), (30, 34, 20, 40), (34, 50, 29, 31)),
            picture((8, 12, 4, 24), (12, 28, 13, 15)),
            id="top-heavy",
        ),
    ],
)
def test_drawings_by_hand(drawn, expected):
    drawn.flags.writeable = False
    image = mnist_like(drawn)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_each_pixel_is_the_mean_of_the_area_it_covers():
    """30 x 30 on 20 x 20: a pixel is 1.5 wide. Every third column, from 0, gives the pairs 2/3, 0 and so on."""
    drawn = np.zeros((30, 30))
    drawn[:, ::3] = drawn[:, 29] = 1
    # The first pixel holds the first column (1 of 1.5), the second half of column 1 and column 2; the last column too.
    expected = np.tile(np.tile([2 / 3, 0], 10), (20, 1))
    expected[:, 19] = 2 / 3
    image = mnist_like(drawn)
    rows, columns = image.any(axis=1).nonzero()[0], image.any(axis=0).nonzero()[0]
    np.testing.assert_allclose(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], expected, atol=1e-6)


def test_place_and_size_of_the_drawing_do_not_matter():
    drawn = np.random.default_rng(0).random((37, 23))
    expected = mnist_like(drawn)
    assert expected.any()
    for size, top, left in ((1, 0, 5), (3, 40, 0), (7, 11, 13)):
        moved = np.pad(np.kron(drawn, np.ones((size, size))), ((top, 3), (left, 0)))
        np.testing.assert_allclose(mnist_like(moved), expected, atol=1e-6)


def on_a_sheet(image, side, rng):
    """A test image enlarged to side x side, and moved to anywhere on a sheet of 280 x 280."""
    nearest = ((np.arange(side) + 0.5) * 28 / side).astype(int)
    large = image[np.ix_(nearest, nearest)]
    rows, columns = large.any(axis=1).nonzero()[0], large.any(axis=0).nonzero()[0]
    large = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    top, left = (rng.integers(0, 280 - length + 1) for length in large.shape)
    drawn = np.zeros((280, 280), np.float32)
    drawn[top : top + large.shape[0], left : left + large.shape[1]] = large / np.float32(255)
    return drawn


def test_images_of_mnist_come_back_as_they_were():
    """Enlarged ten times and moved, pixel for pixel: so box, centre and rounding are those of MNIST."""
    rng = np.random.default_rng(0)
    for image in X_TEST[:200]:
        np.testing.assert_allclose(mnist_like(on_a_sheet(image, 280, rng)), image / np.float32(255), atol=1e-6)


def test_the_network_reads_images_of_mnist_at_any_size_and_place():
    rng = np.random.default_rng(0)
    images = [mnist_like(on_a_sheet(image, int(rng.integers(100, 281)), rng)) for image in X_TEST[:500]]
    for image in images:
        centre = [np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (0, 1)]
        assert 13.5 - 1e-5 <= min(centre) and max(centre) < 14.5
    answers = np.asarray(load_cnn()(np.stack(images)[..., None])).argmax(axis=1)
    assert np.mean(answers == Y_TEST[:500]) > 0.95


@pytest.mark.parametrize(
    "bad, says",
    [
        (np.zeros(784), "ink: expected two axes (height, width), got shape (784,)"),
        (np.zeros((0, 28)), "ink: expected at least one value, got none"),
        ([[0, 255], [0, 3]], "ink: expected values from 0 to 1, got 0 to 255"),
        ([[0, -0.5]], "ink: expected values from 0 to 1, got -0.5 to 0"),
        ([[0, np.nan]], "ink: expected no NaN, got 1 of 2 values"),
        ([[0, np.inf]], "ink: expected finite values, got 1 infinite of 2"),
        ([["7"]], "ink: expected real numbers, got dtype <U1"),
        ([[0, 1], [0]], "ink: expected an array of real numbers, got rows of different shapes"),
    ],
)
def test_what_is_no_drawing_is_refused(bad, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        mnist_like(bad)


# ------------------------------------------------------------------- the widget, without a page


def says(digit, sure=0.9):
    """A network that always says that."""
    probabilities = np.full((1, 10), (1 - sure) / 9, np.float32)
    probabilities[0, digit] = sure
    return lambda images: probabilities


def fails(error):
    def network(images):
        raise error

    return network


def send(widget, ink=None, example=-1):
    """What the page sends: a sheet, or which example lies there."""
    data = b"" if ink is None else np.rint(np.asarray(ink) * 255).astype(np.uint8).tobytes()
    widget.set_state({"ink": memoryview(data), "example": example, "sent": widget.sent + 1})
    assert widget.reply["sent"] == widget.sent  # the page waits for that
    return widget.reply


STROKE = sheet((140, 140), (20, 120, 60, 70))
EXAMPLES = X_TEST[:3], Y_TEST[:3]  # a 7, a 2, a 1


def test_the_first_example_lies_there_at_first():
    seen = []

    def network(images):
        seen.append(images.copy())
        return says(7)(images)

    widget = DrawADigit({"float": network, "int8": says(7, 0.876)}, EXAMPLES)
    assert repr(widget) == "test image of a 7; float: 7 (90 %); int8: 7 (88 %)"
    assert widget.labels == [7, 2, 1] and widget.images == X_TEST[:3].tobytes()
    assert widget.reply["seen"] == X_TEST[0].tobytes()
    (image,) = seen
    assert image.shape == (1, 28, 28, 1) and image.dtype == np.float32
    np.testing.assert_array_equal(image[0, ..., 0], X_TEST[0] / np.float32(255))


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 28, 28, 1)])
def test_examples_may_be_reals_and_have_a_channel(shape):
    images = (X_TEST[:3] / np.float32(255)).reshape(shape)
    images.flags.writeable = False
    assert DrawADigit({"float": says(7)}, (images, Y_TEST[:3])).images == X_TEST[:3].tobytes()


def test_another_example_is_seen_unaltered():
    widget = DrawADigit({"float": says(1)}, EXAMPLES)
    reply = send(widget, example=2)
    assert reply["seen"] == X_TEST[2].tobytes()
    assert reply["what"] == "test image of a 1" and reply["text"] == "test image of a 1; float: 1 (90 %)"


def test_a_drawing_is_seen_as_mnist_would_have_it():
    widget = DrawADigit({"float": says(1)}, EXAMPLES)
    reply = send(widget, STROKE)
    # 100 x 10 becomes 20 x 2.
    assert reply["seen"] == (picture((4, 24, 13, 15)) * 255).astype(np.uint8).tobytes()
    assert reply["text"] == repr(widget) == "a drawing; float: 1 (90 %)"
    assert send(widget, STROKE) == reply | {"sent": 2}  # nothing new, but answered


@pytest.mark.parametrize("examples", [None, EXAMPLES])
def test_a_clear_sheet_is_no_question(examples):
    widget = DrawADigit({"float": fails(AssertionError("asked")) if examples is None else says(7)}, examples)
    widget.networks["float"] = fails(AssertionError("asked"))
    reply = send(widget, np.zeros((140, 140))) if examples else widget.reply
    assert reply["what"] == reply["text"] == repr(widget) == "nothing drawn"
    (row,) = reply["networks"]
    assert row == {"name": "float", "digit": None, "sure": "", "probabilities": [], "differs": "", "error": ""}
    assert reply["seen"] == bytes(784)


def test_who_differs_from_the_first_is_marked():
    networks = {"float": says(7), "int8": says(7, 0.5), "4-bit": says(1, 0.5), "2-bit": says(0, 0.25)}
    reply = send(DrawADigit(networks), STROKE)
    assert [row["differs"] for row in reply["networks"]] == ["", "", "≠ float", "≠ float"]
    assert [row["digit"] for row in reply["networks"]] == [7, 7, 1, 0]
    assert [row["sure"] for row in reply["networks"]] == ["90 %", "50 %", "50 %", "25 %"]
    assert reply["networks"][3]["probabilities"] == [0.25] + [0.0833] * 9
    text = "float: 7 (90 %); int8: 7 (50 %); 4-bit: 1 (50 %) ≠ float; 2-bit: 0 (25 %) ≠ float"
    assert reply["text"] == f"a drawing; {text}"


@pytest.mark.parametrize(
    "network, error",
    [
        (fails(RuntimeError("no tensors <allocated>")), "RuntimeError: no tensors <allocated>"),
        (fails(KeyboardInterrupt("stopped")), "KeyboardInterrupt: stopped"),  # or the page would wait for ever
        (lambda images: np.zeros(10), "ValueError: expected probabilities of shape (1, 10), got shape (10,)"),
        (lambda images: np.arange(10)[None], "ValueError: probabilities: expected values from 0 to 1, got 0 to 9"),
        (lambda images: says(1, np.nan)(images), "ValueError: probabilities: expected no NaN, got 10 of 10 values"),
        (lambda images: None, "ValueError: expected probabilities of shape (1, 10), got shape ()"),
    ],
)
def test_the_error_of_a_network_is_shown_in_its_place(network, error):
    reply = send(DrawADigit({"float": says(3), "broken": network, "int8": says(5)}), STROKE)
    row = {"name": "broken", "digit": None, "sure": "", "probabilities": [], "differs": "", "error": error}
    assert reply["networks"][1] == row
    assert reply["text"] == f"a drawing; float: 3 (90 %); broken: {error}; int8: 5 (90 %) ≠ float"


def test_without_the_first_nobody_differs():
    reply = send(DrawADigit({"float": fails(OSError("gone")), "int8": says(5), "4-bit": says(4)}), STROKE)
    assert reply["text"] == "a drawing; float: OSError: gone; int8: 5 (90 %); 4-bit: 4 (90 %)"


def test_an_error_is_gone_with_the_next_drawing():
    widget = DrawADigit(
        {"float": lambda images: fails(OSError("small"))(images) if images.sum() < 50 else says(1)(images)}
    )
    assert "OSError: small" in send(widget, STROKE)["text"]  # 20 x 2 pixels
    assert send(widget, sheet((140, 140), (20, 120, 20, 120)))["text"] == "a drawing; float: 1 (90 %)"


def test_probabilities_may_be_off_by_a_rounding():
    assert send(DrawADigit({"float": says(1, 1.0000002)}), STROKE)["text"] == "a drawing; float: 1 (100 %)"


def test_a_network_that_writes_to_its_images_harms_no_other():
    def vandal(images):
        images[:] = 0
        return says(1)(images)

    sums = []

    def honest(images):
        sums.append(float(images.sum()))
        return says(1)(images)

    reply = send(DrawADigit({"vandal": vandal, "honest": honest}), STROKE)
    assert sums == [40.0] and any(reply["seen"])


ONE = {"float": says(1)}


@pytest.mark.parametrize(
    "networks, examples, message",
    [
        ({}, None, "networks: expected a dict with at least one named callable, got {}"),
        ([1], None, "networks: expected a dict with at least one named callable, got [1]"),
        ({"float": 3}, None, "networks: expected a dict with at least one named callable, got {'float': 3}"),
        (ONE, X_TEST[:3], "examples: expected a pair (images, labels), got ndarray"),
        (ONE, (X_TEST[:0], Y_TEST[:0]), "examples: expected at least one value, got none"),
        (
            ONE,
            (X_TEST[:3], Y_TEST[:2]),
            "examples: expected images of shape (n, 28, 28) and n digits, got shapes (3, 28, 28) and (2,)",
        ),
        (
            ONE,
            (X_TEST[0], Y_TEST[:28]),
            "examples: expected images of shape (n, 28, 28) and n digits, got shapes (28, 28) and (28,)",
        ),
        (ONE, (X_TEST[:3].astype(int), Y_TEST[:3]), "examples: expected values from 0 to 1, got 0 to 255"),
        (ONE, (X_TEST[:2], [7, 10]), "examples: expected digits 0 to 9, got [ 7 10]"),
        (ONE, (X_TEST[:2], [7.0, 1.0]), "examples: expected digits 0 to 9, got [1. 7.]"),
    ],
)
def test_bad_arguments_are_refused(networks, examples, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        DrawADigit(networks, examples)


# ------------------------------------------------------------------- without a kernel


def test_without_a_kernel_there_is_a_picture_with_its_words():
    networks = {'<b> & "f" $\\x$': says(7), "int8": says(1), "broken": fails(OSError("a long story\nof two lines"))}
    widget = DrawADigit(networks, EXAMPLES)
    data, metadata = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    words = (
        'test image of a 7; <b> & "f" $\\x$: 7 (90 %); int8: 1 (90 %) ≠ <b> & "f" $\\x$; '
        "broken: OSError: a long story\nof two lines"
    )
    assert data["text/plain"] == f"DrawADigit: {words}"
    tag, attributes = only_tag(data["text/html"])
    assert tag == "img" and attributes["alt"] == f"Draw a digit. {words}" == metadata["image/png"]["alt"]
    assert attributes["src"].startswith("data:image/png;base64,")
    assert data == widget._repr_mimebundle_()[0]  # the same bytes again


def test_the_picture_has_a_chart_for_each_network_and_bars_as_long_as_it_is_sure():
    def dark(*sure):
        networks = {f"{i}": lambda images, p=p: np.eye(10)[[7]] * p for i, p in enumerate(sure)}
        picture = decoded(DrawADigit(networks, EXAMPLES)._repr_mimebundle_()[0]["image/png"])
        assert picture.shape == (198, 171 * (1 + len(sure)), 4)  # 1.9 x 2.2 inches each, at 90 dots per inch
        below_the_titles = picture[50:, :, :3].max(axis=2) < 128
        return np.split(below_the_titles, 1 + len(sure), axis=1)

    seen, none, half, full = (int(part.sum()) for part in dark(0, 0.5, 1))
    assert full - half == pytest.approx(half - none, rel=0.3) and full - half > 100
    assert seen > 100


# ------------------------------------------------------------------- the files of the page


def test_the_page_needs_no_network():
    for name in ("drawing.js", "drawing.css"):
        source = (QLIB / name).read_text(encoding="utf-8")
        assert not re.search(r"\bimport\b|https?:|//\w+\.|url\(|fetch|XMLHttp", source)


def test_the_files_of_the_page_are_packaged():
    project = tomllib.loads((QLIB.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["qlib"]
    files = [path.name for path in QLIB.iterdir() if path.is_file() and path.suffix != ".py"]
    assert {"drawing.css", "drawing.js"} <= set(files)
    assert all(any(fnmatch.fnmatch(name, pattern) for pattern in patterns) for name in files)


# ------------------------------------------------------------------- in a browser

NOTEBOOK = """
import time
import numpy as np
from qlib import load_mnist
from qlib.drawing import DrawADigit

def shape(images):  # a narrow picture is a 1, any other a 0
    width = np.ptp(np.flatnonzero(images[0].any(axis=(0, 2)))) + 1
    return np.eye(10)[[1 if width < 10 else 0]]

def slow(images):
    time.sleep(0.05)
    return np.full((1, 10), 0.1)

def picky(images):
    if images.sum() < 60:
        raise ValueError("too <i>little</i> ink")
    return shape(images)

(_, _), (x, y) = load_mnist()
widget = DrawADigit({"shape": shape, "slow": slow, "picky": picky}, (x[:7], y[:7]))
"""
OPACITY = """canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]
  .filter((_, i) => i % 4 === 3)"""


def opacity(canvas):
    """The ink in a canvas of the page, in [0, 1]."""
    values = np.array(canvas.evaluate(OPACITY)) / 255
    side = round(values.size**0.5)
    return values.reshape(side, side)


@pytest.fixture
def notebook(tmp_path):
    """A page with the widget, and what went over its wire."""
    with serve(tmp_path) as lab, launch() as browser:
        page = open_page(browser)
        page.wire, page.hosts = [], set()

        def overheard(message, kind, mark):
            data = message if isinstance(message, bytes) else message.encode()
            if mark in data:
                page.wire.append(kind)

        def listen(socket):
            socket.on("framesent", lambda message: overheard(message, "sheet", b'"sent"'))
            socket.on("framereceived", lambda message: overheard(message, "reply", b'"networks"'))

        page.on("websocket", listen)
        page.on("request", lambda request: page.hosts.add(urlparse(request.url).hostname))
        write_notebook(lab, "draw.ipynb", NOTEBOOK + "widget")
        run_all(page, lab, "draw.ipynb")
        yield page


# How often the page reads pixels.
COUNT = """() => {
  const context = CanvasRenderingContext2D.prototype;
  const read = context.getImageData;
  window.reads = 0;
  context.getImageData = function (...where) {
    window.reads++;
    return read.apply(this, where);
  };
}"""


def draw(page, canvas, x, y, steps=40):
    """Draw with the mouse through the points given as functions of 0 to 1. The button stays down."""
    box = canvas.bounding_box()
    points = [(box["x"] + x(step / steps), box["y"] + y(step / steps)) for step in range(steps + 1)]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)


@pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the PATH")
def test_drawing_in_a_browser(notebook):
    """By mouse and by keyboard: the networks answer while one draws, and at the end to what lies there."""
    page = notebook
    panel = page.locator(".qlib-draw")
    panel.wait_for()
    panel.scroll_into_view_if_needed()
    canvas, seen = panel.locator(".qlib-draw-sheet"), panel.locator(".qlib-draw-seen")
    spoken, cards = panel.locator("[aria-live=polite]"), panel.locator("section")
    names = {}
    exec(NOTEBOOK, names)
    expect(spoken).to_have_text(str(names["widget"]))  # the page says what the static text says
    np.testing.assert_allclose(opacity(seen), X_TEST[0] / 255, atol=1e-6)
    np.testing.assert_allclose(opacity(canvas), np.kron(X_TEST[0] / 255, np.ones((10, 10))), atol=1e-6)

    page.evaluate(COUNT)
    page.wire.clear()
    draw(page, canvas, lambda t: 40 + 10 * t, lambda t: 60 + 150 * t)  # over the test image, which it replaces
    page.mouse.up()
    too_little = "ValueError: too <i>little</i> ink"
    expect(spoken).to_have_text(f"a drawing; shape: 1 (100 %); slow: 0 (10 %) ≠ shape; picky: {too_little}")
    expect(cards.nth(0)).to_have_accessible_name("shape")
    expect(cards.nth(0).get_by_role("img")).to_have_accessible_name(re.compile("Probabilities. 0: 0 %, 1: 100 %, 2"))
    expect(cards.nth(1)).to_contain_text("≠ shape")
    expect(cards.nth(2).get_by_role("alert")).to_have_text(too_little)
    # In turn, so never a sheet before the last is answered; several while drawing, but not one for each movement.
    assert page.wire[0] == "sheet" and page.wire[-1] == "reply" and all(a != b for a, b in pairwise(page.wire))
    assert 3 <= page.wire.count("sheet") < 40
    assert page.evaluate("reads") == page.wire.count("sheet")  # not even looked at in vain

    panel.get_by_role("button", name="Clear").click()
    expect(spoken).to_have_text("nothing drawn")
    assert not opacity(canvas).any() and not opacity(seen).any()

    turn = 2 * np.pi
    draw(page, canvas, lambda t: 150 + 50 * np.cos(turn * t), lambda t: 120 + 70 * np.sin(turn * t))
    expect(panel.get_by_text("too <i>little</i> ink")).to_have_count(0)
    expect(cards.nth(2)).to_contain_text("100 %")  # live; but it is read aloud when the pen is up
    expect(spoken).to_have_text("nothing drawn")
    page.mouse.up()
    expect(spoken).to_have_text("a drawing; shape: 0 (100 %); slow: 0 (10 %); picky: 0 (100 %)")
    # The last sheet has won. Half the size in two steps of 8 bits: off by a few grey values.
    half = opacity(canvas).reshape(140, 2, 140, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(opacity(seen), mnist_like(half), atol=0.03)

    button = panel.get_by_role("button", name="Show the next test image of a 1")
    for key, index in (("Enter", 2), ("Space", 5), ("Enter", 2)):  # the two 1s among the seven, in turn
        button.press(key)
        wait_until(lambda index=index: np.allclose(opacity(seen), X_TEST[index] / 255, atol=1e-6), 20)
        expect(spoken).to_contain_text("test image of a 1")
        expect(button).to_be_focused()  # not gone to the cell, which Enter opens elsewhere
    assert page.complaints == [] and page.hosts - {None} == {"127.0.0.1"}
