"""An explorer of shared weights: how many values, how wide the gaps, and what the file of a layer then takes."""

from __future__ import annotations

import ipywidgets as ipw
import numpy as np
from matplotlib.markers import TICKUP
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from qlib.arguments import as_float32
from qlib.clusters import assign, kmeans, linear_centroids
from qlib.error import sqnr_db
from qlib.explorer import WIDE, Numbers, Panel, one_of
from qlib.huffman import code_lengths
from qlib.packed import LENGTH_BITS
from qlib.sparse import encode_relative

STAGES = ("P", "P+Q", "P+Q+H")
PARTS = {"values": "0.75", "gaps": "0.45", "tables": "white"}  # and their greys


class SharingExplorer(Panel):
    """Left, the weights that pruning left, and the values that they share. Right, the bytes after each stage.

    "values" are the weights or their codes, "gaps" say how many zeros stand before each, "tables" are the shared values
    and the lengths of Huffman's codes.

    Parameters
    ----------
    kernels : dict of arrays
        Pruned kernels by name; each has a weight that is not 0.
    kernel : str, optional
        Which one is shown first.
    bits, gap_bits : int
        Where the sliders stand at first: bits of a code, 1 to 8, and of a gap, 1 to 8.

    Raises
    ------
    ValueError
        If there is no kernel, none of that name, or one has no weight left.
    """

    title = "Shared weights"
    spoken = "bytes in all"
    repaint = ("kernel", "bits")

    def __init__(
        self, kernels: dict[str, np.ndarray], *, kernel: str | None = None, bits: int = 4, gap_bits: int = 5
    ) -> None:
        kernel = one_of("kernel", kernel, kernels)
        self.kernels = {name: as_float32(name, w) for name, w in kernels.items()}
        for name, w in self.kernels.items():
            if not w.any():
                raise ValueError(f"kernels: expected weights that are not 0 in each, got none in {name!r}")
        super().__init__(
            kernel=ipw.Dropdown(options=list(kernels), value=kernel, description="kernel", style=WIDE),
            bits=ipw.IntSlider(bits, 1, 8, description="bits of a code", style=WIDE),
            gap_bits=ipw.IntSlider(gap_bits, 1, 8, description="bits of a gap", style=WIDE),
        )

    def background(self, *, kernel: str, bits: int, **_) -> None:
        left, right = self.axes
        w, (centroids, _) = self.kernels[kernel], self.shared(kernel, bits)
        left.hist(w[w != 0], bins=80, color="0.75")
        left.plot(centroids, np.zeros(centroids.size), marker=TICKUP, ls="", color="C0", ms=9, mew=1.5)
        left.set(xlabel="weight: ticks are the shared values", ylabel="weights that are left")
        places = np.arange(len(STAGES))
        self.bars = [
            [self.moving(bar) for bar in right.barh(places, 1, height=0.5, color=color, edgecolor="black", label=name)]
            for name, color in PARTS.items()
        ]
        above = dict(textcoords="offset points", va="bottom")
        self.labels = [self.moving(right.annotate("", (0, place - 0.25), (3, 2), **above)) for place in places]
        # Twice the shortest P: where gaps are so narrow that fillers abound, the bar runs off the axis.
        least = min(sum(self.stage(kernel, bits, gap_bits)["P"]) for gap_bits in range(1, 9))
        right.set(xlabel="bytes of the kernel", xlim=(0, 2 * least), ylim=(len(STAGES) - 0.4, -0.7))
        right.set_yticks(places, STAGES)
        right.xaxis.set_major_locator(MaxNLocator(5))
        right.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        right.legend(loc="lower right", frameon=False)

    def move(self, *, kernel: str, bits: int, gap_bits: int) -> Numbers:
        w, (centroids, codes) = self.kernels[kernel], self.shared(kernel, bits)
        stages = self.stage(kernel, bits, gap_bits)
        for place, (label, sizes) in enumerate(zip(self.labels, stages.values(), strict=True)):
            start = 0
            for bars, size in zip(self.bars, sizes, strict=True):
                bars[place].set(x=start, width=size)
                start += size
            label.set_text(f"{sum(sizes):,} bytes")
        left, stored = np.count_nonzero(w), encode_relative(codes.ravel(), gap_bits)[0].size
        total, restored = sum(stages["P+Q+H"]), np.concatenate([[np.float32(0)], centroids])[codes]
        return {
            "weights left": f"{left:,} of {w.size:,}",
            "fillers": f"{stored - left:,}",
            "shared values": str(centroids.size),
            "SQNR": f"{sqnr_db(w, restored):.1f} dB",
            "bytes in all": f"{total:,}",
            "times smaller": f"{4 * w.size / total:.0f}",
        }

    def shared(self, kernel: str, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """2^bits − 1 values for the weights that are left, fewer where there are fewer, and the codes."""
        return self.once((kernel, bits), lambda: _share(self.kernels[kernel], 2**bits - 1))

    def stage(self, kernel: str, bits: int, gap_bits: int) -> dict[str, tuple[int, int, int]]:
        """Bytes of values, gaps and tables after each stage."""
        return self.once((kernel, bits, gap_bits), lambda: _stages(*self.shared(kernel, bits), gap_bits))


def _share(w: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    left = w[w != 0]
    centroids = kmeans(left, linear_centroids(left, min(k, left.size)))
    return centroids, np.where(w != 0, assign(w, centroids) + 1, 0)


def _stages(centroids: np.ndarray, codes: np.ndarray, gap_bits: int) -> dict[str, tuple[int, int, int]]:
    gaps, stored = encode_relative(codes.ravel(), gap_bits)
    k, plain = centroids.size, _whole_bytes(gap_bits * gaps.size)
    tables = [_whole_bytes(LENGTH_BITS * size) for size in (k + 1, 2**gap_bits)]
    return {
        "P": (4 * gaps.size, plain, 0),
        "P+Q": (_whole_bytes(k.bit_length() * gaps.size), plain, 2 * k),
        "P+Q+H": (_huffman_bytes(stored, k + 1), _huffman_bytes(gaps, 2**gap_bits), 2 * k + sum(tables)),
    }


def _huffman_bytes(symbols: np.ndarray, alphabet: int) -> int:
    counts = np.bincount(symbols, minlength=alphabet)
    return _whole_bytes(int(code_lengths(counts).astype(int) @ counts))


def _whole_bytes(bits: int) -> int:
    return -(-bits // 8)
