"""What is refused, with the words it is refused in: the argument, what was expected, what came."""

import re
import shutil
from copy import deepcopy

import numpy as np
import pytest

import qlib
from qlib import CALIBRATORS, QParams, choose_qparams, dequantize, fake_quantize, qrange, quantize
from qlib.error import ErrorProfile, max_abs_error, mse, split_mse, sqnr_db
from qlib.mnist import DATA, cnn_tensors, load_cnn, load_mnist, verified

NAN, INF = np.nan, np.inf
INT8 = QParams(1, 0, -128, 127)
ROWS = QParams([1, 1], [0, 0], -128, 127, axis=0)  # two channels
RAGGED = [[1.0], [2.0, 3.0]]
ERRORS = (mse, max_abs_error, sqnr_db)
MAPS = (quantize, fake_quantize)
PROFILE, SIGNED_PROFILE = ErrorProfile([1.0, 2.0, 3.0]), ErrorProfile([[-1.0], [2.0]])
MEASURES = tuple(getattr(PROFILE, name) for name in ("sse", "mse", "sqnr_db", "split", "max_abs_error"))
BEST = (PROFILE.best_threshold, PROFILE.best_qparams)


def row(call, *args, says, marks=(), **options):
    """One line of the table: `call(*args, **options)` is refused, and the message begins with `says`."""
    name = f"{call.__module__.split('.')[-1]}.{call.__name__}: {says}"
    return pytest.param(call, args, options, says, id=name, marks=marks)


def each(calls, *args, says, **options):
    return [row(call, *args, says=says, **options) for call in calls]


