"""An explorer of 4-bit formats whose weights share a scale in blocks: the block's size, its bits and its error."""

from __future__ import annotations

import ipywidgets as ipw
import numpy as np

from qlib.arguments import as_float32, refuse_unmeasurable
from qlib.error import sqnr_db
from qlib.explorer import WIDE, Numbers, Panel, one_of
from qlib.groups import bits_per_weight, fake_quantize_groups
from qlib.mx import fake_quantize_mx
from qlib.nf4 import fake_quantize_levels, normal_float

SIZES = (8, 16, 32, 64, 128, 256, 512)
FORMATS = {  # name: (the quantizer, bits that each block stores besides its codes)
    "int4": (lambda w, size: fake_quantize_groups(w, size), 16),
    "int4, zero point": (lambda w, size: fake_quantize_groups(w, size, symmetric=False), 20),
    "NF4": (lambda w, size: fake_quantize_levels(w, normal_float(), size), 16),
    "MX E2M1": (lambda w, size: fake_quantize_mx(w, size=size), 8),
}
STYLES = ("-o", "--s", "-.D", ":^")
DRAWN = 32  # weights of a block, and outputs to choose from, at most


class BlockExplorer(Panel):
    """Left, the SQNR of a matrix against bits per weight, a curve for each format; a ring where the controls stand.

    Each curve leads from blocks of 512 weights (left) to blocks of 8. Right, one block: a line leads from each of its
    first weights, above, to what it becomes, below.

    Parameters
    ----------
    matrices : dict of arrays
        By name, each (inputs, outputs). Blocks lie along the inputs.
    format : str
        One of FORMATS, shown first.
    size : int
        Weights in a block, one of SIZES.

    Raises
    ------
    ValueError
        If there is no matrix, one has not two axes or holds NaN or ±inf, or format or size is none of those.
    """

    title = "Blocks of weights"
    spoken = "SQNR"
    repaint = ("matrix", "output")

    def __init__(self, matrices: dict[str, np.ndarray], *, format: str = "int4", size: int = 64) -> None:
        if not isinstance(matrices, dict) or not matrices:
            raise ValueError(f"matrices: expected a dict with at least one entry, got {matrices!r}")
        one_of("format", format, FORMATS)
        one_of("size", size, dict.fromkeys(SIZES))
        self.matrices = {name: as_float32(name, w) for name, w in matrices.items()}
        for name, w in self.matrices.items():
            refuse_unmeasurable(name, w)
            if w.ndim != 2:
                raise ValueError(f"matrices: expected two axes, (inputs, outputs), got {w.ndim} in {name!r}")
        outputs = min(w.shape[1] for w in self.matrices.values())
        super().__init__(
            matrix=ipw.Dropdown(options=list(matrices), description="matrix", style=WIDE),
            format=ipw.Dropdown(options=list(FORMATS), value=format, description="format", style=WIDE),
            size=ipw.SelectionSlider(options=SIZES, value=size, description="size of a block", style=WIDE),
            output=ipw.IntSlider(0, 0, min(outputs, DRAWN) - 1, description="block of output", style=WIDE),
        )

    def background(self, *, matrix: str, output: int, **_) -> None:
        left, right = self.axes
        w = self.matrices[matrix]
        most = 6.7  # bits; more where a matrix is smaller than the blocks
        for name, style in zip(FORMATS, STYLES, strict=True):
            points = [self.point(matrix, name, size) for size in SIZES]
            left.plot(*zip(*points, strict=True), style, ms=4, label=name)
            most = max(most, *(1.02 * bits for bits, _ in points))
        ring = dict(ms=13, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)
        self.ring = self.moving(left.plot([], [], "o", **ring)[0])
        left.set(xlabel="bits per weight, scales counted", ylabel="SQNR (dB)", xlim=(3.9, most))
        left.legend(loc="lower right", frameon=False)
        end = 1.1 * np.abs(w[: max(SIZES), output]).max() or 1.0
        self.lines = self.moving(right.plot([], [], "-", color="0.5", linewidth=1)[0])
        self.weights = self.moving(right.plot([], [], "|", color="black", ms=10, mew=1.5)[0])
        self.restored = self.moving(right.plot([], [], "|", color="C3", ms=10, mew=1.5)[0])
        right.set(xlim=(-end, end), ylim=(-0.2, 1.2), yticks=(0, 1), yticklabels=("after", "before"))
        right.set(xlabel=f"weights of output {output}, the first block")

    def move(self, *, matrix: str, format: str, size: int, output: int) -> Numbers:
        bits, db = self.point(matrix, format, size)
        self.ring.set_data([bits], [db])
        w, w_hat = self.matrices[matrix], self.restore(matrix, format, size)
        before, after = (array[:size, output] for array in (w, w_hat))
        pairs = np.stack([before, after, np.full_like(before, np.nan)], axis=1)[:DRAWN]
        self.lines.set_data(pairs.ravel(), np.tile([1, 0, np.nan], len(pairs)))
        self.weights.set_data(pairs[:, 0], np.ones(len(pairs)))
        self.restored.set_data(pairs[:, 1], np.zeros(len(pairs)))
        largest = np.abs(before).argmax()
        return {
            "bits per weight": f"{bits:.3f}",
            "SQNR": f"{db:.1f} dB",
            "largest weight of the block": f"{before[largest]:.3f}, becomes {after[largest]:.3f}",
            "largest error in it": f"{np.abs(before - after).max():.4f}",
        }

    def restore(self, matrix: str, format: str, size: int) -> np.ndarray:
        """What a format leaves of a matrix; kept for the one shown last."""
        key = (matrix, format, size)
        if getattr(self, "_restored", (None,))[0] != key:
            self._restored = key, FORMATS[format][0](self.matrices[matrix], size)
        return self._restored[1]

    def point(self, matrix: str, format: str, size: int) -> tuple[float, float]:
        """Bits per weight, and SQNR in dB."""
        w = self.matrices[matrix]
        bits = bits_per_weight(w.shape, size, group_bits=FORMATS[format][1])
        return bits, self.once((matrix, format, size), lambda: sqnr_db(w, FORMATS[format][0](w, size)))
