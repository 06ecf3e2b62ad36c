"""qlib.calibrate: values worked out by hand, and each method against a second, literal way to compute it."""

import math

import numpy as np
import pytest

from qlib.affine import choose_qparams, fake_quantize
from qlib.calibrate import CALIBRATORS, entropy, kl_divergence, minmax, mse, percentile
from qlib.error import mse as mean_squared_error


def heavy_tails(n=3000, seed=0):
    return np.random.default_rng(seed).standard_t(3, n).astype(np.float32)


SIGNALS = {
    "heavy tails": heavy_tails(),
    "after a ReLU": np.maximum(heavy_tails(seed=1), 0),
    "negative only": -np.abs(heavy_tails(seed=2)) - 0.5,
    "lopsided": np.random.default_rng(3).exponential(size=3000).astype(np.float32) - 0.3,
    "uniform": np.random.default_rng(4).uniform(-2, 1, 3000).astype(np.float32),
    "constant": np.full(50, 2.5, np.float32),
    "all zero": np.zeros(50, np.float32),
    "one value": np.float32([-3]),
    "huge": np.float32([-3.3e38, -1e38, 0, 1, 3.4e38]),
    "denormal": np.float32([-1e-44, 1e-45, 3e-44]),
}

# ------------------------------------------------------------------ min-max


@pytest.mark.parametrize(
    "x, affine, symmetric",
    [
        ([-1, 3, 2], (-1, 3), (-3, 3)),
        ([-5, 3], (-5, 3), (-5, 5)),
        ([2, 6], (0, 6), (0, 6)),  # 0 belongs to every range
        ([-6, -2], (-6, 0), (-6, 6)),
        ([0, 0], (0, 0), (0, 0)),
        ([4], (0, 4), (0, 4)),
        (-7, (-7, 0), (-7, 7)),  # a scalar
    ],
)
def test_minmax(x, affine, symmetric):
    assert minmax(x) == affine and minmax(x, symmetric=True) == symmetric


# --------------------------------------------------------------- percentile


@pytest.mark.parametrize(
    "x, percent, affine, symmetric",
    [
        # 0 … 100: the p-th percentile is p. Affine cuts half of 10 % at either end, and 0 stays in the range.
        (np.arange(101), 90, (0, 95), (0, 90)),
        # -50 … 50: 5th and 95th percentile. Of |x| = 0, 1, 1, … 50, 50 the 90th percentile, index 90 of 100, is 45.
        (np.arange(-50, 51), 90, (-45, 45), (-45, 45)),
        (np.arange(-100, 1), 90, (-95, 0), (-90, 90)),
        # between two values it interpolates: 1 % of the way from -4, which is 4 long, and 98 % of the way to 4
        ([-4, 0, 4], 98, (-3.92, 3.92), (-4, 4)),
        ([0, 10], 50, (0, 7.5), (0, 5)),
        ([-3, 1, 8], 100, (-3, 8), (-8, 8)),
        # more than half is 0: the range is, too
        ([0, 0, 0, 0, 9], 50, (0, 0), (0, 0)),
    ],
)
def test_percentile(x, percent, affine, symmetric):
    assert percentile(x, percent=percent) == pytest.approx(affine)
    assert percentile(x, percent=percent, symmetric=True) == pytest.approx(symmetric)


def test_percentile_leaves_out_a_tenth_of_a_percent_by_default():
    assert percentile(np.arange(1001), symmetric=True) == pytest.approx((0, 999))


# ---------------------------------------------------------------------- mse

CODES = [
    dict(num_bits=8),
    dict(num_bits=4),
    dict(num_bits=4, signed=False),
    dict(num_bits=4, symmetric=True),
    dict(num_bits=3, symmetric=True, narrow_range=True),
    dict(num_bits=2, symmetric=True),
]


