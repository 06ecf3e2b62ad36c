"""The reading edition: every lesson has its page, every link leads somewhere, and nothing comes from another host."""

import functools
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from baseline import METADATA, NOTEBOOKS, lessons
from lab import CHROMIUM, launch, open_page
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from sphinx.cmd.build import build_main

ROOT = NOTEBOOKS.parent
BOOK = ROOT / "book"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no `chromium` on the PATH")


class Reader(HTMLParser):
    """Of a page: the `links` that one follows, what is `loaded` at once, the alt texts of its `images`, and `ids`."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loaded, self.images, self.ids = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list) -> None:
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.images += [found.get("alt", "")] if tag == "img" else []
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.loaded += [found[name] for name in ("src", "data", "poster", "srcset") if name in found]
        self.loaded += [found["href"]] if tag == "link" and found.get("rel") not in ("next", "prev") else []


def read_pages(folder: Path) -> dict[Path, Reader]:
    return {path: Reader(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts}


def is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.scheme or parts.netloc) and parts.scheme != "data"


def broken_links(pages: dict[Path, Reader]) -> list[tuple[str, str]]:
    """(page, link) of each link to a file or an anchor that isn't there."""
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            file = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            anchors = pages[file].ids if file in pages else []
            if not file.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append((path.name, link))
    return broken


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The book, built as `make book` builds it: a warning is a failure."""
    folder = tmp_path_factory.mktemp("book") / "html"
    subprocess.run([sys.executable, BOOK / "build.py", folder], check=True)
    return SimpleNamespace(folder=folder, pages=read_pages(folder))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two short notebooks that link to each other, with the book's settings and a repository to link to."""
    folder = tmp_path_factory.mktemp("small")
    shown = {"text/html": '<a href="one.ipynb#cell-id=there">one</a>, <a href="https://example.org/x.ipynb">far</a>'}
    output = new_output("display_data", shown)
    one = [new_markdown_cell("# One\n\n## A Part: first"), new_code_cell("1 + 1", id="there", execution_count=1)]
    two = [
        new_markdown_cell("# Two\n\n[cell](one.ipynb#cell-id=there), [part](one.ipynb#A-Part:-first)"),
        new_code_cell("show()", id="shows", execution_count=1, outputs=[output]),
    ]
    for name, cells in {"one": one, "two": two}.items():
        nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / f"{name}.ipynb")
    (folder / "index.md").write_text("# Small\n\n```{toctree}\none\ntwo\n```\n", encoding="utf-8")
    options = ["-q", "-W", "-D", "repository=https://github.com/OWNER/NAME"]
    assert build_main([*options, "-c", str(BOOK), str(folder), str(folder / "html")]) == 0
    return SimpleNamespace(folder=folder / "html", pages=read_pages(folder / "html"))


def test_every_lesson_has_a_page_and_the_page_its_notebook(book):
    for lesson in lessons():
        page = book.folder / "notebooks" / f"{lesson.stem}.html"
        (download,) = {link for link in book.pages[page].links if link.endswith(f"/{lesson.name}")}
        assert (page.parent / download).read_bytes() == lesson.read_bytes()
        assert f"notebooks/{page.name}" in book.pages[book.folder / "index.html"].links


