"""By how much the threshold of a calibrator misses the least error: the second table of bench.py.

Symmetric quantizers with all their codes (not narrow). A ratio of 1 is the least mean squared error there is, as
`ErrorProfile.best_threshold` finds it; "best ÷ grid" holds that against the best of 10,000 thresholds.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch.ao.quantization.observer import HistogramObserver

from qlib import CALIBRATORS, ErrorProfile, QParams, choose_qparams, qrange

DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "Student t(3)": lambda rng, n: rng.standard_t(3, n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
}


def plain_sse(x: np.ndarray, step: np.float32, qmin: int, qmax: int) -> float:
    x_hat = step * np.clip(np.rint(x / step), qmin, qmax)
    return float(np.sum((x.astype(np.float64) - x_hat) ** 2))


def torch_qparams(x: np.ndarray, num_bits: int) -> QParams:
    """HistogramObserver's choice. Its search supposes 256 levels, however few there are."""
    qmin, qmax = qrange(num_bits)
    options = dict(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric, reduce_range=False)
    observer = HistogramObserver(quant_min=qmin, quant_max=qmax, **options)
    observer(torch.from_numpy(x))
    scale, zero_point = observer.calculate_qparams()
    return QParams(scale.item(), zero_point.item(), qmin, qmax)


def calibration_rows(n: int, num_bits: int, grid: int = 10_000) -> list[dict[str, object]]:
    """One row for each distribution, n values of it."""
    rows, rng = [], np.random.default_rng(2)
    qmin, qmax = qrange(num_bits)
    codes = dict(num_bits=num_bits, symmetric=True)
    for name, draw in DISTRIBUTIONS.items():
        x = draw(rng, n).astype(np.float32)
        profile = ErrorProfile(x)
        best = profile.mse(QParams(np.float32(profile.best_threshold(num_bits) / qmax), 0, qmin, qmax))
        choices = {c: choose_qparams(*calibrator(x, **codes), **codes) for c, calibrator in CALIBRATORS.items()}
        choices["torch histogram"] = torch_qparams(x, num_bits)
        steps = np.float32(np.max(np.abs(x)) * np.arange(1, grid + 1) / grid / qmax)
        errors = profile.sse_by_step(steps, qmin, qmax)
        for i in rng.integers(grid, size=20):  # the grid is as exact as a plain one
            np.testing.assert_allclose(errors[i], plain_sse(x, steps[i], qmin, qmax), rtol=1e-5)
        ratios = {choice: profile.mse(p) / best for choice, p in choices.items()}
        ratios["best ÷ grid"] = best * n / min(errors)
        shown = {choice: f"{ratio:.4f}" for choice, ratio in ratios.items()}
        rows.append({"values": name, "bits": num_bits, "least MSE": best, **shown})
    return rows
