"""What a teacher says of one image at each temperature, as an explorer."""

from __future__ import annotations

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes

from qlib.arguments import as_array
from qlib.distillation import as_logits, entropy_bits, softmax
from qlib.explorer import WIDE, Numbers, Panel

TEMPERATURES = (0.5, 32.0)  # ends of the slider, which is logarithmic: powers of 2, so that 1, 2 and 4 lie on it
LEAST = 1e-10  # a probability below this ends at the left edge of the picture


class TemperatureExplorer(Panel):
    """One image, and the probabilities of its classes at temperature T (bars) and at 1 (crosses), on a log scale.

    Parameters
    ----------
    logits : real, shape (n, classes)
        What the teacher computes for each image, before its softmax; at least three classes.
    labels : integer, shape (n,)
    images : real, shape (n, height, width) or (n, height, width, 1)
    image : int
        Which one is shown at first.
    temperature : float
        Where its slider stands at first, 0.5 to 32.

    Raises
    ------
    ValueError
        If the three do not fit together, the logits are not finite, or a control cannot start there.
    """

    title = "What the teacher says, at each temperature"
    spoken = "entropy at T"

    def __init__(
        self, logits: np.ndarray, labels: np.ndarray, images: np.ndarray, *, image: int = 0, temperature: float = 1.0
    ) -> None:
        self.logits, self.labels = as_logits("logits", logits), as_array("labels", labels)
        self.images = as_array("images", images)
        if self.images.ndim == 4 and self.images.shape[-1] == 1:
            self.images = self.images[..., 0]
        if self.logits.ndim != 2 or self.logits.shape[1] < 3:
            raise ValueError(f"logits: expected shape (n, classes), 3 classes or more, got {self.logits.shape}")
        n = len(self.logits)
        if self.labels.shape != (n,):
            raise ValueError(f"labels: expected {n}, one for each row of logits, got shape {self.labels.shape}")
        if self.images.ndim != 3 or len(self.images) != n:
            raise ValueError(f"images: expected {n} of shape (height, width), got shape {self.images.shape}")
        if not 0 <= image < n:
            raise ValueError(f"image: expected 0 to {n - 1}, got {image!r}")
        if not TEMPERATURES[0] <= temperature <= TEMPERATURES[1]:
            raise ValueError(f"temperature: expected {TEMPERATURES[0]} to {TEMPERATURES[1]}, got {temperature!r}")
        ends = dict(zip(("min", "max"), np.log2(TEMPERATURES), strict=True))
        super().__init__(
            image=ipw.IntSlider(image, 0, n - 1, description="image", style=WIDE),
            temperature=ipw.FloatLogSlider(
                temperature, base=2, **ends, step=1 / 32, description="temperature T", readout_format=".2f", style=WIDE
            ),
        )

    def background(self, **_) -> None:
        digit, bars = self.axes
        self.digit = self.moving(digit.imshow(self.images[0], cmap="gray_r"))
        digit.set(xticks=[], yticks=[], title="image")  # the layout leaves room for it
        digit.title.set_animated(True)
        for edge in digit.spines.values():  # over the digit
            self.moving(edge)
        _prepare(bars, self.logits.shape[1])
        places = np.arange(self.logits.shape[1])
        (crosses,) = bars.plot(places + 1.0, places, "x", color="black", ms=8, mew=2, label="T = 1", clip_on=False)
        self.crosses = self.moving(crosses)
        self.bars = [
            self.moving(bar)
            for bar in bars.barh(places, 1, 0.6, LEAST, color="C0", alpha=0.5, edgecolor="black", label="T")
        ]
        bars.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)

    def move(self, image, temperature) -> Numbers:
        p, at_one = softmax(self.logits[image], temperature), softmax(self.logits[image])
        self.digit.set_data(self.images[image])
        self.digit.autoscale()
        self.axes[0].set_title(f"image {image}, a {self.labels[image]}")
        self.crosses.set_xdata(np.maximum(at_one, LEAST))
        for bar, probability in zip(self.bars, p, strict=True):
            bar.set_width(max(probability, LEAST) - LEAST)
        first, second, third = np.argsort(-self.logits[image], kind="stable")[:3]
        ahead = self.logits[image, second] - self.logits[image, third]
        return {
            "label": str(self.labels[image]),
            "says": f"{first}, to {_percent(p[first])} (at 1: {_percent(at_one[first])})",
            "second": f"{second}, to {_percent(p[second])} (at 1: {_percent(at_one[second])})",
            "third": f"{third}, to {_percent(p[third])} (at 1: {_percent(at_one[third])})",
            "second ÷ third": f"{_ratio(ahead / temperature)} (at 1: {_ratio(ahead)})",
            "entropy at T": f"{entropy_bits(p):.4f} of at most {np.log2(p.size):.2f} bits",
            "entropy at 1": f"{entropy_bits(at_one):.4f} bits",
        }


def _percent(p: float) -> str:
    """A probability with two digits that count, also near 0 and near 1."""
    if p > 0.9999:
        return f"100 % − {100 * (1 - p):.1g} %"
    return f"{100 * p:.2f} %" if p > 0.0001 else f"{100 * p:.1g} %"


def _ratio(ahead: float) -> str:
    """The ratio of two probabilities whose logits, divided by T, are so far apart."""
    ratio = np.exp(ahead) if ahead < 700 else np.inf
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.3g}" if np.isfinite(ratio) else "beyond all floats"


def _prepare(ax: Axes, classes: int) -> None:
    ax.set(xscale="log", xlim=(LEAST, 1), ylim=(classes - 0.4, -0.6), yticks=range(classes))
    ax.set(xlabel="probability (log scale)", ylabel="class")
