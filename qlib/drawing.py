"""Draw a digit, and see at each stroke what several networks make of it.

The page (drawing.js, drawing.css) sends the sheet to Python while one draws, and never a new one before the last is
answered. Python prepares it as MNIST's images were, asks every network, and answers with what they saw and said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from qlib import plots
from qlib.arguments import as_array, as_float32, refuse_unmeasurable

Network = Callable[[np.ndarray], np.ndarray]
SIDE, BOX, CENTRE = 28, 20, 14  # of an MNIST image, in pixels


def mnist_like(ink: np.ndarray) -> np.ndarray:
    """A drawing as MNIST would have it: fitted into a box of 20 × 20, and centred by its mass in 28 × 28.

    The longer side becomes 20 pixels, and the shorter keeps its proportion. Each new pixel is the mean of the area
    that it covers (antialiasing). Whole pixels of shift then bring the centre of mass to within half a pixel of row
    and column 14 (from 0), as in the images of MNIST, or as near to it as leaves all ink in the image.

    Parameters
    ----------
    ink : array of real numbers, shape (height, width)
        0 is paper, 1 is full ink.

    Returns
    -------
    float32, shape (28, 28)
        In [0, 1]; all zeros without ink.

    Raises
    ------
    ValueError
        If `ink` has not two axes, no value, NaN, or values outside [0, 1].

    References
    ----------
    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998),
    section III.A. Where exactly the centre lies was read off the images.

    >>> image = mnist_like([[0, 0, 0, 0], [0, 0, 1, 0]])  # a dot fills the box
    >>> image.shape, bool(image[4:24, 4:24].all()), float(image.sum())
    ((28, 28), True, 400.0)
    """
    ink = _grey("ink", ink)
    if ink.ndim != 2:
        raise ValueError(f"ink: expected two axes (height, width), got shape {ink.shape}")
    image = np.zeros((SIDE, SIDE), np.float32)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return image
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
    step = max(box.shape) / BOX
    small = _coverage(box.shape[0], step) @ box @ _coverage(box.shape[1], step).T
    top, left = _shift(small.sum(axis=1)), _shift(small.sum(axis=0))
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def _coverage(length: int, step: float) -> np.ndarray:
    """Share of each new pixel, `step` old ones wide, that each of `length` old ones covers: shape (new, length).

    The new pixels reach over both ends by the same part of a pixel.
    """
    count = int(np.ceil(length / step - 1e-9))
    edges = length / 2 + step * (np.arange(count + 1) - count / 2)
    old = np.arange(length)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.maximum(overlap, 0) / step


def _shift(mass: np.ndarray) -> int:
    """Where along one axis the box begins: its centre of mass comes to lie in [13.5, 14.5), if the box then fits."""
    centre = np.average(np.arange(mass.size), weights=mass)
    wanted = np.ceil(CENTRE - 0.5 - centre - 1e-6)  # a centre that is 13.5 but for rounding stays there
    return int(np.clip(wanted, 0, SIDE - mass.size))


@dataclass(frozen=True)
class Answer:
    """What a network said: probabilities of the ten digits, or an error, or nothing because nothing is drawn."""

    name: str
    probabilities: np.ndarray | None = None
    error: str = ""

    @property
    def digit(self) -> int | None:
        return None if self.probabilities is None else int(np.argmax(self.probabilities))

    @property
    def sure(self) -> str:
        return "" if self.digit is None else f"{self.probabilities[self.digit] * 100:.0f} %"

    def differs(self, first: Answer) -> str:
        """A mark, if it names another digit than the first network does."""
        return f"≠ {first.name}" if None not in (self.digit, first.digit) and self.digit != first.digit else ""

    def row(self, first: Answer) -> dict:
        """The answer for the page."""
        probabilities = [] if self.probabilities is None else self.probabilities.astype(float).round(4).tolist()
        said = {"sure": self.sure, "differs": self.differs(first), "error": self.error}
        return {"name": self.name, "digit": self.digit, "probabilities": probabilities, **said}

    def __str__(self) -> str:
        return self.error if self.digit is None else f"{self.digit} ({self.sure})"


def ask(name: str, network: Network, image: np.ndarray) -> Answer:
    """What a network says to an image (28, 28). What it raises, or returns instead of probabilities, is its error."""
    try:
        said = np.asarray(network(image.reshape(1, SIDE, SIDE, 1).copy()))  # its own, to do with as it likes
        if said.shape != (1, 10):
            raise ValueError(f"expected probabilities of shape (1, 10), got shape {said.shape}")
        return Answer(name, _grey("probabilities", said, slack=1e-3)[0])
    except (Exception, KeyboardInterrupt) as error:  # whatever it is, the person who draws has to see it
        return Answer(name, error=f"{type(error).__name__}: {error}")


class DrawADigit(anywidget.AnyWidget):
    """A sheet to draw on, what the networks see of it, and their answers side by side, while one draws.

    Outside a live kernel it is a static picture and the answers as text.

    Parameters
    ----------
    networks : dict of callables
        Each takes images, float32 of shape (n, 28, 28, 1) in [0, 1], and returns probabilities of shape (n, 10). They
        are compared with the first. What a network raises is shown in its place.
    examples : (images, labels), optional
        Images of shape (n, 28, 28), uint8 or in [0, 1], and their digits. A button for each digit puts the next image
        of it on the sheet, unaltered; the first image lies there at first.

    Raises
    ------
    ValueError
        If `networks` is no dict of at least one callable, or `examples` are no images with as many digits.
    """

    _esm = Path(__file__).with_name("drawing.js")
    _css = Path(__file__).with_name("drawing.css")
    # The page writes these three, at once. echo_update: nobody else needs to know them.
    ink = traitlets.Bytes().tag(sync=True, echo_update=False, from_json=lambda value, widget: bytes(value))
    example = traitlets.Int(-1).tag(sync=True, echo_update=False)  # which example lies there; -1 is a drawing
    sent = traitlets.Int(0).tag(sync=True, echo_update=False)  # when, in ms; the reply repeats it
    # And Python writes these.
    images = traitlets.Bytes().tag(sync=True)
    labels = traitlets.List(traitlets.Int()).tag(sync=True)
    reply = traitlets.Dict().tag(sync=True)

    def __init__(self, networks: dict[str, Network], examples: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        if not isinstance(networks, dict) or not networks or not all(map(callable, networks.values())):
            raise ValueError(f"networks: expected a dict with at least one named callable, got {networks!r}")
        self.networks = {str(name): network for name, network in networks.items()}
        self.examples, labels = _examples(examples)
        images = np.rint(self.examples * 255).astype(np.uint8).tobytes()
        super().__init__(images=images, labels=labels, example=0 if labels else -1)
        self._look()
        self.observe(self._look, "sent")

    def _look(self, change: object = None) -> None:
        """Prepare what lies on the sheet, ask the networks, and tell the page."""
        self.seen = self._image()
        asked = self.seen.any()
        self.answers = [ask(*named, self.seen) if asked else Answer(named[0]) for named in self.networks.items()]
        self.reply = {
            "sent": self.sent,
            "seen": np.rint(self.seen * 255).astype(np.uint8).tobytes(),
            "what": self._what,
            "text": str(self),
            "networks": [answer.row(self.answers[0]) for answer in self.answers],
        }

    def _image(self) -> np.ndarray:
        """The picture that the networks get: an example as it is, a drawing prepared."""
        if self.example >= 0:
            return self.examples[self.example]
        ink = np.frombuffer(self.ink or b"\0", np.uint8)  # before the first drawing a single pixel of paper
        side = round(ink.size**0.5)
        return mnist_like(ink.reshape(side, side) / 255)

    @property
    def _what(self) -> str:
        if not self.seen.any():
            return "nothing drawn"
        return "a drawing" if self.example < 0 else f"test image of a {self.labels[self.example]}"

    def __repr__(self) -> str:
        said = [f"{one.name}: {one} {one.differs(self.answers[0])}".rstrip() for one in self.answers if str(one)]
        return "; ".join([self._what, *said])

    @property
    def alt(self) -> str:
        """The static picture in words."""
        return f"Draw a digit. {self}"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """The live view, and for a page without a kernel a picture with its alt text, and the answers."""
        live, metadata = super()._repr_mimebundle_(**kwargs)
        picture = self._still()
        text = f"{type(self).__name__}: {self}"
        still = {"text/html": plots.img(picture, self.alt), "image/png": picture, "text/plain": text}
        return live | still, metadata | {"image/png": {"alt": self.alt}}

    def _still(self) -> bytes:
        """What the networks see, and a bar for each probability, as PNG."""
        sheet, *charts = plots.figure(1 + len(self.networks), width=1.9, height=2.2)
        sheet.imshow(self.seen, cmap="gray_r", vmin=0, vmax=1)
        sheet.set(xticks=[], yticks=[])
        sheet.set_title(self._what, fontsize=10)
        for ax, answer in zip(charts, self.answers, strict=True):
            # Of an error the beginning; the text beside the picture has all of it.
            said = f"{answer} {answer.differs(self.answers[0])}".strip().partition("\n")[0][:24]
            ax.set_title(f"{answer.name}\n{said}", fontsize=10, parse_math=False)
            ax.set(xticks=range(10), xlim=(-0.6, 9.6), yticks=[], ylim=(0, 1))
            if answer.digit is not None:
                colors = ["black" if digit == answer.digit else "0.75" for digit in range(10)]
                ax.bar(range(10), answer.probabilities, color=colors, edgecolor="black")
        sheet.figure.canvas.draw()
        return plots.png(sheet.figure)


def _grey(name: str, values: object, slack: float = 0.0) -> np.ndarray:
    """Values as float32, refused if there is none, or one outside [0, 1] by more than `slack`."""
    array = as_float32(name, values)
    refuse_unmeasurable(name, array)
    if array.min() < -slack or array.max() > 1 + slack:
        raise ValueError(f"{name}: expected values from 0 to 1, got {array.min():.4g} to {array.max():.4g}")
    return array


def _examples(examples: object) -> tuple[np.ndarray, list[int]]:
    """Images as float32 (n, 28, 28) in [0, 1], and their digits."""
    if examples is None:
        return np.zeros((0, SIDE, SIDE), np.float32), []
    if not isinstance(examples, (tuple, list)) or len(examples) != 2:
        raise ValueError(f"examples: expected a pair (images, labels), got {type(examples).__name__}")
    images, labels = (as_array("examples", part) for part in examples)
    images = _grey("examples", images / np.float32(255) if images.dtype == np.uint8 else images)
    if images.shape[1:] not in {(SIDE, SIDE), (SIDE, SIDE, 1)} or labels.shape != images.shape[:1]:
        wanted = "images of shape (n, 28, 28) and n digits"
        raise ValueError(f"examples: expected {wanted}, got shapes {images.shape} and {labels.shape}")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"examples: expected digits 0 to 9, got {np.unique(labels)}")
    return images.reshape(-1, SIDE, SIDE), labels.tolist()
