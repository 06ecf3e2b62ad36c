"""Explorers: one slider panel per idea, on any dict of named tensors. They draw; the formulas stand elsewhere."""

from __future__ import annotations

import time

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from qlib import plots
from qlib.affine import QParams, choose_qparams, qrange
from qlib.error import ErrorProfile
from qlib.explorer import WIDE, Explorer, Numbers, Tensors

BITS = range(2, 9)  # of the explorers whose curves change with the bit width


class BitWidthExplorer(Explorer):
    """Error against bit width: each bit about halves the step and divides the mean squared error by about 4."""

    title = "Error against bit width"
    spoken = "mse"
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
        x, profile, (left, right) = self.tensors[tensor], self.profile(tensor), self.axes
        axis = _axis(x, granularity)
        self.curves = self.once((tensor, axis), lambda: plots.bits_curve(profile, self.bits, axis=axis))
        _histogram(left, tensor, x)
        plots.plot_error_vs_bits(self.curves, self.bits, ax=right)
        self.here = self.moving(_ring(right))
        self.levels = self.moving(plots.mark_levels(QParams(1.0, 0, 0, 1), left))

    def move(self, tensor, scheme, granularity, num_bits) -> Numbers:
        profile, axis = self.profile(tensor), _axis(self.tensors[tensor], granularity)
        rmin, rmax = profile.minmax(axis)
        options = dict(num_bits=num_bits, symmetric=scheme == "symmetric", signed=profile.lowest < 0, axis=axis)
        qparams = choose_qparams(rmin, rmax, **options)
        # Per channel every channel has levels of its own; the picture shows those of the widest.
        widths, scales, zero_points = np.ravel(rmax - rmin), np.ravel(qparams.scale), np.ravel(qparams.zero_point)
        widest = int(np.argmax(widths))
        plots.move_levels(QParams(scales[widest], zero_points[widest], qparams.qmin, qparams.qmax), self.levels)
        _put(self.here, num_bits, self.curves[scheme][num_bits - min(self.bits)])
        steps = np.unique(scales[widths > 0]) if widths.any() else scales[:1]  # a channel of zeros has no step
        key = (tensor, scheme, axis, num_bits)
        return self.once(
            key,
            lambda: {
                "codes": f"{qparams.qmin} to {qparams.qmax}",
                "step": f"{steps[0]:.4g}" if steps.size == 1 else f"{steps[0]:.4g} to {steps[-1]:.4g}",
                "mse": f"{profile.mse(qparams):.4g}",
                "max |error|": f"{profile.max_abs_error(qparams):.4g}",
                "SQNR": f"{profile.sqnr_db(qparams):.2f} dB",
            },
        )


class StepExplorer(Explorer):
    """Error against step size, with a fixed number of codes: a small step clips, a large one rounds.

    The axes are the same for all bit widths: with more bits only the clipping moves, to the left.
    """

    title = "Error against step size"
    spoken = "total mse"

    def __init__(self, tensors: Tensors, *, tensor: str | None = None) -> None:
        relative = ipw.FloatLogSlider(1, base=2, min=-6, max=2, step=0.125, readout_format=".3f")
        relative.description, relative.style = "step ÷ min-max", WIDE
        num_bits = ipw.IntSlider(4, min(BITS), max(BITS), description="num_bits", style=WIDE)
        super().__init__(tensors, tensor=tensor, num_bits=num_bits, relative=relative)

    def background(self, tensor, **_) -> None:
        profile, (left, right) = self.profile(tensor), self.axes
        widest = [self.widest(profile, num_bits) for num_bits in BITS]
        self.steps = np.geomspace(widest[-1] * 2.0**-6, widest[0] * 2.0**2, 129)
        curves = [self.curve(tensor, num_bits) for num_bits in BITS]
        _histogram(left, tensor, self.tensors[tensor])
        plots.plot_error_vs_step(self.steps, curves[0], ax=right)
        self.lines = _moving_lines(self, right, curves)
        self.here = self.moving(_ring(right))
        self.levels = self.moving(plots.mark_levels(QParams(1.0, 0, 0, 1), left))

    def move(self, tensor, num_bits, relative) -> Numbers:
        profile = self.profile(tensor)
        qmin, qmax = qrange(num_bits, signed=profile.lowest < 0)
        qparams = QParams(np.float32(self.widest(profile, num_bits) * relative), 0, qmin, qmax)
        rounding, clipping = np.array(profile.split(qparams)) / profile.size
        _move_lines(self.lines, self.curve(tensor, num_bits))
        plots.move_levels(qparams, self.levels)
        _put(self.here, qparams.scale, rounding + clipping)
        return {
            "codes": f"{qmin} to {qmax}",
            "step": f"{qparams.scale:.4g}",
            "rounding": f"{rounding:.4g}",
            "clipping": f"{clipping:.4g}",
            "total mse": f"{rounding + clipping:.4g}",
            "Δ²/12": f"{float(qparams.scale) ** 2 / 12:.4g}",
        }

    def widest(self, profile: ErrorProfile, num_bits: int) -> float:
        """The step of the symmetric min-max quantizer."""
        return _largest(profile) / qrange(num_bits, signed=profile.lowest < 0)[1]

    def curve(self, tensor, num_bits) -> np.ndarray:
        profile = self.profile(tensor)
        codes = qrange(num_bits, signed=profile.lowest < 0)
        return self.once((tensor, num_bits), lambda: plots.step_curve(profile, self.steps, *codes))