# QParams checks these arguments under its own names for them.
CALIBRATE = tuple(CALIBRATORS.values())
BAD_INPUT = [
    # ---- bits
    row(qrange, 0, says="num_bits: expected an integer from 2 to 16 (signed), got 0"),
    row(qrange, 1, says="num_bits: expected an integer from 2 to 16 (signed), got 1"),
    row(qrange, 17, says="num_bits: expected an integer from 2 to 16 (signed), got 17"),
    row(qrange, -8, says="num_bits: expected an integer from 2 to 16 (signed), got -8"),
    row(qrange, "8", says="num_bits: expected an integer from 2 to 16 (signed), got '8'"),
    row(qrange, True, says="num_bits: expected an integer from 2 to 16 (signed), got True"),
    row(qrange, 8.0, says="num_bits: expected an integer from 2 to 16 (signed), got 8.0"),
    row(qrange, None, says="num_bits: expected an integer from 2 to 16 (signed), got None"),
    row(qrange, 0, signed=False, says="num_bits: expected an integer from 1 to 16 (unsigned), got 0"),
    row(qrange, 17, signed=False, says="num_bits: expected an integer from 1 to 16 (unsigned), got 17"),
    row(qrange, 1, signed=False, narrow_range=True, says="narrow_range: expected at least two codes, got num_bits=1"),
    # ---- flags
    row(qrange, 8, signed="no", says="signed: expected True or False, got 'no'"),
    row(qrange, 8, signed=0, says="signed: expected True or False, got 0"),
    row(qrange, 8, narrow_range=None, says="narrow_range: expected True or False, got None"),
    row(choose_qparams, -1, 1, signed="no", says="signed: expected True or False, got 'no'"),
    row(choose_qparams, -1, 1, narrow_range=None, says="narrow_range: expected True or False, got None"),
    row(choose_qparams, -1, 1, symmetric=None, says="symmetric: expected True or False, got None"),
    row(choose_qparams, -1, 1, symmetric=1, says="symmetric: expected True or False, got 1"),
    *each(CALIBRATE, [1.0], signed="no", says="signed: expected True or False, got 'no'"),
    *each(CALIBRATE, [1.0], narrow_range=None, says="narrow_range: expected True or False, got None"),
    *each(CALIBRATE, [1.0], symmetric=None, says="symmetric: expected True or False, got None"),
    *each(CALIBRATE, [1.0], symmetric=1, says="symmetric: expected True or False, got 1"),
    row(choose_qparams, -1, 1, num_bits=1, says="num_bits: expected an integer from 2 to 16 (signed), got 1"),
    *each(CALIBRATE, [1.0], num_bits=17, says="num_bits: expected an integer from "),
    *each(CALIBRATE, [1.0], num_bits=1, says="num_bits: expected an integer from 2 to 16 (signed), got 1"),
    *each(
        CALIBRATE, [1.0], num_bits=0, signed=False, says="num_bits: expected an integer from 1 to 16 (unsigned), got 0"
    ),
    # ---- the range
    row(choose_qparams, 2, 1, says="rmin: expected <= rmax=1, got 2"),
    row(choose_qparams, [0, 2], [1, 1], axis=0, says="rmin: expected <= rmax=[1, 1], got [0, 2]"),
    row(choose_qparams, NAN, 1, says="rmin: expected finite numbers, got nan"),
    row(choose_qparams, 0, INF, says="rmax: expected finite numbers, got inf"),
    row(choose_qparams, "0", 1, says="rmin: expected finite numbers, got 0"),
    row(choose_qparams, 0, None, says="rmax: expected finite numbers, got None"),
    row(choose_qparams, 0, 1j, says="rmax: expected finite numbers, got 1j"),
    row(choose_qparams, [[0], [0, 0]], [1, 1], axis=0, says="rmin: expected"),
    row(choose_qparams, 0, 1e60, says="scale: expected finite values > 0 in float32, got inf"),
    row(choose_qparams, [0, 0], [1, 1], says="rmin: expected a scalar (axis is None), got shape (2,)"),
    row(choose_qparams, 0, 1, axis=1, says="rmin: expected one value per index of axis 1, got shape ()"),
    row(choose_qparams, [0, 0], [1], axis=0, says="rmax: expected the shape of rmin, (2,), got (1,)"),
    row(choose_qparams, [0], [1], axis="0", says="axis: expected None or an integer, got '0'"),
    row(choose_qparams, [0], [1], axis=True, says="axis: expected None or an integer, got True"),
    row(
        choose_qparams,
        -1,
        1,
        symmetric=True,
        signed=False,
        says="rmin: expected >= 0, because unsigned symmetric codes hold no negative value, got -1",
    ),
    row(
        choose_qparams,
        0,
        1,
        symmetric=True,
        signed=False,
        narrow_range=True,
        says="narrow_range: expected False, because unsigned symmetric needs the code 0, got True",
    ),
    # ---- QParams
    row(QParams, 0, 0, -128, 127, says="scale: expected finite values > 0 in float32, got 0"),
    row(QParams, -0.5, 0, -128, 127, says="scale: expected finite values > 0 in float32, got -0.5"),
    row(QParams, INF, 0, -128, 127, says="scale: expected finite values > 0 in float32, got inf"),
    row(QParams, NAN, 0, -128, 127, says="scale: expected no NaN, got 1 of 1 values"),
    row(QParams, 1e-50, 0, -128, 127, says="scale: expected finite values > 0 in float32, got 1e-50"),
    row(QParams, [1, 0], [0, 0], -128, 127, 0, says="scale: expected finite values > 0 in float32, got [1, 0]"),
    row(QParams, "1", 0, -128, 127, says="scale: expected real numbers, got dtype <U1"),
    row(QParams, None, 0, -128, 127, says="scale: expected real numbers, got dtype object"),
    row(QParams, 1, 128, -128, 127, says="zero_point: expected integers in [-128, 127], got 128"),
    row(QParams, 1, -129, -128, 127, says="zero_point: expected integers in [-128, 127], got -129"),
    row(QParams, 1, 0, 1, 255, says="zero_point: expected integers in [1, 255], got 0"),
    row(QParams, 1, 0.0, -128, 127, says="zero_point: expected integers in [-128, 127], got 0.0"),
    row(QParams, 1, 2**70, -128, 127, says="zero_point: expected integers in [-128, 127], got 1180591620717411303424"),
    row(QParams, 1, True, -128, 127, says="zero_point: expected integers in [-128, 127], got True"),
    row(QParams, [1, 1], 0, -128, 127, 0, says="zero_point: expected the shape of scale, (2,), got ()"),
    row(QParams, [1, 1], [0, 0], -128, 127, says="scale: expected a scalar (axis is None), got shape (2,)"),
    row(QParams, [[1]], [[0]], -128, 127, 0, says="scale: expected one value per index of axis 0, got shape (1, 1)"),
    row(QParams, [1], [0], -128, 127, 0.0, says="axis: expected None or an integer, got 0.0"),
    row(QParams, 1, 5, 5, 5, says="qmin: expected less than qmax=5, got 5"),
    row(QParams, 1, 0, 127, -128, says="qmin: expected less than qmax=-128, got 127"),
    row(QParams, 1, 0, -128.0, 127, says="qmin: expected an integer in [-32768, 65535], got -128.0"),
    row(QParams, 1, 0, -128, 65536, says="qmax: expected an integer in [-32768, 65535], got 65536"),
    row(QParams, [[1], [1, 1]], [0, 0], -128, 127, 0, says="scale: expected an array of real numbers, got rows of"),
    row(QParams, [1, 1], [[0], [0, 0]], -128, 127, 0, says="zero_point: expected"),
    *each((*MAPS, split_mse), [1.0], 0.1, says="qparams: expected a QParams, got 0.1"),
    row(dequantize, [1], 0.1, says="qparams: expected a QParams, got 0.1"),
    # ---- x of the maps
    *each(MAPS, [1, NAN, NAN], INT8, says="x: expected no NaN, got 2 of 3 values"),
    *each(MAPS, NAN, INT8, says="x: expected no NaN, got 1 of 1 values"),
    *each(MAPS, [1j], INT8, says="x: expected real numbers, got dtype complex128"),
    *each(MAPS, ["1"], INT8, says="x: expected real numbers, got dtype <U1"),
    *each(MAPS, [None], INT8, says="x: expected real numbers, got dtype object"),
    *each(MAPS, [True], INT8, says="x: expected real numbers, got dtype bool"),
    *each((*MAPS, split_mse), RAGGED, INT8, says="x: expected an array of real numbers, got rows of different shapes"),
    *each(MAPS, np.ones(2), QParams([1], [0], 0, 255, 1), says="axis: expected one of the 1 axes of the array, got 1"),
    *each(
        MAPS, np.ones(2), QParams([1], [0], 0, 255, -2), says="axis: expected one of the 1 axes of the array, got -2"
    ),
    *each(MAPS, 1.0, ROWS, says="axis: expected one of the 0 axes of the array, got 0"),
    *each(MAPS, np.ones((3, 2)), ROWS, says="axis: expected 2 channels along axis 0, got shape (3, 2)"),
    # one channel would broadcast silently
    *each(MAPS, np.ones((1, 2)), ROWS, says="axis: expected 2 channels along axis 0, got shape (1, 2)"),
    # ---- codes
    row(dequantize, [0.0, 1.0], INT8, says="q: expected integer codes, got dtype float64"),
    row(dequantize, [True], INT8, says="q: expected integer codes, got dtype bool"),
    row(dequantize, ["1"], INT8, says="q: expected integer codes, got dtype <U1"),
    row(dequantize, [[1], [2, 3]], INT8, says="q: expected"),
    row(dequantize, [0, 128], INT8, says="q: expected codes in [-128, 127], got 0 to 128"),
    row(dequantize, [-129, 3], INT8, says="q: expected codes in [-128, 127], got -129 to 3"),
    row(dequantize, [[1], [2], [3]], ROWS, says="axis: expected 2 channels along axis 0, got shape (3, 1)"),
    # ---- errors
    *each(ERRORS, [1, 2], [1, 2, 3], says="x_hat: expected the shape of x, (2,), got (3,)"),
    *each(ERRORS, [1, 2], [1], says="x_hat: expected the shape of x, (2,), got (1,)"),
    *each(ERRORS, [[1, 2]], [1, 2], says="x_hat: expected the shape of x, (1, 2), got (2,)"),
    *each(ERRORS, [], [], says="x: expected at least one value, got none"),
    *each(ERRORS, [NAN, 1], [0, 1], says="x: expected no NaN, got 1 of 2 values"),
    *each(ERRORS, [0, 1], [NAN, NAN], says="x_hat: expected no NaN, got 2 of 2 values"),
    *each(ERRORS, [1j], [1], says="x: expected real numbers, got dtype complex128"),
    *each(ERRORS, [1], ["1"], says="x_hat: expected real numbers, got dtype <U1"),
    *each(ERRORS, RAGGED, [1.0], says="x: expected an array of real numbers, got rows of different shapes"),
    *each(ERRORS, [1.0], RAGGED, says="x_hat: expected an array of real numbers, got rows of different shapes"),
    *each(ERRORS, [INF, 1], [INF, 1], says="x: expected"),  # inf - inf is NaN
    row(split_mse, [], INT8, says="x: expected at least one value, got none"),
    row(split_mse, [1, NAN], INT8, says="x: expected no NaN, got 1 of 2 values"),
    row(split_mse, np.ones(3), ROWS, says="axis: expected 2 channels along axis 0, got shape (3,)"),
    # ---- ErrorProfile
    row(ErrorProfile, [], says="x: expected at least one value, got none"),
    row(ErrorProfile, np.empty((3, 0)), says="x: expected at least one value, got none"),
    row(ErrorProfile, [NAN, 1, NAN], says="x: expected no NaN, got 2 of 3 values"),
    row(ErrorProfile, [INF, 1, -INF], says="x: expected finite values, got 2 infinite of 3"),
    row(ErrorProfile, [1e39, 1], says="x: expected finite values, got 1 infinite of 2"),
    row(ErrorProfile, ["1"], says="x: expected real numbers, got dtype <U1"),
    row(ErrorProfile, "1", says="x: expected real numbers, got dtype <U1"),
    row(ErrorProfile, [1j], says="x: expected real numbers, got dtype complex128"),
    row(ErrorProfile, None, says="x: expected real numbers, got dtype object"),
    row(ErrorProfile, [True], says="x: expected real numbers, got dtype bool"),
    row(ErrorProfile, RAGGED, says="x: expected an array of real numbers, got rows of different shapes"),
    *each(MEASURES, 0.1, says="qparams: expected a QParams, got 0.1"),
    *each(MEASURES, None, says="qparams: expected a QParams, got None"),
    *each(MEASURES, (0.1, 0), says="qparams: expected a QParams, got (0.1, 0)"),
    *each(MEASURES, ROWS, says="axis: expected 2 channels along axis 0, got shape (3,)"),
    *each(MEASURES, QParams([1], [0], 0, 255, 0), says="axis: expected 1 channels along axis 0, got shape (3,)"),
    *each(MEASURES, QParams([1], [0], 0, 255, 1), says="axis: expected one of the 1 axes of the array, got 1"),
    *each(MEASURES, QParams([1], [0], 0, 255, -2), says="axis: expected one of the 1 axes of the array, got -2"),
    row(ErrorProfile(2.0).sse, ROWS, says="axis: expected one of the 0 axes of the array, got 0"),
    # one channel would broadcast silently
    row(ErrorProfile(np.ones((1, 2))).sse, ROWS, says="axis: expected 2 channels along axis 0, got shape (1, 2)"),
    row(PROFILE.sse_by_step, [1, 0], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [1, -0.5], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [NAN, 1], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [1, INF], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [1e-50], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [[1, 2]], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, 1.0, -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, ["1"], -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, None, -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, RAGGED, -128, 127, says="steps: expected"),
    row(PROFILE.sse_by_step, [1], 1, 255, says="qmin: expected"),
    row(PROFILE.sse_by_step, [1], -255, -1, says="qmax: expected"),
    row(PROFILE.sse_by_step, [1], 5, 5, says="qmin: expected less than qmax=5, got 5"),
    row(PROFILE.sse_by_step, [1], 127, -128, says="qmin: expected less than qmax=-128, got 127"),
    row(PROFILE.sse_by_step, [1], -128.0, 127, says="qmin: expected an integer in [-32768, 65535], got -128.0"),
    row(PROFILE.sse_by_step, [1], 0, 65536, says="qmax: expected an integer in [-32768, 65535], got 65536"),
    *each(BEST, 1, says="num_bits: expected an integer from 2 to 16 (signed), got 1"),
    *each(BEST, 17, says="num_bits: expected an integer from 2 to 16 (signed), got 17"),
    *each(BEST, "8", says="num_bits: expected an integer from 2 to 16 (signed), got '8'"),
    *each(BEST, 8.0, says="num_bits: expected an integer from 2 to 16 (signed), got 8.0"),
    *each(BEST, None, says="num_bits: expected an integer from 2 to 16 (signed), got None"),
    *each(BEST, 0, signed=False, says="num_bits: expected an integer from 1 to 16 (unsigned), got 0"),
    *each(BEST, 8, signed="no", says="signed: expected True or False, got 'no'"),
    *each(BEST, 8, narrow_range=None, says="narrow_range: expected True or False, got None"),
    row(PROFILE.best_qparams, 8, symmetric=1, says="symmetric: expected True or False, got 1"),
    row(PROFILE.best_qparams, 8, symmetric=None, axis=0, says="symmetric: expected True or False, got None"),
    row(
        PROFILE.best_threshold,
        8,
        signed=False,
        narrow_range=True,
        says="narrow_range: expected False, because unsigned symmetric needs the code 0, got True",
    ),
    row(SIGNED_PROFILE.best_threshold, 8, signed=False, says="rmin: expected >= 0, because unsigned symmetric"),
    row(
        SIGNED_PROFILE.best_qparams,
        8,
        signed=False,
        symmetric=True,
        axis=0,
        says="rmin: expected >= 0, because unsigned symmetric",
    ),
    row(PROFILE.best_qparams, 8, axis=5, says="axis: expected one of the 1 axes of the array, got 5"),
    row(PROFILE.best_qparams, 8, axis=-2, says="axis: expected one of the 1 axes of the array, got -2"),
    row(PROFILE.best_qparams, 8, axis="0", says="axis: expected None or an integer, got '0'"),
    row(PROFILE.best_qparams, 8, axis=1.0, says="axis: expected None or an integer, got 1.0"),
    row(PROFILE.best_qparams, 8, axis=True, says="axis: expected None or an integer, got True"),
    row(ErrorProfile(1.0).best_qparams, 8, axis=0, says="axis: expected one of the 0 axes of the array, got 0"),
    # ---- calibrators
    *each(CALIBRATE, [], says="x: expected at least one value, got none"),
    *each(CALIBRATE, np.empty((0, 3)), axis=1, says="x: expected at least one value, got none"),
    *each(CALIBRATE, [NAN, 1, NAN], says="x: expected no NaN, got 2 of 3 values"),
    *each(CALIBRATE, [INF, 1, -INF, INF], says="x: expected finite values, got 3 infinite of 4"),
    *each(CALIBRATE, [1e39, 1], says="x: expected finite values, got 1 infinite of 2"),
    *each(CALIBRATE, [1j], says="x: expected real numbers, got dtype complex128"),
    *each(CALIBRATE, ["1"], says="x: expected real numbers, got dtype <U1"),
    *each(CALIBRATE, [None], says="x: expected real numbers, got dtype object"),
    *each(CALIBRATE, [True], says="x: expected real numbers, got dtype bool"),
    *each(CALIBRATE, RAGGED, says="x: expected an array of real numbers, got rows of different shapes"),
    *each(CALIBRATE, [1.0, 2.0], axis=1, says="axis: expected one of the 1 axes of the array, got 1"),
    *each(CALIBRATE, [1.0, 2.0], axis=-2, says="axis: expected one of the 1 axes of the array, got -2"),
    *each(CALIBRATE, 1.0, axis=0, says="axis: expected one of the 0 axes of the array, got 0"),
    *each(CALIBRATE, np.ones((2, 2)), axis="0", says="axis: expected None or an integer, got '0'"),
    *each(CALIBRATE, np.ones((2, 2)), axis=1.0, says="axis: expected None or an integer, got 1.0"),
    *each(CALIBRATE, np.ones((2, 2)), axis=True, says="axis: expected None or an integer, got True"),
    row(CALIBRATORS["percentile"], [1.0], percent=0, says="percent: expected a number in (0, 100], got 0"),
    row(CALIBRATORS["percentile"], [1.0], percent=-1, says="percent: expected a number in (0, 100], got -1"),
    row(CALIBRATORS["percentile"], [1.0], percent=100.1, says="percent: expected a number in (0, 100], got 100.1"),
    row(CALIBRATORS["percentile"], [1.0], percent=NAN, says="percent: expected a number in (0, 100], got nan"),
    row(CALIBRATORS["percentile"], [1.0], percent="99", says="percent: expected a number in (0, 100], got '99'"),
    row(CALIBRATORS["mse"], [1.0], candidates=0, says="candidates: expected an integer from 1 on, got 0"),
    row(CALIBRATORS["mse"], [1.0], candidates=2.5, says="candidates: expected an integer from 1 on, got 2.5"),
    row(
        CALIBRATORS["mse"], [-1.0], symmetric=True, signed=False, says="rmin: expected >= 0, because unsigned symmetric"
    ),
    row(CALIBRATORS["entropy"], [1.0], bins=0, says="bins: expected an integer from 1 on, got 0"),
    row(CALIBRATORS["entropy"], [1.0, 2.0], bins=256.5, says="bins: expected an integer from 1 on, got 256.5"),
    # ---- the network's tensors
    row(cnn_tensors, 0, says="n_images: expected an integer from 1 to 10000, got 0"),
    row(cnn_tensors, 10_001, says="n_images: expected an integer from 1 to 10000, got 10001"),
    row(cnn_tensors, -9_999, says="n_images: expected"),
    row(cnn_tensors, "3", says="n_images: expected"),
]


