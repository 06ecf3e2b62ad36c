"""Wrong answers to the exercises of lesson 06a, each with a piece of the sentence it must get."""

import numpy as np


def sparsity(*, power=3, hold=True, clamp=True, start=True, upwards=False, least=True, final_at_end=False):
    """A schedule that may get something wrong."""

    def answer(step, final, begin, end, frequency):
        if least and step < begin:
            return 0.0
        if final_at_end and step >= end:
            return final
        now = min(step, end) if clamp else step
        origin = begin if start else 0
        since = now - origin
        if hold:
            since = (-(-since // frequency) if upwards else since // frequency) * frequency
        done = (origin + since - begin) / (end - begin)
        if upwards or not start:
            done = min(max(done, 0.0), 1.0)
        return final - final * (1 - done) ** power

    return answer


def sparsity_slow_first(step, final, begin, end, frequency):
    if step < begin:
        return 0.0
    return final * ((min(step, end) - begin) // frequency * frequency / (end - begin)) ** 3


def sparsity_left(step, final, begin, end, frequency):
    if step < begin:
        return 0.0
    return final * (1 - (min(step, end) - begin) // frequency * frequency / (end - begin)) ** 3


def sparsity_to_one(step, final, begin, end, frequency):
    return sparsity()(step, 1.0, begin, end, frequency)


def sparsity_loop(step, final, begin, end, frequency):
    """Right: look by look."""
    share = 0.0
    for look in range(begin, end + 1, frequency):
        if look <= step:
            share = final * (1 - (1 - (look - begin) / (end - begin)) ** 3)
    return share


def codes(
    *, rounding=lambda v: np.floor(v + 0.5), low=lambda low, s: low, high=lambda low, s: low + 255 * s, shift=True
):
    """Codes that may get something wrong."""

    def answer(x, scale, lowest):
        clipped = np.clip(x, low(lowest, scale), high(lowest, scale))
        return rounding((clipped - lowest if shift else clipped) / scale).astype(np.int64)

    return answer


def codes_as_qlib(x, scale, lowest):
    return (np.rint(np.clip(x, lowest, lowest + 255 * scale) / scale) - lowest / scale).astype(np.int64)


def codes_away(x, scale, lowest):
    v = np.clip(x, lowest, lowest + 255 * scale) / scale
    return (np.sign(v) * np.floor(np.abs(v) + 0.5) - lowest / scale).astype(np.int64)


def codes_after(x, scale, lowest):
    """Right: round first, clip then."""
    return np.clip(np.floor((x - lowest) / scale + 0.5), 0, 255).astype(np.int64)


INF = np.float32(1e9)
WRONG = {
    "6a.1": {
        "the schedule at each step": (sparsity(hold=False), "between two looks"),
        "a straight line": (sparsity(power=1), "a straight line"),
        "slow at first": (sparsity_slow_first, "slow at first"),
        "what is left": (sparsity_left, "taken off the final sparsity"),
        "up to 1": (sparsity_to_one, "ends at `final`"),
        "the next look": (sparsity(upwards=True), "the next look"),
        "looks from step 0": (sparsity(start=False), "counted from step 0"),
        "final at the end": (sparsity(final_at_end=True), "no look after `end`"),
        "on after the end": (sparsity(clamp=False), "your equation goes on"),
        "negative before begin": (sparsity(least=False), "before `begin`"),
        "squared": (sparsity(power=2), "find the step of the last look"),
    },
    "6a.2": {
        "without the centroids": (102_400, "without the centroids"),
        "one byte each": (204_864, "one byte for each number"),
        "int8": (204_800, "as in int8"),
        "int32 numbers": (819_264, "four bytes for each number"),
        "float32": (819_200, "as float32"),
        "16 bits": (409_664, "16 bits for each number"),
        "three bits": (76_864, "three bits"),
        "centroids of a byte": (102_416, "one byte for each centroid"),
        "bits": (819_712, "bytes were asked for"),
        "the table": (64, "these are the centroids"),
        "anything": (1000, "bits for each number"),
    },
    "6a.3": {
        "rounded down": (4602, "still a little below"),
        "one too many": (4604, "one batch earlier"),
        "with e": (4605, "not quite e"),
        "a line": (990, "the same amount"),
        "the time constant": (1000, "still 0.37"),
        "a quotient": (100, "this is 6 / 0.06"),
        "a factor of 10": (2302, "a factor of 100"),
        "the start forgotten": (2812, "starts at −6"),
        "negative": (-4603, "not negative"),
        "not whole": (4602.87, "whole number"),
        "too many": (10_000, "too many"),
        "too few": (500, "too few"),
    },
    "6a.4": {
        "rint": (codes(rounding=np.rint), "ties go to the even"),
        "a cast alone": (codes(rounding=np.floor), "rounding is missing"),
        "ceil": (codes(rounding=np.ceil), "next higher"),
        "not clipped": (codes(low=lambda low, s: -INF, high=lambda low, s: INF), "clip first"),
        "not shifted": (codes(shift=False), "the shift is missing"),
        "256 steps": (codes(high=lambda low, s: low + 256 * s), "256 steps"),
        "no negative values": (codes(low=lambda low, s: 0), "negative values are clipped"),
        "the end not shifted": (codes(high=lambda low, s: 255 * s), "not at 255"),
        "qlib's rule": (codes_as_qlib, ("as qlib does", "ties go to the even")),
        "away from zero": (codes_away, "away from zero"),
    },
}

RIGHT = {
    "6a.1": [sparsity(), sparsity_loop],
    "6a.2": [102_464.0, 204_800 // 2 + 64],
    "6a.3": [4603.0],
    "6a.4": [codes(), codes_after],
}
