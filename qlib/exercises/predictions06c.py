"""Predictions of lesson 06c, pruning. What is true is computed in the notebook, or read from the shipped results."""

from __future__ import annotations

import numpy as np

from qlib.exercises.prediction import Prediction, nearest
from qlib.results import gzip_bytes
from qlib.sparse import bitmap_bytes, csr_bytes


def _half(exact, halved, labels):
    before, after = (float(np.mean(answers == labels)) for answers in (exact, halved))
    return int(np.digitize(before - after, (0.01, 0.1))), f"{before:.1%} with all weights, {after:.1%} with half."


def _ranking(shares):
    each, together = shares[0.8]
    place = 2 if abs(each - together) < 0.01 else int(together > each)
    return place, f"At 80 % zeros: {each:.1%} per layer, {together:.1%} global."


def _file(dense, zeros):
    ratio = gzip_bytes(zeros) / gzip_bytes(dense)
    return nearest(ratio, (0.1, 0.2, 0.4)), f"{len(zeros):,} bytes, as before; after gzip {ratio:.0%}."


def _time(ratio):
    return int(np.digitize(ratio, (0.3, 0.8))), f"It took {ratio:.2f} of the time of the whole network."


def _csr(shape):
    rows, size = shape[0], int(np.prod(shape))
    least = next(z for z in range(size + 1) if csr_bytes(size - z, rows) < 4 * size) / size
    bitmap = next(z for z in range(size + 1) if bitmap_bytes(size - z, size) < 4 * size) / size
    figures = f"From {least:.1%} zeros on for this matrix; a bitmap from {bitmap:.1%} on."
    return int(np.digitize(least, (0.02, 0.42, 0.75))), figures


def _layer(curves, percents):
    at = {name: float(curve[list(percents).index(90)]) for name, curve in curves.items()}
    listed = ", ".join(f"{name} {accuracy:.0%}" for name, accuracy in at.items())
    return list(at).index(min(at, key=at.get)), f"Accuracy with 90 % zeros in one layer: {listed}."


def _retrain(found):
    before, after, whole = (
        found[name].accuracy for name in ("one-shot 95%", "one-shot 95%, fine-tuned", "float32, as shipped")
    )
    figures = f"From {before:.1%} to {after:.1%}; the network as shipped has {whole:.1%}."
    return int(np.digitize(after, (0.93, whole - 0.01))), figures


def _gradual(found):
    gradual, once = found["gradual 95%"], found["one-shot 95%, fine-tuned"]
    noise = 2 * np.sqrt((gradual.spread**2 + once.spread**2) / 2 * (1 / gradual.seeds + 1 / once.seeds))
    difference = gradual.accuracy - once.accuracy
    place = 2 if abs(difference) <= max(noise, 0.001) else int(difference > 0)
    return place, f"{once.accuracy:.2%} one-shot, {gradual.accuracy:.2%} gradually ({gradual.seeds} seeds each)."


def _control(found):
    shipped, control, pruned = (
        found[name] for name in ("float32, as shipped", "no pruning, fine-tuned", "gradual 90%")
    )
    figures = f"As shipped {shipped.accuracy:.2%}, pruned {pruned.accuracy:.2%}, trained as long without pruning "
    return int(control.accuracy >= pruned.accuracy), f"{figures}{control.accuracy:.2%}."


def _filters(before, after):
    one, other = sum(w.size for w in before), sum(w.size for w in after)
    return int(np.digitize(-other / one, (-0.42, -0.29))), f"{other:,} of {one:,}, {other / one:.1%}."


def _pattern(w):
    size, left = w.size, int(np.count_nonzero(w))
    two, bitmap = size // 2 * 4 + size // 2 * 2 // 8, bitmap_bytes(left, size)
    place = 1 if abs(two / bitmap - 1) < 0.01 else 0 if two < bitmap else 2
    return place, f"{two:,} bytes, and {bitmap:,} as a bitmap."


def _gzip(found):
    names = ("gradual 95%", "half the filters, fine-tuned", "one-shot 2:4, fine-tuned")
    sizes = {name: found[name].gzip for name in names}
    listed = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
    return list(sizes).index(min(sizes, key=sizes.get)), f"After gzip: {listed} bytes."


