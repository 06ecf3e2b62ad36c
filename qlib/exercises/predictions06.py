"""Predictions of lesson 06, tools. What is true is computed from the shipped results, or from the pruned weights."""

from __future__ import annotations

import itertools

import numpy as np

from qlib.clusters import assign, kmeans, linear_centroids
from qlib.exercises.prediction import Prediction, nearest
from qlib.huffman import code_lengths
from qlib.results import summary
from qlib.sparse import encode_relative, relative_bytes

GAP_BITS = (3, 5, 7)
SIZES = (100_000, 20_000, 5_000, 1_000)  # bytes


def _map(rows):
    """From {lesson: its rows}: one file of each."""
    files = (
        *(("06a", "pruned 80 %"), ("06b", "torchao weight-only")),
        *(("06c", "half the filters, fine-tuned"), ("06d", "60,000 labels: teacher, T = 1")),
    )
    sizes = [summary(rows[lesson])[method].bytes for lesson, method in files]
    least, second = sorted(sizes)[:2]
    return int(np.argmin(sizes)), f"The next one is {second / least:.0f} times as large."


def _gap(w):
    sizes = [relative_bytes(encode_relative(w.ravel(), bits)[0].size, bits) for bits in GAP_BITS]
    shown = ", ".join(f"{bits} bits {size:,}" for bits, size in zip(GAP_BITS, sizes, strict=True))
    return int(np.argmin(sizes)), f"Bytes of values and gaps: {shown}."


def _start(w):
    left = w[w != 0]
    starts = (linear_centroids(left, 15), np.quantile(left, (np.arange(15) + 0.5) / 15).astype(np.float32))
    errors = []
    for centroids in (kmeans(left, start) for start in starts):
        errors.append(float(np.mean((left - centroids[assign(left, centroids)]) ** 2)))
    ratio = max(errors) / min(errors)
    place = 2 if ratio < 1.02 else int(np.argmin(errors))
    return place, f"The mean squared errors differ by a factor of {ratio:.2f}."


def _huffman(dense1):
    gaps, stored = encode_relative(dense1.codes.ravel(), dense1.index_bits)
    saved = []
    for symbols, fixed in ((stored, dense1.centroids.size.bit_length()), (gaps, dense1.index_bits)):
        counts = np.bincount(symbols)
        saved.append(1 - code_lengths(counts) @ counts / counts.sum() / fixed)
    return int(np.argmax(saved)), f"It takes {saved[0]:.0%} off the codes and {saved[1]:.0%} off the gaps."


def _stage(rows):
    found = summary(rows)
    sizes = [found["float32"].bytes] + [found[f"further: {stage}"].bytes for stage in ("P", "P+Q", "P+Q+H")]
    factors = [before / after for before, after in itertools.pairwise(sizes)]
    return int(np.argmax(factors)), "P {:.1f} times, Q {:.1f} times, H {:.1f} times.".format(*factors)


def _smallest(rows):
    found = summary(rows)
    enough = [s.bytes for s in found.values() if s.accuracy >= found["float32"].accuracy]
    return nearest(min(enough), SIZES), f"{min(enough):,.0f} bytes, mean over the seeds."


def _noise(everything):
    error = everything["06"]["float32"].standard_error
    right = everything["06"]["float32"].accuracy
    methods = [s for methods in everything.values() for s in methods.values()]
    worse = sum((s.accuracy - right) / np.hypot(s.standard_error, error) < -2 for s in methods)
    place = int(np.digitize(worse / len(methods), (0.2, 0.5)))
    return place, f"{worse} of {len(methods)} lie more than two standard errors below."


def _time(times):
    """From {lesson: {method: ratio}}."""
    found = [
        times["06a"]["pruned 80 %"] / times["06a"]["int8"],
        times["06c"]["gradual 90%"],
        times["06c"]["half the filters, fine-tuned"],
        times["06"]["further: P+Q+H"],
    ]
    return int(np.argmin(found)), "Time ÷ that of the same network before: {:.2f}, {:.2f}, {:.2f}, {:.2f}.".format(
        *found
    )


