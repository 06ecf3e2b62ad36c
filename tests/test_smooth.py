"""Outlier channels, smoothing, the mixed product: by hand, as properties, and beside NumPy's own integer product."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qlib import smooth
from qlib.exercises.predictions07_outliers import PREDICTIONS
from qlib.smooth import QuantizedProduct, channel_max, fake_absmax, layer_error, mixed_product, smoothing_scales
from qlib.smooth_widgets import SmoothExplorer
from qlib.transformer import activations, load_transformer

REALS = st.floats(-100, 100, width=32)
PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda n: st.tuples(arrays(np.float32, n[:2], elements=REALS), arrays(np.float32, n[1:], elements=REALS))
)


def made(seed=0, tokens=40, channels=12, outputs=7):
    """Activations with one channel fifty times as large, and weights."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(tokens, channels)), rng.normal(size=(channels, outputs))
    x[:, 4] *= 50
    return x.astype(np.float32), w.astype(np.float32)


# ------------------------------------------------------------------ maxima and one quantizer


def test_channel_max_by_hand():
    x = [[1, -5, 0], [-2, 3, 0]]
    assert channel_max(x).tolist() == [2, 5, 0] and channel_max(x, axis=0).tolist() == [5, 3]
    assert channel_max(np.stack([x, np.negative(x), np.ones((2, 3))])).tolist() == [2, 5, 1]


def test_fake_absmax_by_hand():
    # 3 bits: three steps up to the maximum, which is 6 in the tensor, 3 and 6 in the rows, 6, 2 and 3 in the columns
    x = np.array([[1.4, -2, 3], [6, 0.9, -1.1]])
    assert fake_absmax(x, 3).tolist() == [[2, -2, 4], [6, 0, -2]]
    assert fake_absmax(x, 3, axis=0).tolist() == [[1, -2, 3], [6, 0, -2]]
    assert np.allclose(fake_absmax(x, 3, axis=1), [[2, -2, 3], [6, 2 / 3, -1]])
    assert not fake_absmax(np.zeros((2, 2)), 8, axis=1).any()


def test_scales_of_tokens_and_outputs_stand_outside_an_integer_product():
    x, w = made()
    codes, steps = [], []
    for array, axis in ((x, 1), (w, 0)):
        step = np.abs(array).max(axis=axis, keepdims=True).astype(np.float32) / np.float32(127)
        codes.append(np.rint(array / step).astype(np.int64))
        steps.append(step.astype(np.float64))
    wanted = steps[0] * (codes[0] @ codes[1]) * steps[1]
    assert np.allclose(fake_absmax(x, 8, axis=0) @ fake_absmax(w, 8, axis=1), wanted, rtol=1e-5, atol=1e-4)


# ------------------------------------------------------------------ SmoothQuant


@pytest.mark.parametrize(
    "x_max, w_max, alpha, s",
    [
        ([16, 4], [4, 1], 0.5, [2, 2]),
        ([16, 4], [4, 1], 1, [16, 4]),
        ([16, 4], [4, 1], 0, [0.25, 1]),
        ([16], [16], 0.75, [4]),  # 8 / 2
        ([0, 9, 0], [4, 0, 0], 0.5, [1, 1, 1]),  # dead channels
    ],
)
def test_smoothing_scales_by_hand(x_max, w_max, alpha, s):
    found = smoothing_scales(x_max, w_max, alpha)
    assert found.dtype == np.float32 and np.allclose(found, s, rtol=1e-6)


@given(PAIRS, st.floats(0, 1))
def test_smoothing_changes_nothing_but_the_maxima(pair, alpha):
    x, w = pair
    tops = channel_max(x), channel_max(w, axis=0)
    assume(all(top[top > 0].min(initial=1) > 1e-3 for top in tops))
    s = smoothing_scales(*tops, alpha)
    smoothed = smooth.smooth(x, w, s)
    size = np.abs(x).astype(np.float64) @ np.abs(w)
    difference = np.abs(np.matmul(*(part.astype(np.float64) for part in smoothed)) - x.astype(np.float64) @ w)
    assert (difference <= 1e-6 * size + 1e-9).all()
    alive = (tops[0] > 0) & (tops[1] > 0)
    for side, power in zip(smoothed, (1 - alpha, alpha), strict=True):
        top = channel_max(side, axis=1 if side is smoothed[0] else 0)[alive]
        product = (tops[0] * tops[1].astype(np.float64))[alive]
        assert np.allclose(top, product**power, rtol=1e-4)


def test_alpha_one_makes_per_tensor_as_fine_as_per_channel():
    """With α = 1 all channels of x share one maximum: one scale does what a scale for each channel did."""
    x, w = made()
    x_smooth, _ = smooth.smooth(x, w, smoothing_scales(channel_max(x), channel_max(w, axis=0), 1))
    assert np.allclose(fake_absmax(x_smooth, 6) * channel_max(x), fake_absmax(x, 6, axis=1), atol=1e-4)


# ------------------------------------------------------------------ LLM.int8()


