"""Predictions of lesson 07, outlook: group-wise weights, NF4, FP8, MX. What is true is computed."""

from __future__ import annotations

import numpy as np

from qlib.affine import choose_qparams, fake_quantize
from qlib.clusters import assign
from qlib.error import sqnr_db
from qlib.exercises.prediction import Prediction
from qlib.groups import fake_quantize_groups
from qlib.mx import BLOCK, quantize_mx
from qlib.nf4 import fake_quantize_levels, normal_float
from qlib.small_floats import fake_quantize_float


def _groups(w):
    whole, parts = (sqnr_db(w, fake_quantize_groups(w, size)) for size in (len(w), 64))
    return int(np.digitize(parts - whole, (1.5, 5))), f"From {whole:.1f} to {parts:.1f} dB."


def _next_bit(w):
    small, longer = (
        sqnr_db(w, fake_quantize_groups(w, size, num_bits=num_bits)) for size, num_bits in ((16, 4), (len(w), 5))
    )
    place = 2 if abs(small - longer) < 0.3 else int(longer > small)
    return place, f"Groups of 16: {small:.1f} dB; 5-bit codes: {longer:.1f} dB."


def _equal(weights, levels):
    share = np.bincount(assign(weights, levels).ravel(), minlength=levels.size) / weights.size
    figures = f"The least used level has {share.min():.1%} of the weights, the most used {share.max():.1%}."
    return int(np.digitize(share.max() / share.min(), (1.5, 4))), figures


def _pruned(w, pruned):
    gains = []
    for each in (w, pruned):
        nf4, int4 = fake_quantize_levels(each, normal_float(), 64), fake_quantize_groups(each, 64)
        gains.append(sqnr_db(each, nf4) - sqnr_db(each, int4))
    figures = f"NF4 against int4: {gains[0]:+.1f} dB before, {gains[1]:+.1f} dB with 90 % zeros."
    return int(np.digitize(-gains[1], (-gains[0], 0))), figures


def _fp8(tensors):
    won = []
    for name, x in tensors.items():
        threshold = np.abs(x).max()
        int8 = fake_quantize(x, choose_qparams(-threshold, threshold, symmetric=True))
        if sqnr_db(x, fake_quantize_float(x, "E4M3")) > sqnr_db(x, int8):
            won.append(name)
    return int(np.digitize(len(won) / len(tensors), (0.05, 0.4, 0.75))), f"E4M3 wins for {', '.join(won) or 'none'}."


def _saturate(w):
    _, exponents = quantize_mx(w)
    largest = np.abs(w).reshape(-1, BLOCK, w.shape[1]).max(axis=1).T.ravel()
    scaled = np.ldexp(largest, -exponents)
    figures = f"Above 6: {np.mean(scaled > 6):.0%} of the blocks; above 7, where rounding alone would not give 6: "
    return int(np.digitize(np.mean(scaled > 6), (0.01, 0.25, 0.75))), f"{figures}{np.mean(scaled > 7):.0%}."


def _table(formats, w):
    names = ("int4 groups of 64", "NF4 blocks of 64", "MXFP4 E2M1")
    found = {name: sqnr_db(w, formats[name][1](w)) for name in names}
    listed = ", ".join(f"{name} {db:.1f} dB" for name, db in found.items())
    return list(found).index(max(found, key=found.get)), f"{listed}."


PREDICTIONS = {
    "7.groups": Prediction(
        question="4 bits for dense1. Instead of one scale for each output (1,600 weights), each 64 weights get one: "
        "4.25 bits instead of 4.01. What does the SQNR gain?",
        options=("less than 1.5 dB, what a quarter of a bit is worth", "1.5 to 5 dB", "more than 5 dB"),
        truth=_groups,
        most="A quarter of a longer code would be worth 1.5 dB. These bits are better spent: 24 of 25 groups no longer "
        "have to reach the largest weight of their output.",
    ),
    "7.next-bit": Prediction(
        question="Now 5 bits per weight are allowed. Which has less error?",
        options=(
            "4-bit codes, a scale for each 16 weights (5.00 bits)",
            "5-bit codes, a scale for each output (5.01 bits)",
            "about the same",
        ),
        truth=_next_bit,
        most="What worked so well should go on working, one thinks. But each halving of the groups costs twice as "
        "many bits as the one before, and gains the same.",
    ),
    "7.equal": Prediction(
        question="NF4's levels are quantiles, so that all should be used equally often. In dense1, how many times as "
        "often is the most used level used as the least used?",
        options=("about as often", "two or three times", "more than four times"),
        truth=_equal,
        most="Equal use holds for values that are normally distributed and share one scale. Here each block is divided "
        "by its own largest weight.",
    ),
    "7.pruned": Prediction(
        question="On dense1, NF4 is better than int4. Now the 90 % of its weights nearest to 0 become 0. And now?",
        options=("NF4 is ahead by more", "NF4 is ahead by less", "int4 is ahead"),
        truth=_pruned,
        most="Many zeros look like a case for many levels near 0. But zeros need one level only; the weights that are "
        "left are large, and there NF4's levels are far apart.",
    ),
    "7.fp8": Prediction(
        question="Ten tensors: kernels and activations of the chapter's network, weights and activations of a "
        "transformer. int8 and E4M3 each get one scale. For how many has E4M3 less error?",
        options=("for none", "for a few", "for about half", "for most"),
        truth=_fp8,
        most="A newer format is taken for a better one. But its exponent pays only where the largest value is far "
        "from the rest, as in the transformer's ffn_output.",
    ),
    "7.saturate": Prediction(
        question="The shared scale is taken from the largest weight of each block. In how many blocks of dense1 is "
        "this largest weight still above the largest element, 6 · 2^k?",
        options=("in none: the scale is made for it", "in one of ten", "in four of ten", "in nearly all"),
        truth=_saturate,
        most="A scale from the largest should reach it, one thinks. But a power of two can only be near: the largest "
        "lands somewhere from 4 to 8.",
    ),
    "7.table": Prediction(
        question="Three formats with 4.25 bits per weight. Which has the least error for dense1?",
        options=("int4, groups of 64", "NF4, blocks of 64", "MXFP4, blocks of 32"),
        truth=_table,
        most="The smallest blocks seem the best. But MXFP4 pays for them with a scale that is a power of two, and with "
        "levels that suit these weights less.",
    ),
}
