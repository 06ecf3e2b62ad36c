"""Sums over windows of images: where each window stands, and sums of integer products that floats carry exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qlib.tflite import Operator, Tensor, expect

EXACT = 2**24  # float32 holds every integer up to here
LARGEST, TAPS = 2**25, 2**14  # values of all windows of the file's batch: a damaged file may ask for any number
PADDING = ("SAME", "VALID")  # by their numbers in the schema
Array = np.ndarray


def exact_sums(weights: Array, bias: Array, low: int, high: int) -> Callable[..., Array]:
    """Σ x·w + bias for integers x from low to high, as a function of x (…, K): exact, in floats.

    The function also takes the window of a maximum pool that reads nothing but these sums: it pools them at once.

    No partial sum, in whatever order BLAS adds, is larger than the sum of its positive or of its negative products at
    their largest. Where that reaches 2^24, K is split, and the parts are added in float64.
    """
    w = weights.astype(np.int64)
    ends = np.stack([w * low, w * high])
    up, down = ends.max(axis=0).clip(0), -ends.min(axis=0).clip(None, 0)
    most = np.maximum(up.sum(axis=0), down.sum(axis=0)) + beyond_zero(bias)
    expect(most.max() < 2**31, "sums that int32 holds", f"up to {most.max()}")
    cuts = [0]
    while cuts[-1] < len(w):
        grown = np.maximum(up[cuts[-1] :].cumsum(axis=0), down[cuts[-1] :].cumsum(axis=0)).max(axis=1)
        cuts.append(cuts[-1] + int(np.searchsorted(grown, EXACT)))
    single = len(cuts) == 2 and most.max() < EXACT
    parts = [(slice(a, b), weights[a:b].astype(np.float32)) for a, b in pairwise(cuts)]
    bias = bias.astype(np.float32 if single else np.float64)

    def sums(x: Array, pool: Window | None = None) -> Array:
        rows = x.reshape(-1, len(weights))  # one matrix: BLAS takes many small ones much more slowly
        acc = rows @ parts[0][1] if single else sum((rows[:, k] @ part).astype(np.float64) for k, part in parts)
        acc = acc.reshape(*x.shape[:-1], weights.shape[1])
        acc = pool.largest(acc) if pool else acc
        return np.add(acc, bias, out=acc)

    return sums


def beyond_zero(bias: Array) -> Array:
    """|b|, less 1 where b is negative, in int64: int32 reaches one further below 0 than above.

    It matters in a filter of zeros: its scale is tiny, and its bias may lie at the very end, −2^31.
    """
    bias = bias.astype(np.int64)
    return np.where(bias < 0, ~bias, bias)


class Window:
    """Where a window of `size` stands: strides, the padding around the image, and the slices that each tap reads."""

    def __init__(self, operator: Operator, size: tuple[int, int], x: Tensor, out: Tensor) -> None:
        expect(len(x.shape) == len(out.shape) == 4, "images (n, height, width, channels)", (x.shape, out.shape))
        self.size, self.stride = size, (operator.options["strideH"], operator.options["strideW"])
        expect(operator.options["padding"] in (0, 1), f"padding {' or '.join(PADDING)}", operator.options["padding"])
        same = PADDING[operator.options["padding"]] == "SAME"
        expect(min(*size, *self.stride) >= 1, "a window and strides of at least 1", (size, self.stride))
        expect(math.prod(size) <= TAPS, f"at most {TAPS:,} taps in a window", size)
        self.padding, self.outputs = [(0, 0)], []
        for n, k, s in zip(x.shape[1:3], size, self.stride, strict=True):
            outputs = -(-n // s) if same else (n - k) // s + 1
            missing = max((outputs - 1) * s + k - n, 0) if same else 0
            self.padding.append((missing // 2, missing - missing // 2))
            self.outputs.append(outputs)
        self.padding.append((0, 0))
        expect(tuple(self.outputs) == out.shape[1:3], f"an output of {self.outputs} places", out.shape)
        padded = math.prod(n + sum(p) for n, p in zip(x.shape[1:3], self.padding[1:3], strict=True))
        places = x.shape[0] * max(math.prod(self.outputs) * math.prod(size), padded)
        values = places * max(x.shape[3], out.shape[3])
        expect(values <= LARGEST, f"at most {LARGEST:,} values in all windows", f"{values:,}")

    def pad(self, images: Array, value: float) -> Array:
        return np.pad(images, self.padding, constant_values=value) if np.any(self.padding) else images

    def taps(self, axis: int) -> list[slice]:
        """For each row (axis 0) or column (axis 1) of the window, what it reads of the padded images."""
        outputs, stride = self.outputs[axis], self.stride[axis]
        return [slice(tap, tap + (outputs - 1) * stride + 1, stride) for tap in range(self.size[axis])]

    def places(self) -> Iterator[tuple[tuple[int, int], tuple[slice, ...]]]:
        """Each tap (i, j) of the window, with the slices of the padded images that it reads."""
        for i, rows in enumerate(self.taps(0)):
            for j, columns in enumerate(self.taps(1)):
                yield (i, j), (slice(None), rows, columns)

    def patches(self, padded: Array, pool: Window | None = None) -> Array:
        """All windows as rows, shape (n, rows, columns, height · width · channels); at least those `pool` reads."""
        if padded.shape[3] == 1:  # tap after tap: rows of an image are copied whole
            taps = np.stack([padded[(*place, 0)] for _, place in self.places()])
            return np.moveaxis(taps, 0, -1)
        views = sliding_window_view(padded, self.size, axis=(1, 2))[:, :: self.stride[0], :: self.stride[1]]
        if pool:
            views = views[:, : pool.taps(0)[-1].stop, : pool.taps(1)[-1].stop]
        return views.transpose(0, 1, 2, 4, 5, 3).reshape(*views.shape[:3], math.prod(views.shape[3:]))

    def largest(self, images: Array) -> Array:
        """The largest value of each window: first down the rows, then along the columns."""
        lowest = -np.inf if images.dtype.kind == "f" else np.iinfo(images.dtype).min
        padded = self.pad(images, lowest)
        down = reduce(np.maximum, [padded[:, rows] for rows in self.taps(0)])
        return reduce(np.maximum, [down[:, :, columns] for columns in self.taps(1)])
