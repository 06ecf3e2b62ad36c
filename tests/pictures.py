"""Make the small pictures of README's map from the lessons' stored outputs: `python tests/pictures.py`.

Each lesson has one: a figure or the static picture of an explorer, scaled down. Run it after `make baseline`.
"""

import base64
import io
import re

import nbformat
from baseline import NOTEBOOKS, lessons
from PIL import Image

IMAGES = NOTEBOOKS / "images"
CELLS = {  # lesson: the cell whose picture stands for it
    "01": "size-figure",
    "02": "line-figure",
    "03": "threshold-figure",
    "04": "mixed-explorer",
    "05": "arena-figure",
    "06": "table-figure",
    "06a": "qat-figure",
    "06b": "observers-figure",
    "06c": "sparsity-explorer",
    "06d": "temperature-figure",
    "07": "frontier-figure",
    "08": "explorer",
}
WIDTH, COLOURS = 320, 64  # pixels; a palette: figures have few colours


def stored(notebook: nbformat.NotebookNode, cell_id: str) -> Image.Image:
    """The picture that a cell stores: an explorer's image/png, or the image inside a figure's HTML."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    for output in cell.outputs:
        data = output.get("data", {})
        found = re.search(r"data:image/png;base64,([^\"]+)", data.get("text/html", ""))
        if "image/png" in data or found:
            png = data["image/png"] if "image/png" in data else found.group(1)
            return Image.open(io.BytesIO(base64.b64decode(png)))
    raise ValueError(f"cell {cell_id}: expected a stored picture, found none")


def small(picture: Image.Image) -> Image.Image:
    """On white, WIDTH pixels wide, with COLOURS colours."""
    picture = picture.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    height = round(picture.height * WIDTH / picture.width)
    scaled = ground.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    return scaled.quantize(COLOURS, dither=Image.Dither.NONE)


def pictures() -> dict[str, Image.Image]:
    """Lesson → its small picture."""
    files = {path.stem.split("_")[0]: path for path in lessons()}
    return {lesson: small(stored(nbformat.read(files[lesson], as_version=4), cell)) for lesson, cell in CELLS.items()}


if __name__ == "__main__":
    for lesson, picture in pictures().items():
        path = IMAGES / f"{lesson}.png"
        picture.save(path, optimize=True)
        print(f"{path.name} {picture.width} × {picture.height} pixels, {path.stat().st_size:,} bytes")
