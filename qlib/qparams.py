"""`QParams`: the parameters of one quantizer, and the shape in which they meet an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qlib.arguments import as_array, as_float32, check_axis, check_shape, is_integer

SMALLEST_SCALE = np.finfo(np.float32).tiny  # below it float32 loses digits of the scale, then all of it


@dataclass(frozen=True, eq=False)
class QParams:
    """The parameters of one quantizer, checked when made and never changed after.

    Attributes
    ----------
    scale : float32, or read-only float32 array of shape (channels,)
        The step Δ > 0, in units of x.
    zero_point : int, or read-only int32 array of shape (channels,)
        The code of the real 0, in [qmin, qmax].
    qmin, qmax : int
        Lowest and highest code, within −32768 … 65535.
    axis : int or None
        None: one scale for the whole tensor. k: one scale for each index of axis k.

    Raises
    ------
    ValueError
        If one of them breaks its rule.

    Examples
    --------
    >>> QParams(scale=0.5, zero_point=0, qmin=-128, qmax=127)
    QParams(scale=np.float32(0.5), zero_point=0, qmin=-128, qmax=127, axis=None)
    """

    scale: np.float32 | np.ndarray
    zero_point: int | np.ndarray
    qmin: int
    qmax: int
    axis: int | None = None

    def __post_init__(self) -> None:
        for name in ("qmin", "qmax"):
            code = getattr(self, name)
            if not is_integer(code) or not -(2**15) <= code < 2**16:
                raise ValueError(f"{name}: expected an integer in [-32768, 65535], got {code!r}")
        if self.qmin >= self.qmax:
            raise ValueError(f"qmin: expected less than qmax={self.qmax}, got {self.qmin}")
        scale, zero_point = np.array(as_float32("scale", self.scale)), as_array("zero_point", self.zero_point)
        check_shape("scale", scale, self.axis)
        if scale.shape != zero_point.shape:
            raise ValueError(f"zero_point: expected the shape of scale, {scale.shape}, got {zero_point.shape}")
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise ValueError(f"scale: expected finite values > 0 in float32, got {self.scale}")
        inside = zero_point.dtype.kind in "iu" and ((zero_point >= self.qmin) & (zero_point <= self.qmax)).all()
        if not inside:
            raise ValueError(f"zero_point: expected integers in [{self.qmin}, {self.qmax}], got {self.zero_point!r}")
        zero_point = zero_point.astype(np.int32)
        scale.flags.writeable = zero_point.flags.writeable = False
        object.__setattr__(self, "scale", scale[()])  # [()] turns an array without axes into a scalar
        object.__setattr__(self, "zero_point", zero_point if scale.ndim else int(zero_point))
        low, high = np.float32(self.qmin - zero_point), np.float32(self.qmax - zero_point)
        with np.errstate(over="ignore"):  # an x_hat beyond float32
            reals = (scale, zero_point, low, high, scale * low, scale * high)
        object.__setattr__(self, "_reals", tuple(np.asarray(values, np.float32) for values in reals))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QParams):
            return NotImplemented
        same = (self.qmin, self.qmax, self.axis) == (other.qmin, other.qmax, other.axis)
        same = same and np.array_equal(self.scale, other.scale)
        return same and np.array_equal(self.zero_point, other.zero_point)

    __hash__ = None  # may hold arrays

    @property
    def codes(self) -> tuple[int, int]:
        """Lowest and highest code counted from zero: `qmin - zero_point, qmax - zero_point`."""
        return self.qmin - self.zero_point, self.qmax - self.zero_point

    @property
    def dtype(self) -> type[np.integer]:
        """The smallest integer type that holds [qmin, qmax], unsigned where no code is negative."""
        if self.qmin >= 0:
            return np.uint8 if self.qmax < 2**8 else np.uint16
        widest = max(self.qmax, -self.qmin - 1)
        return np.int8 if widest < 2**7 else np.int16 if widest < 2**15 else np.int32


def broadcast_qparams(qparams: QParams, x: np.ndarray) -> Sequence[np.ndarray]:
    """What codes and reals are computed with: float32 arrays, shaped to meet x along the kept axis.

    They are the scale, the zero point, the lowest and the highest code counted from zero, and the x_hat of these two.
    Refuses an axis that x lacks.
    """
    if not isinstance(qparams, QParams):
        raise ValueError(f"qparams: expected a QParams, got {qparams!r}")
    if qparams.axis is None:
        return qparams._reals
    axis = qparams.axis
    check_axis(axis, x.ndim)
    if x.shape[axis] != qparams.scale.size:
        raise ValueError(f"axis: expected {qparams.scale.size} channels along axis {axis}, got shape {x.shape}")
    shape = [1] * x.ndim
    shape[axis] = -1
    return [values.reshape(shape) for values in qparams._reals]
