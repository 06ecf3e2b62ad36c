"""Mixed precision: each of the four layers of a small CNN gets a bit width of its own. What does it save, and cost?

The network has the shape of the chapter's: convolution 3×3 (valid, ReLU), max pooling 2×2, the same two again,
flatten, dense (ReLU), dense (softmax). Its kernels are quantized as in lesson 04, section 5: symmetric, per-channel,
with the threshold of the calibrator `mse`. Biases and everything between the layers stay float32.

It runs in NumPy, and remembers what the first layers gave: to change the last layer costs nearly nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qlib.affine import choose_qparams, fake_quantize
from qlib.arguments import as_array, as_float32, check_count, is_integer, refuse_unmeasurable
from qlib.calibrate import mse

LAYERS = 4
WIDTHS = range(2, 9)  # bits of a quantized weight
FLOAT = 32  # the bits of a weight that is left in float32
BLOCK = 250  # images that go through a convolution at once: fewer wait for threads too often, more for memory
REMEMBERED = 200 * 2**20  # bytes, at most, of remembered outputs
Bits = Sequence[int]


def standard_error(share: float, n: int) -> float:
    """√(p(1 − p)/n): how far a share p among n images is from that among all there could be, typically.

    Examples
    --------
    >>> round(standard_error(0.9, 900), 4)
    0.01
    """
    check_count("n", n)
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected a number from 0 to 1, got {share!r}")
    return float(np.sqrt(share * (1 - share) / n))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean of −log(probability of the right class), in nats: of the softmax of logits (n, classes), in float64.

    Examples
    --------
    >>> round(cross_entropy(np.zeros((2, 4)), [0, 3]), 4)  # log 4
    1.3863
    """
    logits = np.asarray(logits, np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)  # so that no exp overflows
    right = logits[np.arange(len(logits)), labels]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - right))