def test_outlier_channels_by_hand():
    assert smooth.outlier_channels([[5.9, -6, 0], [1, 2, 7]]).tolist() == [False, True, True]
    assert smooth.outlier_channels([[5.9, -6, 0], [1, 2, 7]], 7).tolist() == [False, False, True]


@given(PAIRS, st.integers(2, 8), st.randoms(use_true_random=False))
def test_the_mixed_product_is_the_sum_of_both(pair, num_bits, random):
    x, w = pair
    outliers = np.array([random.random() < 0.5 for _ in w])
    parts = x[:, outliers] @ w[outliers]
    if not outliers.all():
        parts = parts + fake_absmax(x[:, ~outliers], num_bits, 0) @ fake_absmax(w[~outliers], num_bits, 1)
    assert np.allclose(mixed_product(x, w, outliers, num_bits), parts, atol=1e-2)
    assert np.allclose(mixed_product(x, w, np.ones(len(w), bool), num_bits), x @ w, atol=1e-2)


def test_the_split_beats_rounding_where_one_channel_is_large():
    x, w = made()
    errors = [np.abs(mixed_product(x, w, channel_max(x) > top, 6) - x @ w).mean() for top in (1e9, 20)]
    assert errors[1] < errors[0] / 5


# ------------------------------------------------------------------ in a network


def test_quantized_product_by_hand():
    # 3 bits; x: three steps of 2 up to 6 (calibration said 6, so that 9 is clipped); w: columns with steps 1 and 2
    x, w = np.float32([[1.2, 9], [-3.2, 2]]), np.float32([[3, 6], [1.4, -2.9]])
    product = QuantizedProduct({"a": np.float32([6, 4])}, x_bits=3, weight_bits=3)
    x_hat, w_hat = np.array([[2, 6], [-4, 2]]), np.array([[3, 6], [1, -2]])
    assert np.allclose(product("a", x, w), x_hat @ w_hat)
    assert np.array_equal(product("b", x, w), x @ w)  # not calibrated: float


def test_quantized_product_per_token_needs_no_range():
    x, w = made()
    product = QuantizedProduct({"a": np.ones(12)}, per_token=True)
    assert np.array_equal(product("a", x, w), fake_absmax(x, 8, axis=0) @ fake_absmax(w, 8, axis=1))


def test_smoothing_helps_with_the_shipped_network_and_not_with_few_bits_of_weights():
    network = load_transformer()
    x = activations(network, [network.encode(network.reactions[0])], ["ffn_output"])["ffn_output"][-1]
    w = network.weights["ffn_output.w"]
    assert layer_error(x, w, channel_max(x), 1, x_bits=6) < layer_error(x, w, channel_max(x), x_bits=6) / 2
    before, after = (layer_error(x, w, channel_max(x), alpha, weight_bits=4) for alpha in (None, 1))
    assert before < after  # eight bits were enough for x, and four of w carry the burden


def test_smoothing_helps_where_each_token_has_the_outlier():
    x, w = made()
    top = channel_max(x)
    without, half, one = (layer_error(x, w, top, alpha, x_bits=8) for alpha in (None, 0.5, 1))
    assert one < without / 2 and half < without
    assert layer_error(x, w, top, per_token=True) > one  # every token has the outlier


def test_a_smoothed_product_is_the_product_of_smoothed_parts():
    x, w = made()
    s = smoothing_scales(channel_max(x), channel_max(w, axis=0), 0.75)
    x_smooth, w_smooth = smooth.smooth(x, w, s)
    wanted = fake_absmax(x_smooth, 6) @ fake_absmax(w_smooth, 5, axis=1)
    product = QuantizedProduct({"a": channel_max(x)}, x_bits=6, weight_bits=5, alpha=0.75)
    assert np.allclose(product("a", x, w), wanted, atol=1e-3)


def test_layer_error_by_hand():
    x, w = np.float32([[1.2, 9], [-3.2, 2]]), np.float32([[3, 6], [1.4, -2.9]])
    x_hat, w_hat = np.array([[2, 6], [-4, 2]]), np.array([[3, 6], [1, -2]])
    wanted = np.linalg.norm(x_hat @ w_hat - x @ w) / np.linalg.norm(x @ w)
    assert np.isclose(layer_error(x, w, np.float32([6, 4]), x_bits=3, weight_bits=3), wanted)


def test_nothing_is_written_to():
    x, w = made()
    before = x.copy(), w.copy()
    layer_error(x, w, channel_max(x), 0.5)
    mixed_product(x, w, channel_max(x) > 20)
    assert np.array_equal(x, before[0]) and np.array_equal(w, before[1])