PREDICTIONS = {
    "6c.half": Prediction(
        question="Half of all weights become 0, those nearest to 0, without any training. How much accuracy is lost?",
        options=("less than one point", "one to ten points", "more than ten points"),
        truth=_half,
        most="Half of the weights sounds like half of the knowledge. But these are the half that was nearly zero.",
    ),
    "6c.ranking": Prediction(
        question="80 % of the weights go. Which leaves the better network?",
        options=(
            "each layer loses 80 % of its weights",
            "all weights are ranked together",
            "no difference: 80 % are 80 %",
        ),
        truth=_ranking,
        most="The same share for each looks fair. But conv1 has few weights, and needs most of them.",
    ),
    "6c.file": Prediction(
        question="Nine of ten weights are 0 now. Both float32 files are packed by gzip. How large is the one with the "
        "zeros, beside the other?",
        options=("about a tenth", "about a fifth", "about two fifths"),
        truth=_file,
        most="One weight in ten is left, so one thinks of a tenth. But gzip also has to say where the zeros stand.",
    ),
    "6c.time": Prediction(
        question="And how long does it take to run, compared with the whole network?",
        options=("about a tenth of the time", "about half of it", "about the same time"),
        truth=_time,
        most="Multiplying by 0 could be left out, one thinks. But somebody has to leave it out: a kernel that was not "
        "written for zeros multiplies by them as by any other number.",
    ),
    "6c.csr": Prediction(
        question="From how many zeros on is CSR, with 32-bit indices, smaller than dense?",
        options=("as soon as there are some", "about a third", "about half", "about nine tenths"),
        truth=_csr,
        most="Zeros that are not stored must save something, one thinks. But each value that is left now needs an "
        "index as long as itself.",
    ),
    "6c.layer": Prediction(
        question="90 % of one layer become 0, the others stay whole. Which layer costs the most accuracy?",
        options=("conv1, 288 weights", "conv2, 18,432", "dense1, 204,800", "dense2, 1,280"),
        truth=_layer,
        most="One expects that from the layer that loses the most weights. It is the one that has the fewest to spare.",
    ),
    "6c.retrain": Prediction(
        question="95 % zeros, held. Sixty batches won a good part back. How many images does the network name rightly "
        "after a whole epoch, 469 batches, with a falling learning rate?",
        options=(
            "below 93 %: soon there is no more to win",
            "more, but at least a point below the network as shipped",
            "within a point of it",
        ),
        truth=_retrain,
        most="What is gone is gone, one thinks. The weights that are left can learn to do its work.",
    ),
    "6c.gradual": Prediction(
        question="95 % zeros, the same epoch of training. Which is better at the end?",
        options=("one-shot, then training", "gradually, while training", "no difference beyond noise"),
        truth=_gradual,
        most="Read the spread over the seeds before you call a difference real.",
    ),
    "6c.control": Prediction(
        question="The network with 90 % zeros is better than the one as shipped. Does pruning make a network better?",
        options=("yes: fewer weights, less overfitting", "no: training longer did it, and does so without pruning"),
        truth=_control,
        most="Pruned and trained is compared with neither. A control, trained as long without pruning, shows which of "
        "the two it was.",
    ),
    "6c.filters": Prediction(
        question="Half of the filters of conv1 and conv2 go, and half of the units of dense1. How many weights are "
        "left in the four kernels?",
        options=("about half", "about a third", "about a quarter"),
        truth=_filters,
        most="Half of the filters is taken for half of the weights. A kernel loses on both sides: half of its inputs, "
        "and half of its outputs.",
    ),
    "6c.pattern": Prediction(
        question="2:4 stores two float32 values of each four, and 2 bits for the place of each. Compared with a bitmap "
        "of the same tensor?",
        options=("smaller", "as large", "larger"),
        truth=_pattern,
        most="Its regularity looks as if it saved bytes. Two places of 2 bits are four bits for four weights: one bit "
        "each, as in the bitmap. What it saves is the search.",
    ),
    "6c.gzip": Prediction(
        question="Three float32 files: gradual with 95 % zeros, half of the filters, 2:4. Which is the smallest after "
        "gzip?",
        options=("gradual 95 %", "half the filters", "2:4"),
        truth=_gzip,
        most="The file with half the filters is by far the smallest before. But gzip can do little with dense "
        "weights, and much with zeros.",
    ),
}