def conv_relu_pool(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution 3×3 (valid, stride 1), ReLU and max pooling 2×2, in one.

    The largest of four sums is taken before bias and ReLU, which do not change which one it is. Sums that no pooling
    window reaches, in the last of an odd number of rows or columns, are not taken.

    Parameters
    ----------
    x : float32 array, shape (n, height, width, channels)
    kernel : float32 array, shape (3, 3, channels, filters)
    bias : float32 array, shape (filters,)

    Returns
    -------
    float32 array, shape (n, (height − 2) // 2, (width − 2) // 2, filters)
    """
    height, width = (x.shape[1] - 2) // 2, (x.shape[2] - 2) // 2
    matrix = kernel.reshape(-1, bias.size)
    out = np.empty((len(x), height, width, bias.size), np.float32)
    for start in range(0, len(x), BLOCK):
        # A view that has at [image, row, column] the patch there, its values in the order of the kernel's.
        patches = sliding_window_view(x[start : start + BLOCK], (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
        largest = out[start : start + BLOCK]
        for down, right in np.ndindex(2, 2):
            corner = patches[:, down : down + 2 * height : 2, right : right + 2 * width : 2]
            sums = (corner.reshape(-1, len(matrix)) @ matrix).reshape(largest.shape)
            np.maximum(largest if down or right else sums, sums, out=largest)
        largest += bias
        np.maximum(largest, 0, out=largest)
    return out


class MixedWeights:
    """The weights of the network, each kernel at any bit width, and how many bytes they take.

    Parameters
    ----------
    weights : sequence of 8 arrays, as Keras's `get_weights()` returns them
        Kernel and bias of each layer, in shapes (3, 3, channels, f1), (f1,), (3, 3, f1, f2), (f2,), (pixels·f2, d),
        (d,), (d, classes), (classes,). Used as float32, and copied.

    Raises
    ------
    ValueError
        If they are not 8, have other shapes, or hold NaN or ±inf. The methods: if a bit width is not 2 … 8, nor 32
        for float32.
    """

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        if len(weights) != 2 * LAYERS:
            raise ValueError(f"weights: expected {2 * LAYERS} arrays, kernels and biases in turn, got {len(weights)}")
        arrays = [as_float32(f"weights[{i}]", array).copy() for i, array in enumerate(weights)]
        for i, array in enumerate(arrays):
            refuse_unmeasurable(f"weights[{i}]", array)
            array.flags.writeable = False  # what is remembered of them stays true
        self.kernels, self.biases = arrays[::2], arrays[1::2]
        _check_shapes(self.kernels, self.biases)
        self._restored = {(layer, FLOAT): kernel for layer, kernel in enumerate(self.kernels)}

    def restored(self, bits: Bits) -> list[np.ndarray]:
        """The reals that the codes stand for, and the biases, in the order of `weights`: for Keras's `set_weights`."""
        kernels = [self._kernel(layer, num_bits) for layer, num_bits in enumerate(check_bits(bits))]
        return [array for pair in zip(kernels, self.biases, strict=True) for array in pair]

    def layer_sizes(self, bits: Bits) -> list[int]:
        """Bytes of each layer: its codes, packed without a gap, and its scales and biases in float32."""
        layers = zip(check_bits(bits), self.kernels, self.biases, strict=True)
        # Each channel has a bias, and a scale unless it is left in float32.
        return [-(-w.size * b // 8) + bias.nbytes * (1 if b == FLOAT else 2) for b, w, bias in layers]

    def size(self, bits: Bits) -> int:
        """Bytes of the whole network."""
        return sum(self.layer_sizes(bits))

    def _kernel(self, layer: int, num_bits: int) -> np.ndarray:
        if (layer, num_bits) not in self._restored:
            kernel = self.kernels[layer]
            options = dict(num_bits=num_bits, symmetric=True, axis=kernel.ndim - 1)
            qparams = choose_qparams(*mse(kernel, **options), **options)
            self._restored[layer, num_bits] = fake_quantize(kernel, qparams)
            self._restored[layer, num_bits].flags.writeable = False
        return self._restored[layer, num_bits]


class MixedPrecision:
    """The network on given images, for any choice of four bit widths: 2 … 8, or 32 for a layer left in float32.

    Parameters
    ----------
    weights : MixedWeights, or what that takes
        Give a `MixedWeights` to two of these, and they quantize only once.
    images : array, shape (n, height, width, channels)
        What the network was trained on; used as float32, and copied.
    labels : array of integers, shape (n,)
        The right classes.

    Raises
    ------
    ValueError
        As `MixedWeights` does, or if images or labels don't fit the network. The methods: as those of `MixedWeights`.
    """

    def __init__(self, weights: MixedWeights | Sequence[np.ndarray], images: np.ndarray, labels: np.ndarray) -> None:
        self.weights = weights if isinstance(weights, MixedWeights) else MixedWeights(weights)
        self.images = checked_images(self.weights, images)
        self.labels = _checked_labels(labels, len(self.images), self.weights.biases[3].size)
        self._outputs: OrderedDict[tuple[int, ...], np.ndarray] = OrderedDict()
        self._scores: dict[tuple[int, ...], tuple[float, float]] = {}

    def logits(self, bits: Bits) -> np.ndarray:
        """The outputs of the last layer before its softmax: float32, shape (n, classes)."""
        return self._output(check_bits(bits))

    def loss(self, bits: Bits) -> float:
        """The mean cross-entropy, in nats."""
        return self._score(bits)[0]

    def accuracy(self, bits: Bits) -> float:
        """The share of the images that the network names rightly, 0 to 1."""
        return self._score(bits)[1]

    def _score(self, bits: Bits) -> tuple[float, float]:
        bits = check_bits(bits)
        if bits not in self._scores:
            logits = self._output(bits)
            right = np.mean(logits.argmax(axis=1) == self.labels)
            self._scores[bits] = cross_entropy(logits, self.labels), float(right)
        return self._scores[bits]

    def _output(self, bits: tuple[int, ...]) -> np.ndarray:
        """What the layer gives whose width stands last in `bits`: of the first layers, as many as there are widths."""
        if not bits:
            return self.images
        if bits in self._outputs:
            self._outputs.move_to_end(bits)
            return self._outputs[bits]
        layer, x = len(bits) - 1, self._output(bits[:-1])
        kernel, bias = self.weights._kernel(layer, bits[-1]), self.weights.biases[layer]
        x = conv_relu_pool(x, kernel, bias) if layer < 2 else x.reshape(len(x), -1) @ kernel + bias
        if layer == 2:
            np.maximum(x, 0, out=x)
        if layer < LAYERS - 1:
            self._remember(bits, x)
        return x

    def _remember(self, bits: tuple[int, ...], output: np.ndarray) -> None:
        """Keep an output, and forget those that were not asked for the longest, until all fit."""
        self._outputs[bits] = output
        while sum(x.nbytes for x in self._outputs.values()) > REMEMBERED:
            self._outputs.popitem(last=False)


def greedy(network: MixedPrecision) -> list[tuple[int, ...]]:
    """The way from 8 bits in all layers to 2 bits in all, one bit of one layer at a time: 25 choices of widths.

    Each step takes the layer that costs least loss per byte saved: Δloss ÷ (weights / 8). The loss, because it is
    finer than the accuracy, which most steps leave as it was. Give `network` *training* images: a path chosen on the
    test images would suit these better than any others, and its accuracy there would flatter.
    """
    path = [(max(WIDTHS),) * LAYERS]
    while max(path[-1]) > min(WIDTHS):
        here, costs = path[-1], {}
        for layer, kernel in enumerate(network.weights.kernels):
            if here[layer] > min(WIDTHS):
                lower = (*here[:layer], here[layer] - 1, *here[layer + 1 :])
                costs[lower] = (network.loss(lower) - network.loss(here)) / (kernel.size / 8)
        path.append(min(costs, key=costs.get))
    return path


def check_bits(bits: Bits) -> tuple[int, ...]:
    """Four bit widths as a tuple; refused if they are not four, or one is neither in 2 … 8 nor 32."""
    bits = tuple(bits)
    if len(bits) != LAYERS or not all(is_integer(b) and (b in WIDTHS or b == FLOAT) for b in bits):
        wanted = f"{LAYERS} integers from {min(WIDTHS)} to {max(WIDTHS)}, or {FLOAT} for float32"
        raise ValueError(f"bits: expected {wanted}, got {bits}")
    return tuple(map(int, bits))


def _check_shapes(kernels: list[np.ndarray], biases: list[np.ndarray]) -> None:
    outputs = [kernel.shape[-1] if kernel.ndim else 0 for kernel in kernels]
    inputs = [(3, 3, None), (3, 3, outputs[0]), (None,), (outputs[2],)]  # None: whatever it is
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        wanted = (*inputs[i], outputs[i])
        if kernel.ndim != len(wanted) or any(a not in (None, b) for a, b in zip(wanted, kernel.shape, strict=True)):
            shown = ", ".join(str(a or "any") for a in (*inputs[i], None))
            raise ValueError(f"weights[{2 * i}]: expected a kernel of shape ({shown}), got {kernel.shape}")
        if bias.shape != (outputs[i],):
            raise ValueError(f"weights[{2 * i + 1}]: expected biases of shape ({outputs[i]},), got {bias.shape}")


def checked_images(weights: MixedWeights, images: np.ndarray) -> np.ndarray:
    """The images, less the last rows and columns where no pooling window reaches them."""
    images = as_float32("images", images)
    refuse_unmeasurable("images", images)
    channels, filters, inputs = weights.kernels[0].shape[2], weights.biases[1].size, len(weights.kernels[2])
    sides = [((side - 2) // 2 - 2) // 2 for side in images.shape[1:3]]  # of what the second pooling gives
    if images.ndim != 4 or images.shape[3] != channels or min(sides) < 1:
        raise ValueError(f"images: expected the shape (n, ≥10, ≥10, {channels}), got {images.shape}")
    if (found := sides[0] * sides[1] * filters) != inputs:
        raise ValueError(f"images: expected a size that gives the dense layer its {inputs} inputs, got {found}")
    height, width = (2 * (2 * side + 2) + 2 for side in sides)
    return images[:, :height, :width].copy()


def _checked_labels(labels: np.ndarray, n: int, classes: int) -> np.ndarray:
    labels = as_array("labels", labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {n} integers, got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels: expected 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.intp)
