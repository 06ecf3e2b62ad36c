"""Sphinx's settings for the reading edition, which `book/build.py` builds."""

import re
from pathlib import Path

import nbformat
from docutils import nodes

# The address of the workbook's public repository, as https://github.com/OWNER/NAME. While it is empty, no page links
# to Binder or Colab.
REPOSITORY = ""

project = html_title = "Model quantization, hands on"
language = "en"
extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # no live widget is stored; the default asks another host for its code

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "light"}
mathjax_path = "mathjax/tex-svg-full.js"
html_show_copyright = False
html_last_updated_fmt = None  # the same lessons give the same pages
html_use_index = False
html_show_search_summary = False  # a page opened as a file may not fetch the others
html_theme_options = {"navbar_persistent": [], "use_fullscreen_button": False, "footer_content_items": []}


def add_launch_links(app, config) -> None:
    """Binder and Colab, for whoever publishes the workbook."""
    if config.repository:
        config.html_theme_options |= {
            "repository_url": config.repository,
            "repository_branch": "main",
            "launch_buttons": {
                "notebook_interface": "jupyterlab",
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
            },
        }


def anchor_cells(app, doctree) -> None:
    """Let the anchors of JupyterLab, of code cells and of headings, lead to the same places here."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    slugs = app.env.metadata[app.env.docname]["myst_slugs"]
    slugs |= {title.replace(" ", "-"): (line, section, title) for line, section, title in slugs.values()}
    cells = nbformat.read(path, as_version=4).cells
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            anchor = f"cell-id={cells[node['cell_index']].id}"
            node["ids"].append(anchor)
            slugs[anchor] = (None, anchor, anchor)


def lead_to_pages(app, doctree) -> None:
    """In the HTML that a cell has shown: a link to a notebook becomes one to its page."""
    for node in doctree.findall(lambda node: isinstance(node, nodes.raw) and node["format"] == "html"):
        node.children = [nodes.Text(re.sub(r'(href="[^":#]*)\.ipynb(?=["#])', r"\1.html", node.astext()))]


def setup(app) -> dict[str, bool]:
    app.add_config_value("repository", REPOSITORY, "html")
    app.connect("config-inited", add_launch_links)
    app.connect("doctree-read", anchor_cells)
    app.connect("doctree-read", lead_to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