@pytest.mark.parametrize("codes", CODES, ids=str)
@pytest.mark.parametrize("name", SIGNALS)
def test_mse_is_the_best_of_all_candidates(name, codes):
    x = SIGNALS[name]
    rmin, rmax = min(float(x.min()), 0), max(float(x.max()), 0)
    if codes.get("symmetric"):
        rmax = max(-rmin, rmax)
        rmin = -rmax if rmin < 0 else 0
    best_error, best_range = math.inf, None
    for k in range(1, 41):
        candidate = rmin * k / 40, rmax * k / 40
        error = np.mean((x.astype(np.float64) - fake_quantize(x, choose_qparams(*candidate, **codes))) ** 2)
        if error < best_error:
            best_error, best_range = error, candidate
    found = mse(x, **codes, candidates=40)
    assert found == pytest.approx(best_range, rel=1e-12)
    whole = fake_quantize(x, choose_qparams(rmin, rmax, **codes))
    assert mean_squared_error(x, fake_quantize(x, choose_qparams(*found, **codes))) <= mean_squared_error(x, whole)


def test_mse_gives_up_an_outlier_when_codes_are_few_and_keeps_it_when_they_are_many():
    # 10,000 values in [-1, 1], one at 2, which costs 1e-4 when it is cut to 1. Rounding costs Δ²/12:
    # three bits: T = 2: Δ = 2/3, 0.037; T = 1: Δ = 1/3, 0.0093. Eight bits: T = 2: 2e-5; T = 1: 5e-6.
    x = np.r_[np.linspace(-1, 1, 10_000), 2]
    assert mse(x, num_bits=3, symmetric=True)[1] < 1.2
    assert mse(x, num_bits=8, symmetric=True)[1] > 1.8


def test_mse_with_one_candidate_is_minmax():
    x = SIGNALS["heavy tails"]
    assert mse(x, num_bits=4, candidates=1) == minmax(x)


def test_mse_uses_the_codes_it_was_told():
    x = SIGNALS["after a ReLU"]
    few, many = (mse(x, num_bits=num_bits)[1] for num_bits in (2, 8))
    assert few < many
    # signed symmetric codes spend half of themselves on negative values, which this signal lacks
    assert mse(x, num_bits=4, symmetric=True)[1] < mse(x, num_bits=4, symmetric=True, signed=False)[1]


# ------------------------------------------------------------------ entropy


@pytest.mark.parametrize(
    "p, q, expected",
    [
        ([1, 1], [2, 2], 0),
        ([1, 1], [1, 3], math.log(2) / 2 + math.log(2 / 3) / 2),  # p = 1/2, 1/2; q = 1/4, 3/4
        ([3, 1], [1, 1], 0.75 * math.log(1.5) + 0.25 * math.log(0.5)),
        ([1, 0], [1, 1], math.log(2)),  # 0 ln 0 = 0
        ([1, 1], [1, 0], math.inf),
        ([4], [1], 0),
    ],
)
def test_kl_divergence(p, q, expected):
    assert kl_divergence(np.array(p), np.array(q)) == pytest.approx(expected, abs=1e-15)


