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


def sparsity_of(equation, *, percent=1):
    """The last look in another equation, of the share of the way that is done."""

    def answer(step, final, begin, end, frequency):
        if step < begin:
            return 0.0
        steps = (min(step, end) - begin) // frequency * frequency
        return percent * equation(steps / (end - begin), final)

    return answer


def sparsity_at(steps):
    """The right equation at other steps since `begin`."""

    def answer(step, final, begin, end, frequency):
        if step < begin:
            return 0.0
        return final - final * (1 - steps(min(step, end) - begin, frequency) / (end - begin)) ** 3

    return answer


def sparsity_between(step, final, begin, end, frequency):
    if not begin <= step <= end or (step - begin) % frequency:
        return 0.0
    return final - final * (1 - (step - begin) / (end - begin)) ** 3


def sparsity_by_end(step, final, begin, end, frequency):
    if step < begin:
        return 0.0
    return final - final * (1 - (min(step, end) - begin) // frequency * frequency / end) ** 3


def sparsity_falls(step, final, begin, end, frequency):
    return sparsity()(step, final, begin, end, frequency) if step <= end else 0.0


def sparsity_early(step, final, begin, end, frequency):
    return sparsity()(step, final, begin, end, frequency) if step >= begin else final


def sparsity_short_loop(step, final, begin, end, frequency):
    share = 0.0
    for look in range(begin, min(step, end), frequency):  # without the last
        share = final * (1 - (1 - (look - begin) / (end - begin)) ** 3)
    return share


def sparsity_expanded(step, final, begin, end, frequency):
    """Right: by the array of looks, with the cube written out."""
    looks = np.arange(begin, end + 1, frequency)
    looks = looks[looks <= step]
    if looks.size == 0:
        return 0
    done = (looks[-1] - begin) / (end - begin)
    return np.float32(final * (3 * done - 3 * done**2 + done**3))


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


def codes_of(steps, rounding=lambda v: np.floor(v + 0.5)):
    """Clipped as they should be, then counted otherwise."""
    return lambda x, s, low: rounding(steps(np.clip(x, low, low + 255 * s), s, low)).astype(np.int64)


def codes_signed(x, scale, lowest):
    return codes()(x, scale, lowest) - 128


def codes_back(x, scale, lowest):
    return (codes()(x, scale, lowest) * scale + lowest).astype(np.int64)


def codes_wrap(x, scale, lowest):
    return np.floor((x - lowest) / scale + 0.5).astype(np.int64).astype(np.uint8).astype(np.int64)


def codes_list(x, scale, lowest):
    return codes()(x, scale, lowest).tolist()


def codes_one_by_one(x, scale, lowest):
    """Right: value by value, in float64."""
    values = [min(max(float(v), float(lowest)), float(lowest) + 255 * float(scale)) for v in x.ravel()]
    return np.array([int((v - float(lowest)) / float(scale) + 0.5) for v in values], np.int64).reshape(x.shape)


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
        "squared": (sparsity(power=2), "the power is 3"),
        "0 between the looks": (sparsity_between, "the zeros stay: it is that of the last look"),
        "looks for steps": (sparsity_at(lambda since, every: since // every), "times `frequency`"),
        "without this step's look": (
            sparsity_at(lambda since, every: max(since - 1, 0) // every * every),
            "this very step counts",
        ),
        "a loop that ends too early": (sparsity_short_loop, "this very step counts"),
        "the nearest look": (sparsity_at(lambda since, every: round(since / every) * every), "the nearest look"),
        "divided by end": (sparsity_by_end, "divide by `end`"),
        "added": (sparsity_of(lambda done, final: final + final * (1 - done) ** 3), "not added"),
        "a bracket without factor": (sparsity_of(lambda done, final: final - (1 - done) ** 3), "has a factor"),
        "a whole-number division": (sparsity_of(lambda done, final: final - final * (1 - done // 1) ** 3), "with `/`"),
        "percent": (sparsity_of(lambda done, final: final - final * (1 - done) ** 3, percent=100), "in percent"),
        "what lives": (lambda *case: 1 - sparsity()(*case), "the share of zeros"),
        "rounded": (lambda *case: round(sparsity()(*case), 2), "all its digits"),
        "none after the end": (sparsity_falls, "come back to life"),
        "final before begin": (sparsity_early, "not `final`"),
        "the running sum": (lambda *case: 2 * sparsity()(*case) + 0.1, "find the step of the last look"),
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
        "two bits": (51_264, "2 bits each"),
        "centroids of float64": (102_528, "eight bytes"),
        "the table in bits": (102_912, "512 bits"),
        "fifteen centroids": (102_460, "16 numbers"),
        "a table for each unit": (110_592, "shares one table"),
        "the whole network": (112_581, "the whole network"),
        "gzip": (89_546, "what gzip makes"),
        "in KB": (100.0625, "in KB"),
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
        "a line of thousandths": (5940, "the same amount"),
        "two logarithms": (1999, "to base 10 once"),
        "two logarithms, turned round": (10_599, "to base 10 once"),
        "0.99": (459, "this is 0.99ⁿ"),
        "passes": (10, "passes over"),
        "images": (4603 * 128, "these are images"),
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
        "half down": (codes(rounding=lambda v: np.ceil(v - 0.5)), "ties go down"),
        "a half, and rounded": (codes(rounding=lambda v: np.rint(v + 0.5)), "rounds once more"),
        "codes from −128": (codes_signed, "begin at −128"),
        "codes from 1": (codes(rounding=lambda v: np.floor(v + 1.5)), "here it has 1"),
        "the reals": (codes_back, "the reals again"),
        "wrapped": (codes_wrap, "wrap around"),
        "a list": (codes_list, "not a list"),
        "254 steps": (codes(high=lambda low, s: low + 254 * s), "254 steps"),
        "a symmetric range": (codes(high=lambda low, s: -low), "is symmetric"),
        "lowest added": (codes_of(lambda x, s, low: (x + low) / s), "not added"),
        "lowest as a code": (codes_of(lambda x, s, low: x / s - low), "is a real, not a code"),
        "times the scale": (codes_of(lambda x, s, low: (x - low) * s), "divide by the scale"),
        "half a real": (codes_of(lambda x, s, low: (x - low + 0.5) / s, np.floor), "after the division"),
        "a cast, then the shift": (
            codes_of(lambda x, s, low: np.trunc(x / s + 0.5) - low / s, np.rint),
            "cuts negative values",
        ),
    },
}

RIGHT = {
    "6a.1": [sparsity(), sparsity_loop, sparsity_expanded],
    "6a.2": [102_464.0, 204_800 // 2 + 64, np.int64(102_464)],
    "6a.3": [4603.0, np.ceil(np.log(0.01) / np.log(0.999)), np.array(4603)],
    "6a.4": [codes(), codes_after, codes_one_by_one],
}
