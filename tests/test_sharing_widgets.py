"""The explorer of shared weights: what it shows is what a file takes, at every slider's end."""

import numpy as np
import pytest

from qlib.packed import Shared, dumps, pack_bits
from qlib.sharing_widgets import SharingExplorer
from qlib.sparse import encode_relative

HEADER = 3 + 3 + 4  # what the file knows itself by; kind, number of values, bits of a gap; how many are stored


def kernels():
    rng = np.random.default_rng(0)
    w = rng.normal(size=(40, 30)).astype(np.float32)
    return {"dense": w * (rng.random(w.shape) < 0.1), "conv": rng.normal(size=(3, 3, 2, 4)).astype(np.float32)}


@pytest.fixture(scope="module")
def explorer():
    return SharingExplorer(kernels())


@pytest.mark.parametrize("kernel", ["dense", "conv"])
@pytest.mark.parametrize(("bits", "gap_bits"), [(1, 1), (4, 5), (8, 8), (3, 2), (1, 8), (7, 1)])
def test_the_bytes_are_those_of_a_real_file(explorer, kernel, bits, gap_bits):
    for name, value in dict(kernel=kernel, bits=bits, gap_bits=gap_bits).items():
        explorer.controls[name].value = value
    centroids, codes = explorer.shared(kernel, bits)
    stages = explorer.stage(kernel, bits, gap_bits)
    file = dumps([Shared(codes, centroids, gap_bits)])
    assert sum(stages["P+Q+H"]) == len(file) - HEADER
    assert explorer.numbers["bytes in all"] == f"{len(file) - HEADER:,}"
    gaps, stored = encode_relative(codes.ravel(), gap_bits)
    assert stages["P"] == (4 * stored.size, len(pack_bits(gaps, gap_bits)), 0)
    assert stages["P+Q"][0] == len(pack_bits(stored, centroids.size.bit_length()))
    assert explorer.error.value == "" and explorer.png[:4] == b"\x89PNG"


def test_fillers_by_hand():
    w = np.zeros(20, np.float32)
    w[[0, 9, 19]] = 1, 2, 3
    explorer = SharingExplorer({"w": w}, bits=2, gap_bits=2)
    # gaps 0, 8 and 9, of at most 3: 8 = 3 + filler, 3 + filler, 0; 9 = 3 + filler, 3 + filler, 1
    assert explorer.numbers["fillers"] == "4" and explorer.numbers["weights left"] == "3 of 20"
    assert explorer.numbers["shared values"] == "3" and explorer.numbers["SQNR"] == "inf dB"


def test_more_values_lessen_the_error_and_wide_gaps_the_fillers(explorer):
    explorer.controls["kernel"].value = "dense"
    errors, fillers = [], []
    for bits in range(1, 7):
        explorer.controls["bits"].value = bits
        errors.append(float(explorer.numbers["SQNR"].removesuffix(" dB")))
    for gap_bits in range(1, 9):
        explorer.controls["gap_bits"].value = gap_bits
        fillers.append(int(explorer.numbers["fillers"].replace(",", "")))
    assert errors == sorted(errors) and errors[-1] > errors[0] + 10
    assert fillers == sorted(fillers, reverse=True) and fillers[-1] == 0 < fillers[0]


def test_the_axis_shows_the_shortest_bars_at_half_its_length(explorer):
    explorer.controls["kernel"].value = "dense"
    ends = []
    for gap_bits in range(1, 9):
        explorer.controls["gap_bits"].value = gap_bits
        ends.append(max(bars[0].get_x() + bars[0].get_width() for bars in explorer.bars))  # of P
    assert min(ends) == pytest.approx(explorer.axes[1].get_xlim()[1] / 2)


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="kernels: expected weights that are not 0 in each, got none in 'b'"):
        SharingExplorer({"a": np.ones(3), "b": np.zeros(3)})
    with pytest.raises(ValueError, match="kernel: expected one of"):
        SharingExplorer(kernels(), kernel="x")
    with pytest.raises(ValueError, match="kernels: expected a dict"):
        SharingExplorer({})
