"""NF4: the sixteen published numbers, values by hand, and torchao's quantizer as a referee."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from qlib import nf4
from qlib.clusters import kmeans
from qlib.groups import cut

# Dettmers et al. 2023, appendix E: the numbers that the paper gives.
PUBLISHED = [
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
]


def test_levels_are_those_of_the_paper():
    levels = nf4.normal_float()
    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, PUBLISHED, atol=1e-6)


@pytest.mark.parametrize("num_bits", range(2, 9))
def test_levels_are_quantiles(num_bits):
    """Their probabilities, after the last one is scaled back to 1 − δ, are evenly spaced on each side of ½."""
    levels = nf4.normal_float(num_bits).astype(np.float64)
    n = 2**num_bits
    assert levels.size == n and (np.diff(levels) > 0).all()
    assert levels[0] == -1 and levels[-1] == 1 and levels[n // 2 - 1] == 0
    p = norm.cdf(levels * norm.ppf(1 - (1 / (2 * n) + 1 / (2 * n - 2)) / 2))
    for side in (p[: n // 2], p[n // 2 - 1 :]):
        np.testing.assert_allclose(np.diff(side), np.diff(side).mean(), atol=1e-6)


def test_nearest_level_by_hand():
    """Largest |w| 8: w / 8 is −1, 0.25, 0.0625; borders lie at 0.1, 0.35."""
    levels = [-1, -0.5, 0, 0.2, 0.5, 1]
    codes, scales = nf4.quantize_levels([-8, 2, 0.5, 0], levels, size=4)
    assert codes.tolist() == [[0, 3, 2, 2]] and scales.tolist() == [8] and codes.dtype == np.uint8
    x_hat = nf4.fake_quantize_levels([-8, 2, 0.5, 0], levels, size=4)
    assert x_hat.tolist() == pytest.approx([-8, 1.6, 0, 0]) and x_hat.dtype == np.float32


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 20), st.sampled_from([0, 1, -1]))
def test_the_largest_and_zeros_are_kept(seed, size, axis):
    w = np.random.default_rng(seed).normal(size=(13, 9)).astype(np.float16).astype(np.float32)
    w[::3, ::2] = 0
    w_hat = nf4.fake_quantize_levels(w, nf4.normal_float(), size, axis=axis)
    assert w_hat.shape == w.shape and not w_hat[w == 0].any()
    largest, kept = (np.abs(cut(v, size, axis)).max(axis=1) for v in (w, w_hat))
    np.testing.assert_array_equal(kept, largest)


def test_a_block_of_zeros():
    assert nf4.fake_quantize_levels(np.zeros(70), nf4.normal_float()).tolist() == [0] * 70


def test_torchao_chooses_the_same_levels():
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("torchao.quantization.quantize_.workflows.nf4.nf4_tensor")
    w = np.random.default_rng(0).normal(size=(8, 4096)).astype(np.float32)
    theirs = module.NF4Tensor.from_tensor(torch.tensor(w), 64, 256)
    np.testing.assert_allclose(nf4.normal_float(), theirs.nf4.numpy(), atol=1e-4)  # they round to four digits
    codes = theirs.quantized_data.numpy()  # two in a byte
    codes = np.stack([codes >> 4, codes & 15], axis=-1).reshape(-1, 64)
    ours, _ = nf4.quantize_levels(w, nf4.normal_float(), axis=1)
    assert np.mean(ours == codes) > 0.98  # their scales are in 8 bits, so weights near a border change sides
    assert np.abs(ours.astype(int) - codes).max() <= 1


def test_lloyds_levels_have_less_error_than_their_start():
    blocks = cut(np.random.default_rng(0).normal(size=6400), 64)
    z = blocks / np.abs(blocks).max(axis=1, keepdims=True)
    levels = kmeans(z, nf4.normal_float())
    errors = [np.mean((z - nf4.fake_quantize_levels(z, each, axis=1)) ** 2) for each in (levels, nf4.normal_float())]
    assert errors[0] < errors[1]


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: nf4.normal_float(1), "num_bits: expected an integer from 2 to 8, got 1"),
        (lambda: nf4.normal_float(9), "num_bits: expected an integer from 2 to 8, got 9"),
        (lambda: nf4.quantize_levels([1.0], np.linspace(-1, 1, 300)), "levels: expected at most 256, got 300"),
        (lambda: nf4.quantize_levels([1.0], [1, 0]), "levels: expected one axis, rising, got [1. 0.]"),
        (lambda: nf4.quantize_levels([np.nan], [0, 1]), "w: expected no NaN, got 1 of 1 values"),
    ],
)
def test_refusals(call, says):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == says