def test_every_cell_and_every_picture_is_there(book):
    for lesson in lessons():
        page = book.folder / "notebooks" / f"{lesson.stem}.html"
        cells = [cell for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code"]
        anchors = [name for name in book.pages[page].ids if name.startswith("cell-id=")]
        assert anchors == [f"cell-id={cell.id}" for cell in cells]
        stored = [str(output.get("data", {}).get("text/html", "")) for cell in cells for output in cell.outputs]
        assert len(book.pages[page].images) == sum(html.count("<img ") for html in stored)


def test_no_link_is_broken(book):
    assert broken_links(book.pages) == []


def test_a_broken_link_is_seen(tmp_path):
    text = '<p id="here"><a href="#here"></a><a href="#gone"></a><a href="gone.html"></a><img src="gone.png"></p>'
    (tmp_path / "page.html").write_text(text)
    found = broken_links(read_pages(tmp_path))
    assert found == [("page.html", "#gone"), ("page.html", "gone.html"), ("page.html", "gone.png")]


def test_every_picture_has_alt_text(book):
    texts = [alt for page in book.pages.values() for alt in page.images]
    assert len(texts) > 30 and min(map(len, texts)) >= 30


def test_no_page_says_what_nobody_set(book):
    assert [page.name for page in book.pages if "not set" in page.read_text(encoding="utf-8")] == []


def test_mathjax_is_the_file_that_the_readme_names():
    digest = hashlib.sha256((BOOK / "_static/mathjax/tex-svg-full.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(book):
    assert [(path.name, link) for path, page in book.pages.items() for link in page.loaded if is_elsewhere(link)] == []
    for sheet in book.folder.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        urls = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
        assert [url for url in urls if is_elsewhere(url)] == [], sheet


def test_jupyterlabs_anchors_lead_to_the_same_places(small):
    links = small.pages[small.folder / "two.html"].links
    assert links.count("one.html#cell-id=there") == 2  # in the text, and in what a cell has shown
    assert "one.html#a-part-first" in links and "https://example.org/x.ipynb" in links
    assert broken_links(small.pages) == []


def test_binder_and_colab_are_linked_once_a_repository_is_configured(book, small):
    services = ("https://mybinder.org/", "https://colab.research.google.com/")
    links = [link for page in book.pages.values() for link in page.links]
    assert not [link for link in links if link.startswith(services)]
    page = small.pages[small.folder / "one.html"]
    binder, colab = (link for link in page.links if link.startswith(services))
    assert binder == "https://mybinder.org/v2/gh/OWNER/NAME/main?urlpath=lab/tree/one.ipynb"
    assert colab == "https://colab.research.google.com/github/OWNER/NAME/blob/main/one.ipynb"


@pytest.fixture(scope="module")
def site(book):
    """The book, served at an `address`, and a `browser`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(book.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, launch() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(address=f"http://127.0.0.1:{server.server_port}", browser=browser)
        server.shutdown()


@pytest.fixture
def page(site):
    """A window on the book at `page.address`, and what it `asked` for."""
    page = open_page(site.browser)
    page.address, page.asked = site.address, []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


def too_wide(page, width: int, media: str) -> list[str]:
    """What would stick out of a window, or of a sheet of paper, of this width."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media=media)
    boxes = "html, .cell pre" if media == "print" else "html"  # on a screen a cell may scroll in its own box
    wide = f"[...document.querySelectorAll('{boxes}')].filter(box => box.scrollWidth > box.clientWidth + 1)"
    return page.evaluate(f"{wide}.map(box => box.tagName + box.textContent.trim().slice(0, 60))")


@needs_chromium
def test_every_page_opens_without_another_host_and_fits_a_phone_and_paper(book, page):
    for path, reader in book.pages.items():
        page.goto(f"{page.address}/{path.relative_to(book.folder).as_posix()}")
        formulas = page.locator(".math").count()
        if formulas:
            page.wait_for_function("window.MathJax?.startup?.promise")
            page.evaluate("MathJax.startup.promise")
        assert page.locator(".math mjx-container > svg").count() == formulas, path.name
        assert page.locator("[data-mml-node=merror]").count() == 0, path.name
        assert too_wide(page, 400, "screen") == too_wide(page, 700, "print") == [], path.name  # A4 less its margins
        assert page.evaluate("[...document.images].filter(i => !i.complete || !i.naturalWidth).length") == 0, path.name
        assert reader.images == page.evaluate("[...document.images].map(image => image.alt)"), path.name
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith((page.address, "data:"))] == []


@needs_chromium
@pytest.mark.parametrize("opened", ["from a server", "as a file"])
def test_search_finds_words_of_the_lessons(book, page, opened):
    address = page.address if opened == "from a server" else book.folder.as_uri()
    page.goto(f"{address}/search.html?q=zero+point")
    page.locator("#search-results a", has_text="Derive the formulas").first.click()
    page.locator("article h1", has_text="Derive the formulas").wait_for()
    assert page.complaints == []


@needs_chromium
def test_on_paper_the_answers_are_open(page):
    page.goto(f"{page.address}/notebooks/03_formulas.html")
    answer = page.locator("details p").first
    assert not answer.evaluate("element => element.checkVisibility({contentVisibilityAuto: true})")
    page.emulate_media(media="print")
    assert answer.evaluate("element => element.checkVisibility({contentVisibilityAuto: true})")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_folder_that_is_no_book_is_left_alone(tmp_path):
    """Whatever was built before is replaced; anything else that stands there is not."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    run = subprocess.run([sys.executable, BOOK / "build.py", tmp_path], capture_output=True, text=True)
    assert run.returncode == 1 and f"folder: expected an empty one, or a book, got {tmp_path}" in run.stderr
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"
