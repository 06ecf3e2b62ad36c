"""What all explorers share: controls, a picture that keeps up with the hand, the numbers, and a place for errors.

An explorer owns one figure for its whole life. What stays while a slider moves is drawn once and kept as pixels; what
moves is drawn over it. The picture travels as PNG in an HTML image, which can carry alt text.

While a key is held, the page sends a new position only after the kernel has answered the last one, and then the newest
one: positions in between are dropped, and the last always wins.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TypeVar

import ipywidgets as ipw
import numpy as np
from matplotlib.artist import Artist

from qlib import plots
from qlib.error import ErrorProfile

Tensors = dict[str, np.ndarray]
Numbers = dict[str, str]
T = TypeVar("T")
A = TypeVar("A", bound=Artist)
WIDE = {"description_width": "9em"}
HIDDEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"
# What ipywidgets leaves out, done in the page each time a picture arrives: the handle of a slider gets a name and the
# value that its readout shows, and the spoken number a live region that outlives it.
ACCESSIBLE = """
const panel = this.closest('.qlib-explorer');
if (panel) {
  for (const slider of panel.querySelectorAll('.widget-slider')) {
    const handle = slider.querySelector('.noUi-handle');
    handle.setAttribute('aria-label', slider.querySelector('.widget-label').textContent);
    handle.setAttribute('aria-valuetext', slider.querySelector('.widget-readout').textContent);
  }
  const spoken = panel.querySelector('.qlib-spoken > div');
  spoken.setAttribute('role', 'status');
  spoken.setAttribute('aria-live', 'polite');
  spoken.setAttribute('aria-atomic', 'true');
}"""


class Panel(ipw.VBox):
    """Controls, a picture with alt text, the numbers it shows, and a place for errors.

    A subclass gives `title`, `spoken` (the number that is read aloud when a slider moves) and two methods, both with
    the controls' values as keyword arguments: `background(**values)` draws the axes anew, and makes what will move,
    with `moving`; `move(**values)` moves that, and returns the numbers. `background` runs only when a control named in
    `repaint` has changed.

    Outside a live kernel the explorer is a static PNG and its numbers as text, which nbval compares.
    """

    title = ""
    spoken = ""
    repaint: tuple[str, ...] = ()

    def __init__(self, **controls: ipw.Widget) -> None:
        self.controls = controls
        self.axes = plots.figure(2, width=5.5)
        self.figure = self.axes[0].figure
        self.remembered: dict[tuple, object] = {}
        self._painted, self._backdrop = None, None
        self.picture, self.text, self.error = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.status = ipw.HTML(layout=ipw.Layout(height="0", margin="0")).add_class("qlib-spoken")
        self.png, self.numbers = b"", {}
        for control in self.controls.values():
            control.layout.width, control.layout.max_width = "34em", "100%"  # of a narrow page
            control.tooltip = control.description  # or the page shows "null"
            control.observe(self._changed, "value")
        super().__init__([*self.controls.values(), self.error, self.picture, self.text, self.status])
        self.add_class("qlib-explorer")
        self.draw()

    def background(self, **values) -> None:
        """Draw what stays while a slider moves, and make what moves."""
        raise NotImplementedError

    def move(self, **values) -> Numbers:
        """Move the rest, and say the numbers."""
        raise NotImplementedError

    def moving(self, artist: A) -> A:
        """Leave `artist` out of the background: it is drawn over it at each move."""
        artist.set_animated(True)
        artist.set_in_layout(False)  # a ring without a place would push the axes together
        return artist

    def once(self, key: tuple, compute: Callable[[], T]) -> T:
        """`compute()`, or what it returned the last time for this key."""
        if key not in self.remembered:
            self.remembered[key] = compute()
        return self.remembered[key]

    def draw(self) -> None:
        """Draw the state of the controls."""
        values = {name: control.value for name, control in self.controls.items()}
        wanted = tuple(values[name] for name in self.repaint)
        if wanted != self._painted:
            self._paint(values)
            self._painted = wanted
        self.numbers = self.move(**values)
        plots.redraw(self.figure, self._backdrop)
        self.png = plots.png(self.figure)
        self.error.value = ""
        self.picture.value = plots.img(self.png, self.alt, onload=ACCESSIBLE)
        rows = "; ".join(f"{name} <b>{value}</b>" for name, value in self.numbers.items())
        self.text.value = f'<p style="margin: 0">{rows}</p>'
        self.status.value = f'<span style="{HIDDEN}">{self.spoken} {self.numbers[self.spoken]}</span>'

    @property
    def alt(self) -> str:
        """The picture in words: the title, the controls and the numbers."""
        return f"{self.title}. {self}"

    def __repr__(self) -> str:
        if self.error.value:
            return f"{self.title}: failed"
        settings = {name: control.value for name, control in self.controls.items()}
        settings = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in settings.items()}
        return "; ".join(f"{name} {value}" for name, value in (settings | self.numbers).items())

    def _changed(self, change) -> None:
        """Draw; an exception is shown in the panel, and the old picture stays without its numbers."""
        try:
            self.draw()
        except Exception as error:  # whatever it is, the person at the slider has to see it
            message = html.escape(f"{type(error).__name__}: {error}")
            self.error.value = f'<p role="alert"><b>This setting failed.</b> {message}</p>'
            self.text.value = self.status.value = ""

    def _paint(self, values: dict) -> None:
        self._painted = None  # half a background must not pass for a whole one
        for ax in self.axes:
            ax.clear()
            ax.set_subplotspec(ax.get_subplotspec())  # back to the first place, or the layout starts from the last one
        self.background(**values)
        self._backdrop = plots.backdrop(self.figure)

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """The live view, and for a page without a kernel a picture with its alt text, and the numbers."""
        live = super()._repr_mimebundle_(**kwargs)
        # As HTML the picture keeps its alt text everywhere; some viewers show no HTML, and take the PNG.
        text = f"{type(self).__name__}: {self}"
        still = {"text/html": plots.img(self.png, self.alt), "image/png": self.png, "text/plain": text}
        return live | still, {"image/png": {"alt": self.alt}}


def one_of(what: str, name: str | None, among: dict) -> str:
    """The name, or the first of those there are; a ValueError if there is none of that name."""
    if not isinstance(among, dict) or not among:
        raise ValueError(f"{what}s: expected a dict with at least one entry, got {among!r}")
    if name is not None and name not in among:
        raise ValueError(f"{what}: expected one of {list(among)}, got {name!r}")
    return next(iter(among)) if name is None else name


class Explorer(Panel):
    """A panel about one of several named tensors, chosen with its first control."""

    repaint = ("tensor",)

    def __init__(self, tensors: Tensors, *, tensor: str | None = None, **controls: ipw.Widget) -> None:
        if not tensors:
            raise ValueError("tensors: expected a dict with at least one named array, got an empty one")
        tensor = next(iter(tensors)) if tensor is None else tensor
        if tensor not in tensors:
            raise ValueError(f"tensor: expected one of {list(tensors)}, got {tensor!r}")
        self.tensors = {name: np.asarray(x, np.float32) for name, x in tensors.items()}
        choice = ipw.Dropdown(options=list(tensors), value=tensor, description="tensor", style=WIDE)
        super().__init__(tensor=choice, **controls)

    def profile(self, tensor: str) -> ErrorProfile:
        """The error profile of a tensor, made once."""
        return self.once((tensor, "profile"), lambda: ErrorProfile(self.tensors[tensor]))