@pytest.mark.parametrize("call, args, options, says", BAD_INPUT)
def test_bad_input_is_refused_in_words_and_left_alone(call, args, options, says):
    before = deepcopy((args, options))
    with pytest.raises(ValueError, match=re.escape(says)) as refusal:
        call(*args, **options)
    assert str(refusal.value).startswith(says)
    assert ": expected" in str(refusal.value) and "got " in str(refusal.value)
    for given, kept in zip((*args, *options.values()), (*before[0], *before[1].values()), strict=True):
        np.testing.assert_equal(given, kept)


# ----------------------------------------------------- what is not refused


def test_infinity_saturates_in_quantize():
    assert quantize([INF, -INF, 0], INT8).tolist() == [127, -128, 0]
    assert fake_quantize([INF, -INF], QParams([0.5, 2], [1, 0], 0, 3, axis=0)).tolist() == [1, 0]


def test_empty_input_is_fine_for_the_maps():
    assert quantize([], INT8).shape == dequantize([], INT8).shape == fake_quantize([], INT8).shape == (0,)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("calibrator", CALIBRATORS)
@pytest.mark.parametrize("value", [0, 2.5, -2.5, 1e-40, 3e38])
def test_a_constant_tensor_goes_all_the_way(calibrator, value, symmetric):
    x = np.full(7, value, np.float32)
    qparams = choose_qparams(*CALIBRATORS[calibrator](x, symmetric=symmetric), symmetric=symmetric)
    # a value at the end of its range, or smaller than the smallest step, is at most half a step away
    np.testing.assert_allclose(fake_quantize(x, qparams), x, rtol=2.0**-22, atol=2.0**-127)