def _flash(everything):
    read = ("06a", "int8"), ("06a", "PCQAT"), ("06", "float32"), ("06d", "60,000 labels: teacher, T = 1, int8")
    sizes = [everything[lesson][method].bytes for lesson, method in read]
    shown = ", ".join(f"{size:,.0f}" for size in sizes)
    return int(np.argmin(sizes)), f"Bytes as they are read: {shown}; 128 KB are {128 * 1024:,}."


PREDICTIONS = {
    "6.map": Prediction(
        question="Which of these files is the smallest, as it is, without gzip?",
        options=(
            "pruned, four fifths of the weights are 0, in int8",
            "the dense layers in int8, by torchao",
            "half of the filters removed, in float32",
            "a student of a large teacher, in float32",
        ),
        truth=_map,
        most="Tools that change numbers come to mind first. But what counts first is how many numbers there are, and "
        "only the student was chosen small from the start.",
    ),
    "6.gap": Prediction(
        question="dense1 keeps 2 of 100 weights. Values are float32, 32 bits. Which "
        "of these widths of a gap takes the fewest bytes?",
        options=tuple(f"{bits} bits" for bits in GAP_BITS),
        truth=_gap,
        most="Narrow gaps look cheap. But the mean gap is about 55 zeros, and each filler costs a whole value.",
    ),
    "6.start": Prediction(
        question="k-means for dense1, k = 15. Evenly spread values, or more values where more weights are: from which "
        "start does it end with less error?",
        options=("the even start", "the dense start", "next to no difference"),
        truth=_start,
        most="k-means ends in a minimum that depends on its start. (The paper begins with even values all the same: it "
        "argues that the few large weights matter more, and compares accuracies, not squared errors.)",
    ),
    "6.huffman": Prediction(
        question="Which stream of dense1 does Huffman's code shorten more, as a share?",
        options=("the codes of 4 bits", "the gaps of 7 bits"),
        truth=_huffman,
        most="Short gaps come more often than long ones, and one thinks of them first. But some of the sixteen codes "
        "never come at all, and the filler's comes often: only how unevenly the symbols come counts.",
    ),
    "6.stage": Prediction(
        question="Which of the three steps makes the file smaller by the largest factor?",
        options=("P, pruning", "Q, sharing", "H, Huffman"),
        truth=_stage,
        most="The last step has the famous name. But the first takes away nearly all weights.",
    ),
    "6.smallest": Prediction(
        question="float32 takes 900,136 bytes. How small is our smallest file that is right on as many test images?",
        options=tuple(f"about {size:,} bytes" for size in SIZES),
        truth=_smallest,
        most="Who starts from the large network thinks in factors of it. The task needs far fewer weights.",
    ),
    "6.time": Prediction(
        question="Which of these makes an inference clearly faster, in the kernels that we used?",
        options=(
            "80 % zeros in an int8 file",
            "90 % zeros in a float32 file",
            "half of the filters removed",
            "Deep Compression",
        ),
        truth=_time,
        most="All four make a download smaller, and smaller sounds faster. But dense kernels multiply by zeros, too.",
    ),
    "6.noise": Prediction(
        question="How many of all these methods are worse than float32 by more than noise?",
        options=("less than a fifth", "about a third", "more than half"),
        truth=_noise,
        most="Compression must cost something, one thinks. Most of these networks were trained on as well, and gain "
        "more than they lose; the controls show that the training does it.",
    ),
    "6.flash": Prediction(
        question="A microcontroller has 128 KB of flash, and reads the weights from it in place: there is no memory to "
        "unpack them into. Which of these can it use?",
        options=(
            "the network in int8",
            "PCQAT of lesson 06a, after gzip",
            "Deep Compression's file",
            "the student of lesson 06d in int8",
        ),
        truth=_flash,
        most="The shortest file seems to need the least. But packed files are small only until they are used; what is "
        "read in place has to be small as it stands.",
    ),
}
