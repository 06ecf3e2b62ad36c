"""An explorer of SmoothQuant: move the difficulty from the activations to the weights, and see what the output says."""

from __future__ import annotations

import ipywidgets as ipw
import numpy as np

from qlib.arguments import as_float32, refuse_unmeasurable
from qlib.explorer import WIDE, Numbers, Panel
from qlib.smooth import channel_max, layer_error, smooth, smoothing_scales

SAMPLED = np.linspace(0, 1, 21)  # where the curve is computed
BITS = 3, 9  # both sliders, the last not among them
TOKENS = 600  # rows that are measured, at most: a picture a second is too slow for a slider


class SmoothExplorer(Panel):
    """The maxima of all channels of x and w after smoothing, and the error of x @ w, with a slider for α.

    Left, one point for each channel, in the order of max |x|. Right, the error of the product when both are quantized
    (x with one scale, w with one for each output), against α; the dotted line is without smoothing.

    Parameters
    ----------
    x : (tokens, channels), activations to measure on
    w : (channels, outputs), weights
    x_max : (channels,)
        max |x| of each channel on the calibration data.
    alpha, x_bits, weight_bits
        Where the sliders stand at first: a float from 0 to 1, integers from 3 to 8.

    Raises
    ------
    ValueError
        If x, w and x_max do not fit together, x is empty or not finite, or a slider cannot start there.
    """

    title = "SmoothQuant"
    spoken = "error"
    repaint = ("x_bits", "weight_bits")

    def __init__(
        self,
        x: np.ndarray,
        w: np.ndarray,
        x_max: np.ndarray,
        *,
        alpha: float = 0.5,
        x_bits: int = 6,
        weight_bits: int = 8,
    ) -> None:
        x, self.w, self.x_max = as_float32("x", x), as_float32("w", w), as_float32("x_max", x_max)
        refuse_unmeasurable("x", x)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha: expected 0 to 1, got {alpha!r}")
        for name, bits in (("x_bits", x_bits), ("weight_bits", weight_bits)):
            if bits not in range(*BITS):
                raise ValueError(f"{name}: expected {BITS[0]} to {BITS[1] - 1}, got {bits!r}")
        self.x = x[:: -(-len(x) // TOKENS)]  # from all reactions
        self.w_max = channel_max(self.w, axis=0)
        self.order = np.argsort(self.x_max, kind="stable")
        smooth(self.x, self.w, smoothing_scales(self.x_max, self.w_max))  # refuses what does not fit
        ends = dict(min=BITS[0], max=BITS[1] - 1, style=WIDE)
        super().__init__(
            alpha=ipw.FloatSlider(alpha, min=0, max=1, step=0.05, description="α", style=WIDE),
            x_bits=ipw.IntSlider(x_bits, description="bits of activations", **ends),
            weight_bits=ipw.IntSlider(weight_bits, description="bits of weights", **ends),
        )

    def error_at(self, alpha: float | None, x_bits: int, weight_bits: int) -> float:
        """The relative error of the product; None is without smoothing."""
        bits = dict(x_bits=x_bits, weight_bits=weight_bits)
        return self.once((alpha, x_bits, weight_bits), lambda: layer_error(self.x, self.w, self.x_max, alpha, **bits))

    def background(self, alpha: float, x_bits: int, weight_bits: int) -> None:
        left, right = self.axes
        places = np.arange(len(self.order))
        self.dots = [
            self.moving(left.plot(places, places + 1, marker, ms=size, mfc=inside, mec=edge, label=label)[0])
            for marker, size, inside, edge, label in (
                ("o", 6, "none", "C0", "max |x| / s"),
                ("x", 3, "C1", "C1", "max |w| · s"),
            )
        ]
        left.set(xlabel="channel, by max |x|", yscale="log", ylim=self._limits())
        left.legend(loc="upper left", frameon=False)
        curve = [100 * self.error_at(float(a), x_bits, weight_bits) for a in SAMPLED]
        unsmoothed = 100 * self.error_at(None, x_bits, weight_bits)
        right.plot(SAMPLED, curve, "-", color="black", label="smoothed")
        right.axhline(unsmoothed, color="0.5", linestyle=":", label="without")
        self.ring = self.moving(right.plot([], [], "o", ms=12, mfc="none", mec="C3", mew=2.5, clip_on=False)[0])
        right.set(xlabel="α", ylabel="error of x @ w (%)", xlim=(-0.03, 1.03))
        right.set_ylim(0, 1.1 * max(*curve, unsmoothed))
        right.legend(loc="upper right", frameon=False)

    def move(self, alpha: float, x_bits: int, weight_bits: int) -> Numbers:
        scales = smoothing_scales(self.x_max, self.w_max, alpha)
        tops = self.x_max / scales, self.w_max * scales
        for dots, top in zip(self.dots, tops, strict=True):
            dots.set_ydata(top[self.order])
        error, before = (self.error_at(a, x_bits, weight_bits) for a in (alpha, None))
        self.ring.set_data([alpha], [100 * error])
        spread = [f"{top.max() / np.median(top):.1f} × the median" for top in tops]
        return {
            "largest channel of x": spread[0],
            "largest row of w": spread[1],
            "error": f"{error:.1%}",
            "without smoothing": f"{before:.1%}",
        }

    def _limits(self) -> tuple[float, float]:
        """Of all maxima at both ends of α, so that the picture stands still."""
        scales = [smoothing_scales(self.x_max, self.w_max, alpha) for alpha in (0.0, 1.0)]
        tops = np.concatenate([top for s in scales for top in (self.x_max / s, self.w_max * s)])
        return float(tops[tops > 0].min()) / 1.5, float(tops.max()) * 1.5