def tensorrt_2017(x, levels, bins):
    """The threshold, by the pseudocode of Migacz (2017), one loop per line of it.

    Two differences, which qlib's docstring names: zeros are left out, and the number of levels is free. Two more are
    pinned down here: the threshold is the upper edge of the last bin kept, where the slides add half a bin, and i goes
    up to all the bins, where the slides stop one short.
    """
    width = float(max(abs(v) for v in x)) / bins
    bin_ = [0] * bins
    for value in x:
        if value != 0:
            bin_[min(int(abs(float(value)) / width), bins - 1)] += 1
    divergence = {}
    for i in range(levels, bins + 1):
        reference_distribution_p = [float(count) for count in bin_[:i]]
        reference_distribution_p[i - 1] += sum(bin_[i:])
        # quantize [bin[0], …, bin[i-1]] into the levels: bin j falls into level floor(j * levels / i)
        members = [[] for _ in range(levels)]
        for j in range(i):
            members[j * levels // i].append(j)
        # expand to i bins: a level's total is shared out among those of its bins that are not empty
        candidate_distribution_q = [0.0] * i
        for level in members:
            not_empty = [j for j in level if bin_[j] > 0]
            for j in not_empty:
                candidate_distribution_q[j] = sum(bin_[k] for k in level) / len(not_empty)
        sum_p, sum_q = sum(reference_distribution_p), sum(candidate_distribution_q)
        divergence[i] = 0.0
        for p, q in zip(reference_distribution_p, candidate_distribution_q, strict=True):
            if p > 0:
                divergence[i] += p / sum_p * math.log((p / sum_p) / (q / sum_q)) if q > 0 else math.inf
    m = min(divergence, key=divergence.get)
    return m * width


def histogram_sample(seed, bins, n):
    """Reals of which the largest magnitude is 1 and the rest lie well inside one of the bins of width 1 / bins."""
    rng = np.random.default_rng(seed)
    magnitude = np.minimum(np.abs(rng.standard_t(4, n)) / 8, 0.999)
    centred = (np.floor(magnitude * bins) + 0.5) / bins
    return np.float32(np.r_[centred * rng.choice([-1, 1], n), -1, 0, 0, 0, 0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_bits, bins", [(3, 64), (4, 128), (5, 128), (8, 512)])
def test_entropy_follows_the_published_pseudocode(num_bits, bins, seed):
    x = histogram_sample(seed, bins, 4000)
    expected = tensorrt_2017(x, 2 ** (num_bits - 1), bins)  # two signs share the codes
    assert entropy(x, num_bits=num_bits, symmetric=True, bins=bins) == pytest.approx((-expected, expected), rel=1e-6)
    affine = max(float(x.min()), -expected), min(float(x.max()), expected)
    assert entropy(x, num_bits=num_bits, bins=bins) == pytest.approx(affine, rel=1e-6)


def test_entropy_gives_all_levels_to_the_one_sign_that_there_is():
    x = np.abs(histogram_sample(0, 128, 4000))
    both, one = tensorrt_2017(x, 16, 128), tensorrt_2017(x, 8, 128)
    assert both != one
    assert entropy(x, num_bits=4, bins=128) == pytest.approx((0, both), rel=1e-6)
    assert entropy(-x, num_bits=4, bins=128) == pytest.approx((-both, 0), rel=1e-6)
    assert entropy(x, num_bits=4, symmetric=True, signed=False, bins=128) == pytest.approx((0, both), rel=1e-6)
    rmin, rmax = entropy(np.stack([x, x / 2]), num_bits=4, symmetric=True, signed=False, bins=128, axis=0)
    np.testing.assert_allclose([rmin, rmax], [[0, 0], [both, both / 2]], rtol=1e-6)
    # signed symmetric codes keep half of themselves for negative values, even where there are none
    assert entropy(x, num_bits=4, symmetric=True, bins=128) == pytest.approx((0, one), rel=1e-6)


def test_entropy_has_2048_bins_by_default():
    x = histogram_sample(5, 2048, 20_000)
    expected = tensorrt_2017(x, 128, 2048)
    assert entropy(x, symmetric=True) == pytest.approx((-expected, expected), rel=1e-6)


def test_entropy_does_not_count_zeros():
    x = histogram_sample(0, 128, 4000)
    more_zeros = np.r_[x, np.zeros(100_000, np.float32)]
    assert entropy(more_zeros, num_bits=4, bins=128) == entropy(x, num_bits=4, bins=128)


def test_entropy_by_hand():
    # |x| in 4 bins of width 1: counts 4, 4, 0, 1 (the last value is 4 itself). Two bits: 2 levels per sign.
    # i = 2: P = 4, 4 + 1 and Q = 4, 4.  KL = 4/9 ln(8/9) + 5/9 ln(10/9) = 0.0062
    # i = 3: P = 4, 4, 1: the third bin is empty in Q, KL = inf
    # i = 4: P = 4, 4, 0, 1; Q in two levels (4 + 4, 0 + 1) spread over filled bins = 4, 4, 0, 1: KL = 0
    x = [-0.5] * 4 + [1.5] * 4 + [4]
    assert entropy(x, num_bits=2, symmetric=True, bins=4) == (-4, 4)
    # counts 8, 0, 2, 1:
    # i = 2: P = 8, 0 + 3: the second bin is empty in Q, KL = inf
    # i = 3: P = 8, 0, 2 + 1; bins 0, 1, 2 fall into levels 0, 0, 1: Q = 8, 0, 2.  KL = 8/11 ln(10/11) + 3/11 ln(15/11)
    #        = 0.01527
    # i = 4: P = 8, 0, 2, 1; levels (8 + 0), (2 + 1): Q = 8, 0, 1.5, 1.5.  KL = 2/11 ln(4/3) + 1/11 ln(2/3) = 0.01545
    x = [-0.5] * 8 + [2.5] * 2 + [4]
    assert entropy(x, num_bits=2, symmetric=True, bins=4) == (-3, 3)
    assert entropy(x, num_bits=2, bins=4) == (-0.5, 3)


# ------------------------------------------------------- what holds for all


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("num_bits", [2, 4, 8])
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_a_range_holds_0_and_is_no_wider_than_minmax(calibrator, name, num_bits, symmetric):
    x = SIGNALS[name]
    rmin, rmax = CALIBRATORS[calibrator](x, num_bits=num_bits, symmetric=symmetric)
    widest = minmax(x, symmetric=symmetric)
    assert widest[0] <= rmin <= 0 <= rmax <= widest[1]
    assert type(rmin) is type(rmax) is float
    if symmetric:
        assert rmin == (-rmax if x.min() < 0 else 0)
    choose_qparams(rmin, rmax, num_bits=num_bits, symmetric=symmetric)  # accepts it


@pytest.mark.parametrize(
    "options", [dict(num_bits=4), dict(num_bits=4, symmetric=True), dict(num_bits=3, signed=False)]
)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_per_channel_equals_per_tensor_on_each_channel(calibrator, axis, options):
    x = (heavy_tails(2400).reshape(4, 5, 120) * np.float32([1, 10, 0.1, 3]).reshape(4, 1, 1)).transpose(0, 2, 1)[:, :6]
    rmin, rmax = CALIBRATORS[calibrator](x, axis=axis, **options)
    alone = [CALIBRATORS[calibrator](channel, **options) for channel in np.moveaxis(x, axis, 0)]
    np.testing.assert_array_equal(np.transpose([rmin, rmax]), alone)
    assert rmin.shape == rmax.shape == (x.shape[axis],) and rmin.dtype == rmax.dtype == np.float64


def test_options_of_one_method_reach_every_channel():
    x = heavy_tails(2000).reshape(2, 1000)
    for calibrator, options in (
        (percentile, dict(percent=80)),
        (mse, dict(candidates=7, num_bits=3, narrow_range=True, symmetric=True)),
        (entropy, dict(bins=64, num_bits=4)),
    ):
        alone = [calibrator(channel, **options) for channel in x]
        np.testing.assert_array_equal(np.transpose(calibrator(x, axis=0, **options)), alone)
        assert calibrator(x[0], **options) != calibrator(x[0], num_bits=4)  # the options do something


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("calibrator", CALIBRATORS)
def test_inputs_are_not_written_to(calibrator, axis):
    x = heavy_tails(60).reshape(20, 3)
    before = x.copy()
    CALIBRATORS[calibrator](x, num_bits=4, axis=axis)
    np.testing.assert_array_equal(x, before)


def test_the_four_methods_have_their_names():
    assert CALIBRATORS == {"minmax": minmax, "percentile": percentile, "mse": mse, "entropy": entropy}