def test_refusals():
    x, w = made()
    top = np.ones(12)
    for call, said in (
        (lambda: channel_max([[np.nan]]), "x: expected no NaN"),
        (lambda: channel_max([[np.inf]]), "x: expected finite"),
        (lambda: channel_max([1.0, 2.0], axis=1), "axis: expected"),
        (lambda: channel_max([1.0, 2.0], axis=None), "axis: expected an integer, got None"),
        (lambda: smoothing_scales(top, top, 1.5), "alpha: expected a number from 0 to 1, got 1.5"),
        (lambda: smoothing_scales(top, top, True), "alpha: expected"),
        (lambda: smoothing_scales(-top, top), "x_max: expected a finite maximum"),
        (lambda: smoothing_scales(top, top[1:]), "w_max: expected the shape"),
        (lambda: smooth.smooth(x, w, np.zeros(12)), "scales: expected 12 finite numbers above 0"),
        (lambda: smooth.smooth(x, w, np.full(12, np.inf)), "scales: expected 12 finite"),
        (lambda: smooth.fake_absmax(np.empty((0, 3)), 8), "x: expected at least one"),
        (lambda: layer_error(x, w, top[1:]), "x_max: expected one maximum for each of 12 channels"),
        (lambda: smooth.smooth(x, w[1:], top), "w: expected a row for each channel"),
        (lambda: smooth.outlier_channels(x, 0), "threshold: expected"),
        (lambda: mixed_product(x, w, top), "outliers: expected 12 truth values"),
        (lambda: QuantizedProduct({}, x_bits=1), "num_bits: expected"),
    ):
        with pytest.raises(ValueError, match=said):
            call()


# ------------------------------------------------------------------ the explorer


def test_explorer_moves_the_difficulty():
    x, w = made()
    explorer = SmoothExplorer(x, w, channel_max(x), alpha=0.0)
    found = {}
    for alpha in (0.0, 0.5, 1.0):
        explorer.controls["alpha"].value = alpha
        assert explorer.error.value == ""
        found[alpha] = explorer.numbers
    assert found[1.0]["largest channel of x"] == "1.0 × the median" == found[0.0]["largest row of w"]
    assert float(found[1.0]["error"].rstrip("%")) < float(found[0.5]["error"].rstrip("%"))
    before = layer_error(x, w, channel_max(x), x_bits=6)
    assert found[0.5]["without smoothing"] == f"{before:.1%}"
    explorer.controls["weight_bits"].value = 3
    assert explorer.error.value == "" and "without smoothing" in repr(explorer) and len(explorer.alt) > 30


def test_explorer_draws_what_it_says():
    x, w = made()
    explorer = SmoothExplorer(x, w, channel_max(x), alpha=0.5)
    s = smoothing_scales(channel_max(x), channel_max(w, axis=0), 0.5)
    xs, ws = (dots.get_ydata() for dots in explorer.dots)
    assert np.allclose(sorted(xs), sorted(channel_max(x) / s)) and np.allclose(
        sorted(ws), sorted(channel_max(w, 0) * s)
    )
    assert explorer.ring.get_xdata()[0] == 0.5
    assert np.isclose(explorer.ring.get_ydata()[0], 100 * layer_error(x, w, channel_max(x), 0.5, x_bits=6))
    low, high = explorer.axes[0].get_ylim()
    assert low < min(*xs, *ws) and max(*xs, *ws) < high


def test_explorer_refuses():
    x, w = made()
    with pytest.raises(ValueError, match="w: expected a row"):
        SmoothExplorer(x[:, :5], w[:4], channel_max(x[:, :4]))
    with pytest.raises(ValueError, match="w_max: expected the shape"):
        SmoothExplorer(x, w, np.ones(3))
    for start, said in ((dict(alpha=2), "alpha: expected 0 to 1"), (dict(x_bits=20), "x_bits: expected 3 to 8")):
        with pytest.raises(ValueError, match=said):
            SmoothExplorer(x, w, channel_max(x), **start)
    with pytest.raises(ValueError, match="x: expected at least one"):
        SmoothExplorer(x[:0], w, channel_max(x))


# ------------------------------------------------------------------ the truths of the predictions


def test_truths_of_the_predictions():
    def right(name, **context):
        prediction = PREDICTIONS[name]
        place, figures = prediction.truth(**context)
        return prediction.options[place], figures

    assert right("7.channels", x_max=np.array([1, 2, 9.0, 2, 2]))[0] == "more than four times"
    assert right("7.channels", x_max=np.array([1, 1.5]))[0] == "less than twice the median"
    assert "Channel 2: 9.0; the median is 2.0." in right("7.channels", x_max=np.array([1, 2, 9.0, 2, 2]))[1]
    assert [right("7.bits", agreement=(1, six))[0] for six in (0.5, 0.8, 0.97)] == [
        "less than 75 %",
        "75 to 95 %",
        "more than 95 %",
    ]
    shares = {0: 0.2, 0.5: 0.6, 0.9: 0.8, 1: 0.7}
    assert right("7.alpha", agreement=shares, without=0.5)[0] == "1 or nearly"
    assert right("7.alpha", agreement=shares, without=0.8)[0] == "none is better than no smoothing"
    assert right("7.alpha", agreement={0: 0.9, 0.5: 0.6}, without=0.5)[0] == "0"
    assert right("7.alpha", agreement={0: 0.1, 0.5: 0.6, 1: 0.2}, without=0.5)[0] == "0.5"
