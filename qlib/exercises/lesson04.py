"""Exercises of lesson 04, MNIST: tasks and hints. Solutions and checks: `checks04_weights`, `checks04_integers`."""

from __future__ import annotations

from qlib.exercises import checks04_integers as integers
from qlib.exercises import checks04_weights as weights
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions04 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]

EXERCISES = {
    "4.1": Exercise(
        task="How many test images does it take to know a share p to a given standard error?",
        check=weights.images,
        right="to tell networks apart that differ by a tenth as much, you need a hundred times as many images.",
        hints=(
            "Solve √(p(1 − p)/n) = error for n. What undoes a root?",
            "Squared, the formula says p(1 − p)/n = error².",
            "`return share * (1 - share) / error**2`",
        ),
        solution=weights.my_images,
    ),
    "4.2": Exercise(
        task="Bytes of the packed codes of several kernels, each in whole bytes of its own.",
        check=weights.packed,
        right="packed without a gap, codes of 3 bits take 3/8 of the bytes; only a last byte may be part empty.",
        hints=(
            "How many bits has one kernel? How many bytes hold them?",
            "Five codes of 3 bits are 15 bits, in two bytes. Round up: `(bits + 7) // 8`.",
            "Sum `(size * num_bits + 7) // 8` over the sizes.",
        ),
        solution=weights.my_packed_bytes,
    ),
    "4.3": Exercise(
        task="The int32 codes of the biases of a layer.",
        check=integers.bias,
        right="with this step a bias is just one more summand of the accumulator, and needs no real number.",
        hints=(
            "The formula above says b = s_x · s_w · q_b. Solve it for q_b.",
            "Round to the nearest integer, and mind the type: int32.",
            "`np.rint(b / (s_x * s_w)).astype(np.int32)`",
        ),
        solution=integers.my_bias_codes,
    ),
    "4.4": Exercise(
        task="From accumulators to int8 codes, with one rounding, ties up.",
        check=integers.requantize,
        right="after the sum, that is all an integer-only kernel does for an output: multiply, add, shift, add, clip.",
        hints=(
            "What does a right shift by n do to a number? And to one half less than the next integer?",
            "n is 31 − shift. Add 1 << (n − 1) before you shift. Then the zero point, then the clip, then the cast.",
            "`q = (acc * multiplier + (1 << (n - 1))) >> n`, then `np.clip(q + zero_point, -128, 127)` as int8.",
        ),
        solution=integers.my_requantize,
    ),
    "4.5": Exercise(
        task="An accumulator for which one and two roundings differ.",
        check=integers.acc,
        right="the first rounding lifts the part after the point to one half, and the second rounds that up.",
        hints=(
            "For which numbers does it matter whether you round to some places first, and to an integer then?",
            "Compare results['one_rounding'] with results['two_roundings_up']; np.flatnonzero gives places in `accs`.",
            "`accs[differ & (accs > 0)][0]`, where `differ` is the comparison of the two results.",
        ),
        solution=integers.my_acc,
        kind="value",
    ),
    "4.6": Exercise(
        task="The gradient that the straight-through estimator passes on to w.",
        check=integers.ste,
        right="weights inside go on learning; no gradient reaches a clipped one.",
        hints=(
            "Which weights are clipped? Look at the codes before the clip.",
            "`codes = np.rint(w / scale)`; the gradient passes where `qmin <= codes` and `codes <= qmax`.",
            "`np.where((qmin <= codes) & (codes <= qmax), upstream, 0)`",
        ),
        solution=integers.my_ste_gradient,
    ),
    "4.7": Exercise(
        task="A bit width for each layer: at least 98.5 % right, fewer than 64,000 bytes of codes.",
        check=weights.bits,
        right="bits belong where they cost few bytes and save much loss: not to the largest layer.",
        hints=(
            "How many bytes does dense1 take at 2 bits, and how many at 3?",
            "dense1 has to be at 2 bits. What is left over goes to conv2 first, and a little to the two small ones.",
            "conv2 at 4 bits, conv1 and dense2 at 4 or more.",
        ),
        solution=weights.my_bits,
        kind="value",
    ),
}