class ThresholdExplorer(Explorer):
    """Error against the threshold of a symmetric clip, with the choices of the four calibrators.

    The axes are the same for all bit widths.
    """

    title = "Error against threshold"
    spoken = "total mse"
    fractions = np.linspace(0.02, 1, 50)

    def __init__(self, tensors: Tensors, *, tensor: str | None = None) -> None:
        fraction = ipw.FloatSlider(1.0, min=0.02, max=1.0, step=0.02, description="T ÷ max|x|", style=WIDE)
        num_bits = ipw.IntSlider(4, min(BITS), max(BITS), description="num_bits", style=WIDE)
        super().__init__(tensors, tensor=tensor, num_bits=num_bits, fraction=fraction)

    def background(self, tensor, num_bits, **_) -> None:
        profile, (left, right) = self.profile(tensor), self.axes
        self.largest = _largest(profile)
        curves = [self.curve(tensor, num_bits) for num_bits in BITS]
        _histogram(left, tensor, self.tensors[tensor])
        self.cuts = [self.moving(left.axvline(0, color="C3", linestyle=":")) for _ in range(2)]
        thresholds = self.largest * self.fractions
        plots.plot_error_vs_threshold(thresholds, curves[0], self.calibrated(tensor, num_bits), ax=right)
        right.set_xlim(0, 1.05 * self.largest)  # room for all that the calibrators may choose, at any bit width
        self.lines = _moving_lines(self, right, curves)
        self.marks = {line.get_label(): self.moving(line) for line in right.lines if line.get_label() not in self.lines}
        self.here = self.moving(_ring(right))

    def move(self, tensor, num_bits, fraction) -> Numbers:
        profile, threshold, points = self.profile(tensor), fraction * self.largest, self.calibrated(tensor, num_bits)
        qmin, qmax = qrange(num_bits, signed=profile.lowest < 0)
        qparams = QParams(np.float32(threshold / qmax), 0, qmin, qmax)
        rounding, clipping = np.array(profile.split(qparams)) / profile.size
        _move_lines(self.lines, self.curve(tensor, num_bits))
        for name, point in points.items():
            self.marks[name].set_data([point[0]], [point[1]])
        # The lowest code reaches one step beyond −T, except for unsigned codes, which begin at 0.
        ends = qmin * float(qparams.scale), threshold
        for cut, end in zip(self.cuts, ends, strict=True):
            cut.set_xdata([end, end])
        _put(self.here, threshold, rounding + clipping)
        numbers = {
            "codes": f"{qmin} to {qmax}",
            "T": f"{threshold:.4g}",
            "clipped": f"{profile.outside(*ends) / profile.size:.2%} of the values",
            "rounding": f"{rounding:.4g}",
            "clipping": f"{clipping:.4g}",
            "total mse": f"{rounding + clipping:.4g}",
        }
        return numbers | {f"{name} T": f"{point[0]:.4g} (mse {point[1]:.4g})" for name, point in points.items()}

    def curve(self, tensor, num_bits) -> np.ndarray:
        profile = self.profile(tensor)
        qmin, qmax = qrange(num_bits, signed=profile.lowest < 0)
        steps = self.largest * self.fractions / qmax
        return self.once((tensor, num_bits, "curve"), lambda: plots.step_curve(profile, steps, qmin, qmax))

    def calibrated(self, tensor, num_bits) -> dict[str, tuple[float, float]]:
        return self.once((tensor, num_bits, "points"), lambda: plots.calibrated(self.tensors[tensor], num_bits))


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


def _largest(profile: ErrorProfile) -> float:
    """max|x|, which must not be 0: no step and no threshold would be too large."""
    largest = max(-profile.lowest, profile.highest)
    if not largest:
        raise ValueError(f"tensor: expected a value other than 0, got {profile.size} zeros")
    return largest


def _ring(ax: Axes) -> Line2D:
    """A ring that shows where the slider stands."""
    return ax.plot([], [], "o", ms=13, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)[0]


def _put(ring: Line2D, x: float, error: float) -> None:
    """Move the ring; to the edge, where the error has no place on the axis: 0 on a logarithmic one."""
    bottom, top = ring.axes.get_ylim()
    ring.set_data([x], [min(max(error, bottom), top)])


def _moving_lines(explorer: Explorer, ax: Axes, curves: list[np.ndarray]) -> dict[str, Line2D]:
    """The lines of `plots.parts`, which will move, on an axis that has room for all the curves."""
    plots.log_from_best(ax, np.concatenate(curves))
    names = plots.parts(curves[0])
    return {line.get_label(): explorer.moving(line) for line in ax.lines if line.get_label() in names}


def _move_lines(lines: dict[str, Line2D], curve: np.ndarray) -> None:
    for name, errors in plots.parts(curve).items():
        lines[name].set_ydata(errors)


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
