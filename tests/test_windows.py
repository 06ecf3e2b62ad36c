"""Windows against geometry by hand and NumPy's own sliding windows; sums against int64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.lib.stride_tricks import sliding_window_view

from qlib.tflite import Operator, Tensor
from qlib.windows import EXACT, LARGEST, Window, exact_sums

SAME, VALID = 0, 1


def tensor(*shape):
    return Tensor(0, "x", shape, np.dtype(np.int8), np.ones(1, np.float32), np.zeros(1, np.int64), 0, None)


def window(image, size, stride, padding, outputs, channels=1, filters=None, n=1):
    options = dict(strideH=stride[0], strideW=stride[1], padding=padding)
    operator = Operator(0, "MAX_POOL_2D", (0,), (1,), options)
    return Window(operator, size, tensor(n, *image, channels), tensor(n, *outputs, filters or channels))


# ------------------------------------------------------------------- geometry


@pytest.mark.parametrize(
    "n, size, stride, padding, outputs, before, after",
    [
        (28, 3, 1, VALID, 26, 0, 0),
        (26, 2, 2, VALID, 13, 0, 0),
        (11, 2, 2, VALID, 5, 0, 0),  # the last pixel is read by none
        (5, 5, 3, VALID, 1, 0, 0),
        (28, 3, 1, SAME, 28, 1, 1),
        (28, 3, 2, SAME, 14, 0, 1),  # one pixel is missing: it goes behind
        (7, 3, 2, SAME, 4, 1, 1),
        (7, 2, 1, SAME, 7, 0, 1),
        (7, 4, 2, SAME, 4, 1, 2),  # (4 − 1) · 2 + 4 − 7 = 3
        (7, 5, 3, SAME, 3, 2, 2),
        (10, 1, 3, SAME, 4, 0, 0),
        (5, 2, 4, SAME, 2, 0, 1),
        (1, 5, 2, SAME, 1, 2, 2),
    ],
)
def test_where_windows_stand(n, size, stride, padding, outputs, before, after):
    rows = window((n, 8), (size, 3), (stride, 1), padding, (outputs, 8 if padding == SAME else 6))
    assert rows.outputs[0] == outputs and rows.padding[1] == (before, after)
    columns = window((8, n), (3, size), (1, stride), padding, (8 if padding == SAME else 6, outputs))
    assert columns.outputs[1] == outputs and columns.padding[2] == (before, after)
    assert rows.padding[0] == rows.padding[3] == (0, 0)


def test_taps_by_hand():
    # Rows 0 to 6 and one of padding behind; a window of 2 rows every 3 rows, of 1 column every 2.
    w = window((7, 3), (2, 1), (3, 2), SAME, (3, 2))
    assert w.padding[1:3] == [(0, 1), (0, 0)]
    assert list(w.places()) == [
        ((0, 0), (slice(None), slice(0, 7, 3), slice(0, 3, 2))),  # rows 0, 3, 6
        ((1, 0), (slice(None), slice(1, 8, 3), slice(0, 3, 2))),  # rows 1, 4, 7
    ]


def test_padding_is_of_the_given_value_and_copies_only_where_needed():
    images = np.ones((2, 3, 3, 1), np.int8)
    padded = window((3, 3), (3, 2), (1, 1), SAME, (3, 3)).pad(images, -128)
    assert padded.shape == (2, 5, 4, 1) and padded.dtype == np.int8
    assert padded[:, 0].tolist() == padded[:, 4].tolist() == [[[-128]] * 4] * 2
    assert padded[0, 1, :, 0].tolist() == [1, 1, 1, -128]
    assert window((3, 3), (2, 2), (1, 1), VALID, (2, 2)).pad(images, -128) is images


@st.composite
def geometries(draw):
    image, size, stride = (tuple(draw(st.integers(1, most)) for _ in range(2)) for most in (9, 4, 3))
    padding = draw(st.sampled_from((SAME, VALID)))
    if padding == VALID:
        image = tuple(max(n, k) for n, k in zip(image, size, strict=True))
    outputs = [-(-n // s) if padding == SAME else (n - k) // s + 1 for n, k, s in zip(image, size, stride, strict=True)]
    return image, size, stride, padding, outputs, draw(st.integers(1, 3))


@settings(deadline=None)
@given(geometries(), st.integers(0))
def test_places_patches_and_maxima_are_those_of_sliding_windows(geometry, seed):
    image, size, stride, *_, channels = geometry
    w = window(*geometry)
    images = np.random.default_rng(seed).integers(-128, 128, (2, *image, channels), dtype=np.int8)
    padded = w.pad(images, -128)
    views = sliding_window_view(padded, size, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    assert views.shape == (2, *w.outputs, channels, *size)
    for tap, place in w.places():
        np.testing.assert_array_equal(padded[place], views[..., tap[0], tap[1]])
    np.testing.assert_array_equal(w.patches(padded), views.transpose(0, 1, 2, 4, 5, 3).reshape(2, *w.outputs, -1))
    for values in (images, images.astype(np.float32), images.astype(np.int32)):
        largest = w.largest(values)
        assert largest.dtype == values.dtype
        np.testing.assert_array_equal(largest, views.max(axis=(4, 5)))


@settings(deadline=None)
@given(geometries(), st.integers(1, 3), st.integers(1, 3), st.integers(0))
def test_the_patches_that_a_pool_reads_give_the_same_pooled_sums(geometry, size, stride, seed):
    w = window(*geometry)
    size = min(size, *w.outputs)
    places = [(n - size) // stride + 1 for n in w.outputs]
    pool = window(w.outputs, (size, size), (stride, stride), VALID, places)
    rng = np.random.default_rng(seed)
    reals = w.pad(rng.integers(-9, 10, (2, *geometry[0], geometry[-1])).astype(np.float32), 0)
    weights = rng.integers(-9, 10, (w.patches(reals).shape[-1], 4))
    sums = exact_sums(weights, rng.integers(-9, 10, 4), -9, 9)
    np.testing.assert_array_equal(sums(w.patches(reals, pool), pool), pool.largest(sums(w.patches(reals))))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(outputs=(25, 26)), r"expected an output of \[26, 26\] places, got .*25, 26"),
        (dict(size=(0, 3)), "expected a window and strides of at least 1"),
        (dict(stride=(1, 0)), "expected a window and strides of at least 1"),
        (dict(stride=(-1, 1)), "expected a window and strides of at least 1"),
        (dict(padding=2), "expected padding SAME or VALID, got 2"),
        (dict(size=(29, 3), outputs=(1, 26)), r"expected an output of \[0, 26\] places"),
        (dict(channels=100, filters=2**14), f"expected at most {LARGEST:,} values in all windows"),
        (dict(n=2**20), f"expected at most {LARGEST:,} values in all windows"),
    ],
)
def test_a_window_that_cannot_be_is_refused(arguments, message):
    plain = dict(image=(28, 28), size=(3, 3), stride=(1, 1), padding=VALID, outputs=(26, 26))
    assert window(**plain).outputs == [26, 26]
    with pytest.raises(ValueError, match=message):
        window(**plain | arguments)


def test_images_of_three_axes_are_refused():
    options = dict(strideH=1, strideW=1, padding=VALID)
    operator = Operator(0, "MAX_POOL_2D", (0,), (1,), options)
    with pytest.raises(ValueError, match=r"expected images \(n, height, width, channels\)"):
        Window(operator, (1, 1), tensor(1, 28, 28), tensor(1, 28, 28))


# ----------------------------------------------------------------------- sums


@settings(deadline=None)
@given(
    st.integers(1, 40).flatmap(lambda k: arrays(np.int8, st.tuples(st.just(k), st.integers(1, 5)))),
    st.integers(-128, 127),
    st.integers(0),
)
def test_sums_are_those_of_int64(weights, zero_point, seed):
    rng = np.random.default_rng(seed)
    low, high = -128 - zero_point, 127 - zero_point
    bias = rng.integers(-(2**20), 2**20, weights.shape[1]).astype(np.int32)
    x = rng.integers(low, high, (3, 2, len(weights)), endpoint=True)
    acc = exact_sums(weights, bias, low, high)(x.astype(np.float32))
    assert acc.shape == (3, 2, weights.shape[1])
    np.testing.assert_array_equal(acc, np.einsum("nmk,kc->nmc", x, weights.astype(np.int64)) + bias)


@settings(deadline=None, max_examples=20)
@given(st.integers(500, 5000), st.sampled_from([-128, 127, 3]), st.booleans(), st.integers(0))
def test_long_sums_are_those_of_int64(k, zero_point, one_sign, seed):
    rng = np.random.default_rng(seed)
    low, high = -128 - zero_point, 127 - zero_point
    weights = rng.integers(100 if one_sign else -128, 128, (k, 3))
    bias = rng.integers(-(2**30), 2**30, 3).astype(np.int32)
    x = rng.integers(low, high, (4, k), endpoint=True)
    x[0], x[1] = low, high
    acc = exact_sums(weights.astype(np.int8), bias, low, high)(x.astype(np.float32))
    np.testing.assert_array_equal(acc, x @ weights + bias)


def products(k, factor=127, bias=0):
    """Sums of k weights of 127 and codes up to `factor`, one channel; their dtype tells whether K is split."""
    x = np.full((1, k), factor, np.float32)
    return exact_sums(np.full((k, 1), 127, np.int8), np.array([bias], np.int32), 0, factor)(x)


@pytest.mark.parametrize(
    "k, factor, bias, split",
    [
        (518, 255, 0, False),  # 518 · 127 · 255 = 16,775,430 is below 2^24 = 16,777,216
        (519, 255, 0, True),
        (518, 255, 1785, False),  # 16,777,215
        (518, 255, 1786, True),  # 2^24
        (518, 255, -1786, False),  # the least sum that the codes could give, −2^24, is a float32 as well
        (518, 255, -1787, True),
        (1040, 127, 0, False),  # 16,774,160
        (1041, 127, 0, True),
    ],
)
def test_k_is_split_where_a_partial_sum_could_reach_2_to_the_24(k, factor, bias, split):
    acc = products(k, factor, bias)
    assert acc.dtype == (np.float64 if split else np.float32) and acc[0, 0] == k * 127 * factor + bias


def test_only_one_sign_counts_at_a_time():
    # Half of the products up to +2^24 − 1 in all, half down to −(2^24 − 1): no partial sum is larger than either.
    weights = np.repeat(np.array([[127], [-127]], np.int8), 518, axis=0)
    acc = exact_sums(weights, np.zeros(1, np.int32), 0, 255)(np.full((1, 1036), 255, np.float32))
    assert acc.dtype == np.float32 and acc[0, 0] == 0
    both = exact_sums(weights, np.zeros(1, np.int32), -255, 255)  # now each weight has products of both signs
    assert both(np.zeros((1, 1036), np.float32)).dtype == np.float64


def test_one_channel_of_many_decides_on_the_split():
    weights = np.ones((600, 8), np.int8)
    ordinary = exact_sums(weights, np.zeros(8, np.int32), 0, 255)(np.ones((1, 600), np.float32))
    weights[:, 5] = 127
    split = exact_sums(weights, np.zeros(8, np.int32), 0, 255)(np.ones((1, 600), np.float32))
    assert (ordinary.dtype, split.dtype) == (np.float32, np.float64)
    assert split.tolist() == [[600] * 5 + [600 * 127] + [600] * 2]


def test_sums_beyond_int32_are_refused():
    most = 2**31 // (127 * 255)  # 66,311 products; with 255 · 127 each one more reaches 2^31
    assert products(most, 255)[0, 0] == most * 127 * 255
    rest = 2**31 - most * 127 * 255
    assert products(most, 255, rest - 1)[0, 0] == 2**31 - 1
    assert products(most, 255, -rest)[0, 0] == most * 127 * 255 - rest  # at the least −2^31, which int32 holds
    for k, bias in ((most + 1, 0), (most, rest), (most, -rest - 1), (1, -(2**31))):
        with pytest.raises(ValueError, match=r"expected sums that int32 holds, got up to \d+"):
            products(k, 255, bias)


def test_the_inputs_of_sums_stay():
    weights, bias = np.ones((3, 2), np.int8), np.array([5, 6], np.int32)
    x = np.float32([[1, 2, 3]])
    sums = exact_sums(weights, bias, -128, 127)
    assert sums(x).tolist() == sums(x).tolist() == [[11, 12]]
    assert weights.tolist() == [[1, 1]] * 3 and bias.tolist() == [5, 6] and x.tolist() == [[1, 2, 3]]
    assert EXACT == 2**24 == int(np.float32(2**24)) and np.float32(2**24) + np.float32(1) == 2**24
