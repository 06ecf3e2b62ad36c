"""MX blocks: values by hand, ml_dtypes for the scale and the elements, torchao's conversion as a referee."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_small_floats import THEIRS

from qlib import mx
from qlib.groups import cut


def test_a_block_by_hand():
    """max 5 lies in [4, 8): exponent 2 − 2 = 0. max 7.9: too, and it saturates. max 0.03: −6 − 2 = −8."""
    w = np.array([5, 0.3, -1.7, 7.9, -7.1, 2.4, 0.03, 0, 0.01], np.float32)
    elements, exponents = mx.quantize_mx(w, size=3)
    assert exponents.tolist() == [0, 0, -8]
    # 5 is a tie of 4 and 6, to the even mantissa; 0.03 · 256 = 7.68 saturates, 0.01 · 256 = 2.56
    assert elements.tolist() == [[4, 0.5, -1.5], [6, -6, 2], [6, 0, 3]]
    assert mx.fake_quantize_mx(w, size=3).tolist() == [4, 0.5, -1.5, 6, -6, 2, 6 / 256, 0, 3 / 256]


@pytest.mark.parametrize(
    "element, exponent", [("E2M1", -2), ("E2M3", -2), ("E3M2", -4), ("E4M3", -8), ("E5M2", -15), ("INT8", 0)]
)
def test_the_exponent_of_the_element_is_taken_off(element, exponent):
    """The largest is 1.5; OCP MX 1.0, section 5.3: emax 2, 2, 4, 8, 15, and 0 for INT8."""
    blocks = np.array([[1.5, 0.1]], np.float32)
    assert mx.shared_exponents(blocks, element).tolist() == [exponent]


def test_int8_elements_by_hand():
    """Steps of 1/64; scale 2^0 for a largest of 1.99: code 127, saturated."""
    elements, exponents = mx.quantize_mx([1.999, -0.5, 1 / 64, 0.3 / 64], "INT8", size=4)
    assert exponents.tolist() == [0] and elements.tolist() == [[127 / 64, -0.5, 1 / 64, 0]]


def test_the_scale_stays_within_e8m0():
    blocks = np.array([[2.0**-149, 0], [0, 0], [3e38, 1]], np.float32)
    exponents = mx.shared_exponents(blocks, "E5M2")
    assert exponents.tolist() == [-127, -127, 127 - 15]
    scales = np.ldexp(1.0, exponents)
    assert np.array_equal(scales.astype(ml_dtypes.float8_e8m0fnu).astype(np.float64), scales)
    assert not mx.fake_quantize_mx(np.zeros(40)).any()


@given(st.integers(0, 2**32), st.sampled_from(list(THEIRS)), st.integers(-20, 20))
def test_ml_dtypes_gives_the_same(seed, element, power):
    w = (np.random.default_rng(seed).normal(size=(64, 3)) * 2.0**power).astype(np.float32)
    blocks = cut(w, 32)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    emax = int(np.log2(float(ml_dtypes.finfo(THEIRS[element]).max)))
    scales = np.exp2(np.floor(np.log2(largest.astype(np.float64))) - emax)
    most = float(ml_dtypes.finfo(THEIRS[element]).max)
    theirs = np.clip(blocks / scales, -most, most).astype(THEIRS[element]).astype(np.float32) * scales
    elements, exponents = mx.quantize_mx(w, element)
    assert np.array_equal(np.ldexp(elements, exponents[:, None]), theirs)


@pytest.mark.parametrize("element", ["E2M1", "E4M3", "E5M2"])
def test_torchao_gives_the_same(element):
    torch = pytest.importorskip("torch")
    tensors = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
    dtype = {"E2M1": "float4_e2m1fn_x2", "E4M3": "float8_e4m3fn", "E5M2": "float8_e5m2"}[element]
    w = np.random.default_rng(0).normal(size=(40, 128)).astype(np.float32)
    theirs = tensors.MXTensor.to_mx(torch.tensor(w), getattr(torch, dtype), 32).dequantize(torch.float32).numpy()
    np.testing.assert_array_equal(mx.fake_quantize_mx(w, element, axis=1), theirs)


@given(st.integers(0, 2**32), st.integers(1, 40), st.sampled_from(mx.ELEMENTS))
def test_a_power_of_two_changes_the_exponents_only(seed, size, element):
    w = np.random.default_rng(seed).normal(size=50).astype(np.float32)
    one, four = (mx.quantize_mx(v, element, size=size) for v in (w, 4 * w))
    assert np.array_equal(one[0], four[0]) and np.array_equal(one[1] + 2, four[1])
    assert np.array_equal(
        4 * mx.fake_quantize_mx(w, element, size=size), mx.fake_quantize_mx(4 * w, element, size=size)
    )


def test_bits_by_hand():
    assert [mx.mx_bits((64, 2), element) for element in mx.ELEMENTS] == [4.25, 6.25, 6.25, 8.25, 8.25, 8.25]
    assert mx.mx_bits((48,)) == pytest.approx(4 + 2 * 8 / 48)  # the second block is half empty
    assert mx.mx_bits((3, 64), size=16, axis=1) == 4.5


@pytest.mark.parametrize(
    "call, says",
    [
        (
            lambda: mx.quantize_mx([1.0], "FP4"),
            "element: expected one of ['E2M1', 'E2M3', 'E3M2', 'E4M3', 'E5M2', 'INT8'], got 'FP4'",
        ),
        (lambda: mx.quantize_mx([1.0], size=0), "size: expected an integer from 1 on, got 0"),
        (lambda: mx.fake_quantize_mx([np.inf]), "w: expected finite values, got 1 infinite of 1"),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says