def test_an_all_zero_tensor_gets_scale_1():
    qparams = choose_qparams(*CALIBRATORS["minmax"](np.zeros(3)))
    assert qparams == QParams(1, 0, -128, 127) and fake_quantize(np.zeros(3), qparams).tolist() == [0, 0, 0]


# ---------------------------------------------------------------- data files


def altered(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


@pytest.fixture
def data_copy(tmp_path):
    for name in ("mnist.npz", "mnist_cnn.keras", "SHA256SUMS"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name, load", [("mnist.npz", load_mnist), ("mnist_cnn.keras", load_cnn)])
@pytest.mark.parametrize(
    "damage, says",
    [
        (altered, r"expected SHA-256 {sha}…, got [0-9a-f]{{12}}… in {size:,} bytes \(altered\)"),
        (truncated, r"expected SHA-256 {sha}…, got [0-9a-f]{{12}}… in {half:,} bytes \(truncated or not a zip file\)"),
        (emptied, r"expected SHA-256 {sha}…, got e3b0c44298fc… in 0 bytes \(truncated or not a zip file\)"),
    ],
)
def test_a_damaged_data_file_is_refused(data_copy, name, load, damage, says):
    size = (data_copy / name).stat().st_size
    lines = (data_copy / "SHA256SUMS").read_text().splitlines()
    sha = next(line for line in lines if line.endswith("  " + name))[:12]
    damage(data_copy / name)
    damaged = (data_copy / name).read_bytes()
    message = f"^{re.escape(name)}: " + says.format(sha=sha, size=size, half=size // 2)
    with pytest.raises(ValueError, match=message + r"\. Mend it with: git checkout -- data$"):
        load(folder=data_copy)
    assert (data_copy / name).read_bytes() == damaged  # it is not mended behind one's back


@pytest.mark.parametrize("load, name", [(load_mnist, "mnist.npz"), (load_cnn, "mnist_cnn.keras")])
@pytest.mark.parametrize("missing", ["the file", "SHA256SUMS"])
def test_a_missing_file_is_refused(data_copy, load, name, missing):
    path = data_copy / (name if missing == "the file" else missing)
    path.unlink()
    says = f"{name}: expected the file {path}, got none (missing). Mend it with: git checkout -- data"
    with pytest.raises(ValueError, match=re.escape(says)):
        load(folder=data_copy)


def test_a_file_that_has_no_hash_is_refused(data_copy):
    (data_copy / "SHA256SUMS").write_text("")
    with pytest.raises(ValueError, match=r"mnist.npz: expected a line in SHA256SUMS, got none\. Mend it with"):
        verified("mnist.npz", data_copy)


def test_a_damaged_list_of_hashes_is_refused(data_copy):
    (data_copy / "SHA256SUMS").write_text("06af5dfe73b7")
    with pytest.raises(ValueError, match=r"SHA256SUMS.*Mend it with"):
        verified("mnist.npz", data_copy)


def test_the_copies_themselves_are_sound(data_copy):
    # Otherwise the refusals above could have another cause.
    assert qlib.load_mnist(folder=data_copy)[1][1][:3].tolist() == [7, 2, 1]
    assert verified("mnist_cnn.keras", data_copy) == data_copy / "mnist_cnn.keras"
