"""What each layer of the chapter's CNN multiplies its kernel with, as a matrix; and the network on any weights.

A convolution is a matrix product, too: each patch of 3×3 pixels is a row of inputs, the kernel has a row for each of
the values of a patch, and a column for each filter. So what works for a dense layer works for all four.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qlib.arguments import as_float32, check_count
from qlib.mixed import MixedWeights, checked_images, conv_relu_pool

Arrays = Sequence[np.ndarray]


def as_matrix(kernel: np.ndarray) -> np.ndarray:
    """A kernel as a matrix (inputs, outputs): of a dense layer it is one, of a convolution (3·3·channels, filters).

    >>> as_matrix(np.zeros((3, 3, 32, 64))).shape
    (288, 64)
    """
    kernel = as_float32("kernel", kernel)
    if kernel.ndim < 2:
        raise ValueError(f"kernel: expected at least two axes, the last for the outputs, got shape {kernel.shape}")
    return kernel.reshape(-1, kernel.shape[-1])


def patches(x: np.ndarray) -> np.ndarray:
    """All patches of 3×3 pixels as rows, in the order of `as_matrix`: (n, height, width, c) → (rows, 9·c).

    >>> patches(np.arange(12).reshape(1, 3, 4, 1)).tolist()[0]
    [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0, 10.0]
    """
    x = as_float32("x", x)
    if x.ndim != 4 or min(x.shape[1:3]) < 3:
        raise ValueError(f"x: expected the shape (n, ≥3, ≥3, channels), got {x.shape}")
    windows = sliding_window_view(x, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(-1, 9 * x.shape[3])


def layer_inputs(weights: Arrays, images: np.ndarray, patches_of: int = 100) -> list[np.ndarray]:
    """The inputs of the four layers on these images, a row for each product: patches, patches, pixels, units.

    Parameters
    ----------
    weights : 8 arrays, kernels and biases in turn, as `MixedWeights` takes them
    images : shape (n, height, width, channels)
    patches_of : the patches of so many images, the first ones, are enough: an image has hundreds of them

    Returns
    -------
    list of four float32 matrices, (rows, inputs of the layer)
    """
    check_count("patches_of", patches_of)
    outputs = _outputs(MixedWeights(weights), images)
    return [patches(outputs[0][:patches_of]), patches(outputs[1][:patches_of]), *outputs[2:4]]


def logits(weights: Arrays, images: np.ndarray) -> np.ndarray:
    """What the network gives before its softmax: float32, (n, classes)."""
    return _outputs(MixedWeights(weights), images)[4]


def with_kernels(weights: Arrays, matrices: Arrays) -> list[np.ndarray]:
    """The weights with other kernels, given as matrices (inputs, outputs); the biases stay."""
    kernels, biases = weights[::2], weights[1::2]
    if len(matrices) != len(kernels):
        raise ValueError(f"matrices: expected {len(kernels)} of them, one for each kernel, got {len(matrices)}")
    shaped = [np.reshape(matrix, kernel.shape) for matrix, kernel in zip(matrices, kernels, strict=True)]
    return [array for pair in zip(shaped, biases, strict=True) for array in pair]


def _outputs(network: MixedWeights, images: np.ndarray) -> list[np.ndarray]:
    """The images, then what each layer gives."""
    checked_images(network, images)
    outputs = [as_float32("images", images)]
    for layer, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True)):
        x = outputs[-1]
        if layer == 2:
            outputs[-1] = x = x.reshape(len(x), -1)
        out = conv_relu_pool(x, kernel, bias) if layer < 2 else x @ kernel + bias
        outputs.append(np.maximum(out, 0) if layer == 2 else out)
    return outputs
