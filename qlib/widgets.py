"""Explorers: one slider panel per idea, on any dict of named tensors. They draw; the formulas stand elsewhere.

An explorer owns one figure for its whole life. What a slider moves is a few artists; the curves behind them are
computed once for each tensor and remembered. The picture travels as PNG in an HTML image, which can carry alt text.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import TypeVar

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qlib import plots
from qlib.affine import QParams, choose_qparams, fake_quantize, qrange
from qlib.calibrate import CALIBRATORS
from qlib.error import max_abs_error, mse, split_mse, sqnr_db

Tensors = dict[str, np.ndarray]
Numbers = dict[str, str]
T = TypeVar("T")
WIDE = {"description_width": "9em"}


class Explorer(ipw.VBox):
    """Controls, a picture with alt text, the numbers it shows, and a place for errors.

    A subclass gives `title` and two methods, both with the controls' values as keyword arguments:
    `background(**values)` draws the axes anew and returns nothing; `move(**values)` moves what the sliders move and
    returns the numbers. `background` runs only when a control named in `repaint` has changed.

    Outside a live kernel the explorer is a static PNG and its numbers as text, which nbval compares.
    """

    title = ""
    repaint: tuple[str, ...] = ("tensor",)

    def __init__(self, tensors: Tensors, *, tensor: str | None = None, **controls: ipw.Widget) -> None:
        if not tensors:
            raise ValueError("tensors: expected a dict with at least one named array, got an empty one")
        tensor = next(iter(tensors)) if tensor is None else tensor
        if tensor not in tensors:
            raise ValueError(f"tensor: expected one of {list(tensors)}, got {tensor!r}")
        self.tensors = {name: np.asarray(x, np.float32) for name, x in tensors.items()}
        choice = ipw.Dropdown(options=list(tensors), value=tensor, description="tensor", style=WIDE)
        self.controls = {"tensor": choice, **controls}
        self.axes = plots.figure(2, width=5.5)
        self.remembered: dict[tuple, object] = {}
        self._painted: tuple | None = None
        self.picture, self.text, self.error = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.png, self.numbers = b"", {}
        for control in self.controls.values():
            control.layout.width = "34em"
            control.observe(self._changed, "value")
        super().__init__([*self.controls.values(), self.error, self.picture, self.text])
        self.draw()

    def background(self, **values) -> None:
        """Draw what stays while a slider moves."""
        raise NotImplementedError

    def move(self, **values) -> Numbers:
        """Move the rest, and say the numbers."""
        raise NotImplementedError

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
        self.png = plots.png(self.axes[0].figure)
        self.error.value = ""
        self.picture.value = plots.img(self.png, self.alt)
        rows = "; ".join(f"{name} <b>{value}</b>" for name, value in self.numbers.items())
        self.text.value = f'<p aria-live="polite">{rows}</p>'

    @property
    def alt(self) -> str:
        """The picture in words: the title, the controls and the numbers."""
        return f"{self.title}. {self}"

    def __repr__(self) -> str:
        if self.error.value:
            return f"{self.title}: failed"
        shown = {name: control.value for name, control in self.controls.items()} | self.numbers
        return "; ".join(f"{name} {value}" for name, value in shown.items())

    def _changed(self, change) -> None:
        """Draw; an exception is shown in the panel, and the old picture stays without its numbers."""
        try:
            self.draw()
        except Exception as error:  # whatever it is, the person at the slider has to see it
            message = html.escape(f"{type(error).__name__}: {error}")
            self.error.value = f'<p role="alert"><b>This setting failed.</b> {message}</p>'
            self.text.value = ""

    def _mark_levels(self, qparams: QParams) -> None:
        """Show these levels at the foot of the histogram instead of the last ones."""
        levels, self.levels = self.levels, None
        if levels is not None:
            levels.remove()
        self.levels = plots.mark_levels(qparams, self.axes[0])

    def _paint(self, values: dict) -> None:
        self._painted = None  # half a background must not pass for a whole one
        for ax in self.axes:
            ax.clear()
            ax.set_subplotspec(ax.get_subplotspec())  # back to the first place, or the layout starts from the last one
        self.background(**values)
        plots.fix_layout(self.axes[0].figure)

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """The live view, and for a page without a kernel a picture with its alt text, and the numbers."""
        live = super()._repr_mimebundle_(**kwargs)
        still = {"image/png": self.png, "text/plain": f"{type(self).__name__}: {self}"}
        return live | still, {"image/png": {"alt": self.alt}}


class BitWidthExplorer(Explorer):
    """Error against bit width: each bit about halves the step and divides the mean squared error by about 4."""

    title = "Error against bit width"
    repaint = ("tensor", "granularity")
    bits = range(2, 17)

    def __init__(self, tensors: Tensors, *, tensor: str | None = None) -> None:
        super().__init__(
            tensors,
            tensor=tensor,
            scheme=ipw.Dropdown(options=["symmetric", "affine"], description="scheme", style=WIDE),
            granularity=ipw.Dropdown(options=["per-tensor", "per-channel"], description="granularity", style=WIDE),
            num_bits=ipw.IntSlider(4, min(self.bits), max(self.bits), description="num_bits", style=WIDE),
        )

    def background(self, tensor, granularity, **_) -> None:
        x, (left, right) = self.tensors[tensor], self.axes
        axis = _axis(x, granularity)
        curves = self.once((tensor, axis), lambda: plots.bits_curve(x, self.bits, axis=axis))
        _histogram(left, tensor, x)
        plots.plot_error_vs_bits(curves, self.bits, ax=right)
        self.curves, self.here, self.levels = curves, _ring(right), None

    def move(self, tensor, scheme, granularity, num_bits) -> Numbers:
        x = self.tensors[tensor]
        axis, symmetric, signed = _axis(x, granularity), scheme == "symmetric", plots.needs_signed(x)
        rmin, rmax = CALIBRATORS["minmax"](x, symmetric=symmetric, axis=axis)
        qparams = choose_qparams(rmin, rmax, num_bits=num_bits, symmetric=symmetric, signed=signed, axis=axis)
        x_hat = fake_quantize(x, qparams)
        # Per channel every channel has levels of its own; the picture shows those of the widest.
        widths, scales, zero_points = np.ravel(rmax - rmin), np.ravel(qparams.scale), np.ravel(qparams.zero_point)
        widest = int(np.argmax(widths))
        self._mark_levels(QParams(scales[widest], zero_points[widest], qparams.qmin, qparams.qmax))
        self.here.set_data([num_bits], [self.curves[scheme][num_bits - min(self.bits)]])
        steps = np.unique(scales[widths > 0]) if widths.any() else scales[:1]  # a channel of zeros has no step
        return {
            "codes": f"{qparams.qmin} to {qparams.qmax}",
            "step": f"{steps[0]:.4g}" if steps.size == 1 else f"{steps[0]:.4g} to {steps[-1]:.4g}",
            "mse": f"{mse(x, x_hat):.4g}",
            "max |error|": f"{max_abs_error(x, x_hat):.4g}",
            "SQNR": f"{sqnr_db(x, x_hat):.2f} dB",
        }


class StepExplorer(Explorer):
    """Error against step size, with a fixed number of codes: a small step clips, a large one rounds."""

    title = "Error against step size"
    repaint = ("tensor", "num_bits")

    def __init__(self, tensors: Tensors, *, tensor: str | None = None) -> None:
        relative = ipw.FloatLogSlider(1, base=2, min=-6, max=2, step=0.125, readout_format=".3f")
        relative.description, relative.style = "step ÷ min-max", WIDE
        num_bits = ipw.IntSlider(4, 2, 8, description="num_bits", style=WIDE)
        super().__init__(tensors, tensor=tensor, num_bits=num_bits, relative=relative)

    def background(self, tensor, num_bits, **_) -> None:
        x, (left, right) = self.tensors[tensor], self.axes
        self.qmin, self.qmax = qrange(num_bits, signed=plots.needs_signed(x))
        self.widest = CALIBRATORS["minmax"](x, symmetric=True)[1] / self.qmax
        steps = self.widest * np.exp2(np.linspace(-6, 2, 65))
        curve = self.once((tensor, num_bits), lambda: plots.step_curve(x, steps, self.qmin, self.qmax))
        _histogram(left, tensor, x)
        plots.plot_error_vs_step(steps, curve, ax=right)
        self.here, self.levels = _ring(right), None

    def move(self, tensor, relative, **_) -> Numbers:
        x = self.tensors[tensor]
        qparams = QParams(np.float32(self.widest * relative), 0, self.qmin, self.qmax)
        rounding, clipping = split_mse(x, qparams)
        self._mark_levels(qparams)
        self.here.set_data([qparams.scale], [rounding + clipping])
        return {
            "codes": f"{self.qmin} to {self.qmax}",
            "step": f"{qparams.scale:.4g}",
            "rounding": f"{rounding:.4g}",
            "clipping": f"{clipping:.4g}",
            "total mse": f"{rounding + clipping:.4g}",
            "Δ²/12": f"{qparams.scale**2 / 12:.4g}",
        }


class ThresholdExplorer(Explorer):
    """Error against the threshold of a symmetric clip, with the choices of the four calibrators."""

    title = "Error against threshold"
    repaint = ("tensor", "num_bits")

    def __init__(self, tensors: Tensors, *, tensor: str | None = None) -> None:
        fraction = ipw.FloatSlider(1.0, min=0.02, max=1.0, step=0.02, description="T ÷ max|x|", style=WIDE)
        num_bits = ipw.IntSlider(4, 2, 8, description="num_bits", style=WIDE)
        super().__init__(tensors, tensor=tensor, num_bits=num_bits, fraction=fraction)

    def background(self, tensor, num_bits, **_) -> None:
        x, (left, right) = self.tensors[tensor], self.axes
        self.qmin, self.qmax = qrange(num_bits, signed=plots.needs_signed(x))
        self.largest = CALIBRATORS["minmax"](x, symmetric=True)[1]
        thresholds = self.largest * np.linspace(0.02, 1, 50)
        steps = thresholds / self.qmax
        curve = self.once((tensor, num_bits, "curve"), lambda: plots.step_curve(x, steps, self.qmin, self.qmax))
        self.points = self.once((tensor, num_bits, "points"), lambda: plots.calibrated(x, num_bits))
        _histogram(left, tensor, x)
        self.cuts = [left.axvline(0, color="C3", linestyle=":") for _ in range(2)]
        plots.plot_error_vs_threshold(thresholds, curve, self.points, ax=right)
        self.here = _ring(right)

    def move(self, tensor, fraction, **_) -> Numbers:
        x, threshold = self.tensors[tensor], fraction * self.largest
        qparams = QParams(np.float32(threshold / self.qmax), 0, self.qmin, self.qmax)
        rounding, clipping = split_mse(x, qparams)
        # The lowest code reaches one step beyond −T, except for unsigned codes, which begin at 0.
        lowest = self.qmin * float(qparams.scale)
        for cut, end in zip(self.cuts, (lowest, threshold), strict=True):
            cut.set_xdata([end, end])
        self.here.set_data([threshold], [rounding + clipping])
        numbers = {
            "codes": f"{self.qmin} to {self.qmax}",
            "T": f"{threshold:.4g}",
            "clipped": f"{np.mean((x < lowest) | (x > threshold)):.2%} of the values",
            "rounding": f"{rounding:.4g}",
            "clipping": f"{clipping:.4g}",
            "total mse": f"{rounding + clipping:.4g}",
        }
        return numbers | {f"{name} T": f"{point[0]:.4g} (mse {point[1]:.4g})" for name, point in self.points.items()}


class TrainingBar(ipw.HBox):
    """A progress bar for `model.fit`: give its `step` to `keras.callbacks.LambdaCallback(on_train_batch_end=…)`."""

    def __init__(self, steps: int) -> None:
        self.bar = ipw.IntProgress(0, 0, steps, description="training", style=WIDE)
        self.label = ipw.Label()
        self._drawn = 0.0
        super().__init__([self.bar, self.label])

    def step(self, batch: int, logs: dict[str, float]) -> None:
        """Show batch number `batch` (from 0); at most ten times a second, and the last one always."""
        last = batch + 1 == self.bar.max
        if last or time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            self.bar.value = batch + 1
            values = ", ".join(f"{name} {value:.3f}" for name, value in logs.items())
            self.label.value = f"batch {batch + 1} of {self.bar.max}: {values}"

    def __repr__(self) -> str:
        return f"a progress bar of {self.bar.max} batches"


def _ring(ax: Axes) -> Line2D:
    """A ring that shows where the slider stands."""
    return ax.plot([], [], "o", ms=13, mfc="none", mec="C3", mew=2.5, zorder=5)[0]


def _histogram(ax: Axes, name: str, x: np.ndarray) -> None:
    """The histogram of x, with limits that stay when levels or cuts reach further than the data."""
    plots.plot_histogram(x, ax=ax).set_title(name)
    ax.set_xlim(ax.get_xlim())


def _axis(x: np.ndarray, granularity: str) -> int | None:
    """The axis of the channels, the last one; None for per-tensor."""
    if granularity == "per-tensor":
        return None
    if x.ndim < 2:
        raise ValueError(f"granularity: per-channel expects a tensor with channels, got shape {x.shape}")
    return x.ndim - 1
