"""What the tensors of an int8 network say: scale and zero point of their codes, and where an activation clips them."""

from __future__ import annotations

import numpy as np

from qlib import fixedpoint as fp
from qlib.affine import quantize
from qlib.arguments import as_float32
from qlib.qparams import QParams
from qlib.tflite import Operator, Tensor, expect

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")  # by their numbers in the schema


def code(tensor: Tensor) -> tuple[np.float32, int]:
    """Scale and zero point of int8 codes, one pair for the whole tensor."""
    kind = f"{tensor.dtype} with {tensor.scale.size} scales"
    expect(
        tensor.dtype == np.int8 and tensor.scale.size == 1, f"int8 codes with one scale in tensor {tensor.index}", kind
    )
    expect(-128 <= tensor.zero_point[0] <= 127, "a zero point from -128 to 127", tensor.zero_point[0])
    # No product of two of them and no quotient by a third leaves float32.
    expect(2**-60 <= tensor.scale[0] <= 2**60, "a scale from 2^−60 to 2^60", tensor.scale[0])
    return tensor.scale[0], int(tensor.zero_point[0])


def same_codes(x: Tensor, out: Tensor) -> None:
    """Refuse an output that has another scale or zero point than the input."""
    (s_in, z_in), (s_out, z_out) = code(x), code(out)
    expect((s_in, z_in) == (s_out, z_out), f"the input's scale {s_in} and zero point {z_in}", f"{s_out} and {z_out}")


def limits(operator: Operator, out: Tensor) -> dict[str, tuple[int, int]]:
    """By kernel the lowest and highest code that the fused activation lets through.

    Its ends become codes by rounding ties away from zero; XNNPACK rounds after the zero point is added, half to even.
    """
    scale, zero_point = code(out)
    number = operator.options["fusedActivationFunction"]
    expect(number in range(len(ACTIVATIONS)), f"one of the activations {', '.join(ACTIVATIONS)}", f"number {number}")
    activation = ACTIVATIONS[number]
    reals = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU_N1_TO_1": (-1, 1), "RELU6": (0, 6)}[activation]
    away = fp.steps_half_away(np.array(reals), scale) + zero_point
    even = np.rint(np.array(reals, np.float32) / scale + np.float32(zero_point))
    expect(np.abs(away[np.isfinite(away)]).max(initial=0) < 2**31, "an activation's ends within int32", away)
    ends = {"reference": away, "no_delegate": away, "xnnpack": even}
    return {kernel: tuple(int(c) for c in np.clip(codes, -128, 127)) for kernel, codes in ends.items()}


def as_input(
    images: object, shape: tuple[int, ...], dtype: type, scale: float, zero_point: int, *, at_least: int = 0
) -> np.ndarray:
    """Images as a file's input of this shape (with its batch) and dtype takes them: reals are quantized for int8.

    Raises
    ------
    ValueError
        If the images are fewer than `at_least` or have another shape; if they are neither of the input's dtype nor
        reals; or if they hold NaN.
    """
    images, dtype = np.asarray(images), np.dtype(dtype)
    if images.ndim == 0 or images.shape[1:] != shape[1:] or len(images) < at_least:
        wanted = f"(n, {', '.join(map(str, shape[1:]))})" + (f", n >= {at_least}" if at_least else "")
        raise ValueError(f"images: expected shape {wanted}, got {images.shape}")
    if images.dtype == dtype and dtype != np.float32:
        return images
    if images.dtype.kind != "f":
        raise ValueError(f"images: expected {dtype} codes or real numbers, got dtype {images.dtype}")
    if dtype == np.float32:
        return as_float32("images", images)
    return quantize(images, QParams(np.float32(scale), zero_point, -128, 127))
