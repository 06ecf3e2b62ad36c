"""What the public functions accept: each check returns a clean value, or raises a `ValueError` with one sentence.

The sentence names the argument, what was expected and what came.
"""

from __future__ import annotations

import numpy as np


def as_array(name: str, x: object) -> np.ndarray:
    """x as an array, refused if its rows have different lengths."""
    try:
        return np.asarray(x)
    except ValueError:
        raise ValueError(f"{name}: expected an array of real numbers, got rows of different shapes") from None


def as_reals(name: str, x: object) -> np.ndarray:
    """x as an array of numbers, of its own dtype; refused if it isn't numeric or holds NaN (with their count)."""
    array = as_array(name, x)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if nans := np.count_nonzero(np.isnan(array)):
        raise ValueError(f"{name}: expected no NaN, got {nans} of {array.size} values")
    return array


def as_float32(name: str, x: object) -> np.ndarray:
    """x as a float32 array (x itself where it is one), refused as by `as_reals`."""
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes an infinity
        return as_reals(name, x).astype(np.float32, copy=False)


def refuse_unmeasurable(name: str, array: np.ndarray) -> None:
    """Refuse an array without values, or with ±inf (with their count)."""
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one value, got none")
    if infinite := np.count_nonzero(np.isinf(array)):
        raise ValueError(f"{name}: expected finite values, got {infinite} infinite of {array.size}")


def is_integer(value: object) -> bool:
    """Whether value is a Python or NumPy integer; True and False are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_flags(**flags: object) -> None:
    """Refuse an option that is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name}: expected True or False, got {value!r}")


def check_count(name: str, value: object, most: int | None = None) -> None:
    """Refuse what is no integer from 1 on, or from 1 to `most`."""
    if not is_integer(value) or value < 1 or (most is not None and value > most):
        wanted = "from 1 on" if most is None else f"from 1 to {most}"
        raise ValueError(f"{name}: expected an integer {wanted}, got {value!r}")


def check_axis(axis: object, ndim: int | None = None) -> None:
    """Refuse an axis that is neither None nor an integer, or that an array of `ndim` axes doesn't have."""
    if axis is None:
        return
    if not is_integer(axis):
        raise ValueError(f"axis: expected None or an integer, got {axis!r}")
    if ndim is not None and not -ndim <= axis < ndim:
        raise ValueError(f"axis: expected one of the {ndim} axes of the array, got {axis}")


def check_one_axis(axis: object, ndim: int) -> None:
    """As `check_axis`, but refuse None, too: where there must be one axis."""
    if axis is None:
        raise ValueError("axis: expected an integer, got None")
    check_axis(axis, ndim)


def check_shape(name: str, value: np.ndarray, axis: object) -> None:
    """Refuse what isn't a scalar for `axis=None`, or one-dimensional for an axis."""
    check_axis(axis)
    if value.ndim != (0 if axis is None else 1):
        wanted = "a scalar (axis is None)" if axis is None else f"one value per index of axis {axis}"
        raise ValueError(f"{name}: expected {wanted}, got shape {value.shape}")


def check_range(rmin: object, rmax: object, axis: int | None) -> list[np.ndarray]:
    """Both ends of a range as float64 arrays: finite, in order, without axes for `axis=None`, else with one."""
    ends = [as_array("rmin", rmin), as_array("rmax", rmax)]
    for name, end in zip(("rmin", "rmax"), ends, strict=True):
        if end.dtype.kind not in "fiu" or not np.isfinite(end).all():
            raise ValueError(f"{name}: expected finite numbers, got {end}")
        check_shape(name, end, axis)
    if ends[0].shape != ends[1].shape:
        raise ValueError(f"rmax: expected the shape of rmin, {ends[0].shape}, got {ends[1].shape}")
    if (ends[0] > ends[1]).any():
        raise ValueError(f"rmin: expected <= rmax={rmax}, got {rmin}")
    return [end.astype(np.float64) for end in ends]
