"""Predictions of lesson 08, frequent questions. What is true is computed in the notebook, or shipped."""

from __future__ import annotations

import numpy as np

from qlib.choose import recommend
from qlib.exercises.prediction import Prediction

CHIP = dict(device="microcontroller", budget=256 * 1024, data="images without labels", training=False, max_loss=0.005)
FIRST = ("int8, calibrated (LiteRT)", "half the filters, at once", "Deep Compression", "a tiny network in 3 bits")


def _harm(verdicts):
    worse = sum(verdict < 0 for _, verdict in verdicts.values())
    share = worse / len(verdicts)
    return int(np.digitize(share, (0.1, 0.3, 0.7))), f"{worse} of {len(verdicts)}, that is {share:.0%}."


def _bias(codes):
    most = {name: int(np.abs(q).max()) for name, q in codes.items()}
    fit = sum(size < 2**15 for size in most.values())
    place = 0 if fit == 0 else 1 if fit == 1 else 3 if fit == len(most) else 2
    return place, f"In {fit}. The largest codes are {', '.join(f'{n:,}' for n in most.values())}; 16 bits reach 32,767."


def _images(quality):
    most = max(quality)
    enough = min(n for n in quality if all(quality[m] > quality[most] - 1 for m in quality if m >= n))
    place = int(np.digitize(enough, (2, 30, 300)))
    return place, f"From {enough} on; one image gives {quality[1]:.1f} dB, {most:,} give {quality[most]:.1f} dB."


def _wrong(share):
    return int(np.digitize(share, (0.3, 0.7, 0.97))), f"{share:.0%} are right."


def _device(codes, answers):
    most = max(answers.values())
    figures = f"At most {most} of 1,000; up to {max(codes.values())} images have another code somewhere."
    return int(np.digitize(most, (1, 20, 200))), figures


def _retrain(difference, error):
    place = 1 if abs(difference) <= 2 * error else 0 if difference > 0 else 2
    return place, f"The difference is {100 * difference:+.2f} points, its standard error {100 * error:.2f}."


def _choose():
    first = recommend(**CHIP).steps[0]
    return FIRST.index(first.technique.name), f"{first.bytes:,} bytes, {first.accuracy:.1%} right."


PREDICTIONS = {
    "8.harm": Prediction(
        question="How many compressed networks of lessons 06 to 06c are worse than their control, beyond noise?",
        options=("hardly any, under a tenth", "up to three in ten", "up to seven in ten", "nearly all"),
        truth=_harm,
        most="Both “always” and “never” are heard. It depends on how far one goes; this workbook goes far on purpose.",
    ),
    "8.bias": Prediction(
        question="In how many of the four layers would 16 bits hold all codes of the biases?",
        options=("in none", "in one", "in two or three", "in all four"),
        truth=_bias,
        most="Biases are of the size of the weights, but their step is not: it is the product of two small steps.",
    ),
    "8.images": Prediction(
        question="From how many training images on is the SQNR on test images within 1 dB of what 1,000 give?",
        options=("one", "a handful", "some dozens", "hundreds"),
        truth=_images,
        most="LiteRT's guide says 100 to 500, which does no harm. But one image brings thousands of values of a layer.",
    ),
    "8.wrong": Prediction(
        question="The samples that calibrated were not divided by 255, the images are. How many answers are right?",
        options=("hardly more than by guessing", "about half", "nine in ten", "as many as before"),
        truth=_wrong,
        most="Nothing fails and no warning comes. But pixels from 0 to 1 have two codes left, if the step is 1.",
    ),
    "8.device": Prediction(
        question="Three kernels compute 1,000 images with the same int8 file. How many get another answer (digit)?",
        options=("none", "a few", "dozens", "hundreds"),
        truth=_device,
        most="Codes do differ, by a step here and there. The digit changes only where two are about as probable.",
    ),
    "8.retrain": Prediction(
        question="Is QAT at 8 bits better than a control that was trained as long and then quantized?",
        options=("better, beyond noise", "no difference beyond noise", "worse, beyond noise"),
        truth=_retrain,
        most="QAT is compared with the network before, as a rule, and then it looks better. It was trained longer.",
    ),
    "8.choose": Prediction(
        question="A chip has 256 KiB for the file. There are images, no labels, no training. What to try first?",
        options=FIRST,
        truth=_choose,
        most="The smallest file looks best. But whatever trains needs labels or time; calibration needs neither.",
    ),
}
