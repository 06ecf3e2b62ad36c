"""qlib: model quantization in NumPy, one equation one function.

`import qlib` loads NumPy and nothing heavier. What needs matplotlib, widgets or TensorFlow is loaded on first use.
"""

from importlib import import_module

from qlib.affine import QParams, choose_qparams, dequantize, fake_quantize, qrange, quantize
from qlib.calibrate import CALIBRATORS
from qlib.error import ErrorProfile, max_abs_error, mse, split_mse, sqnr_db

_ON_FIRST_USE = {
    "IntegerModel": "qlib.integer",
    "build_cnn": "qlib.mnist",
    "cnn_tensors": "qlib.mnist",
    "deploy": "qlib",
    "load_cnn": "qlib.mnist",
    "load_mnist": "qlib.mnist",
    "mnist": "qlib",
    "plots": "qlib",
    "widgets": "qlib",
}

__all__ = [
    "CALIBRATORS",
    "ErrorProfile",
    "QParams",
    "choose_qparams",
    "dequantize",
    "fake_quantize",
    "max_abs_error",
    "mse",
    "qrange",
    "quantize",
    "split_mse",
    "sqnr_db",
    *_ON_FIRST_USE,
]


def __getattr__(name: str):  # PEP 562
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module 'qlib' has no attribute {name!r}")
    home = _ON_FIRST_USE[name]
    return import_module(f"qlib.{name}") if home == "qlib" else getattr(import_module(home), name)
