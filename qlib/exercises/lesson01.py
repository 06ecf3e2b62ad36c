"""Exercises and predictions of lesson 01, background."""

from __future__ import annotations

from qlib.exercises.asking import Wrong, compare, number
from qlib.exercises.engine import Exercise
from qlib.exercises.predictions01 import PREDICTIONS

__all__ = ["EXERCISES", "PREDICTIONS"]


def my_bytes(parameters, num_bits):
    return -(-parameters * num_bits // 8)  # minus, floor, minus: rounds up


def _check_bytes(answer, rng) -> None:
    """The check of 1.1."""
    small = [(1, 8), (1, 32), (2, 4), (1, 4), (3, 3), (5, 4), (3, 16), (225_034, 8), (175_000_000_000, 3)]
    fresh = [(int(rng.integers(1, 10**6)), int(rng.integers(1, 33))) for _ in range(20)]
    compare(
        answer,
        my_bytes,
        [*small, *fresh],
        {
            "those are bits; 8 of them make a byte.": lambda p, b: p * b,
            "rounded down, the last bits have no place; the byte that is begun counts.": lambda p, b: p * b // 8,
            "the nearest whole number may be too small; the byte that is begun counts.": lambda p, b: round(p * b / 8),
            "each weight gets whole bytes of its own here; packed, neighbours share one.": lambda p, b: p * -(-b // 8),
            "where the bits fill their bytes exactly, this adds one too many.": lambda p, b: p * b // 8 + 1,
            "2 ** num_bits counts the codes there are; one weight takes num_bits bits.": lambda p, b: -(-p * 2**b // 8),
            "this takes 4 bytes for each weight, whatever num_bits says.": lambda p, b: p * 4,
            "that divides by num_bits: fewer bits would take more bytes.": lambda p, b: -(-p * 8 // b),
        },
        otherwise="the weights have parameters × num_bits bits in all.",
    )


def my_macs(height, width, c_in, kernel, c_out):
    places = (height - kernel + 1) * (width - kernel + 1)
    return places * c_out * kernel * kernel * c_in


def _check_macs(answer, rng) -> None:
    """The check of 1.2."""
    small = [(3, 3, 1, 3, 1), (4, 4, 1, 3, 1), (5, 4, 1, 3, 1), (3, 3, 2, 3, 1), (3, 3, 1, 3, 2), (28, 28, 1, 3, 32)]
    small += [(5, 5, 1, 2, 1), (6, 6, 1, 5, 1)]  # another kernel
    fresh = [tuple(map(int, (*rng.integers(6, 40, 2), *rng.integers(2, 9, 3)))) for _ in range(5)]
    fresh = [(h, w, c_in, min(k, 5), c_out) for h, w, c_in, k, c_out in fresh]
    compare(
        answer,
        my_macs,
        [*small, *fresh],
        {
            "the kernel does not fit on every pixel: without padding it has height − kernel + 1 places in a column.": (
                lambda h, w, c, k, o: h * w * o * k * k * c
            ),
            "one place is missing in each direction: a kernel as wide as the image still fits once.": (
                lambda h, w, c, k, o: (h - k) * (w - k) * o * k * k * c
            ),
            "those are the weights; each of them is used once at every place of the kernel.": (
                lambda h, w, c, k, o: o * k * k * c
            ),
            "each output sums over all the input channels, not over one.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * o * k * k
            ),
            "that is one output channel; there are c_out of them.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * k * k * c
            ),
            "the kernel is square: kernel × kernel products for each input channel.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * o * k * c
            ),
            "a multiply-add counts as one; counted apart, they are FLOP, twice as many.": (
                lambda h, w, c, k, o: 2 * (h - k + 1) * (w - k + 1) * o * k * k * c
            ),
            "those are the outputs; each of them takes kernel × kernel × c_in products.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * o
            ),
            "a bias is added and multiplies nothing: it takes no MAC.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * o * (k * k * c + 1)
            ),
            "the kernel moves on by one pixel, not by its own width (stride 1).": (
                lambda h, w, c, k, o: (h // k) * (w // k) * o * k * k * c
            ),
            "`kernel` is ignored: this takes 3 for it, whatever it is.": lambda h, w, c, k, o: (
                (h - 2) * (w - 2) * o * 9 * c
            ),
            "`kernel` is ignored in the places: height − 2 of them fit in a column only if it is 3.": (
                lambda h, w, c, k, o: (h - 2) * (w - 2) * o * k * k * c
            ),
            "`kernel` is ignored in the products: 9 of them belong to a kernel of 3.": (
                lambda h, w, c, k, o: (h - k + 1) * (w - k + 1) * o * 9 * c
            ),
            "a product is missing: the places of a column are added to the rest, not multiplied by it.": (
                lambda h, w, c, k, o: (h - k + 1) + (w - k + 1) * o * k * k * c
            ),
            "a product is missing: the places are those of a column times those of a row, not their sum.": (
                lambda h, w, c, k, o: ((h - k + 1) + (w - k + 1)) * o * k * k * c
            ),
            "`*` comes before `+` and `−`: put each number of places in parentheses.": (
                lambda h, w, c, k, o: h - k + 1 * w - k + 1 * o * k * k * c
            ),
            "height and width may differ; this takes the height twice.": (
                lambda h, w, c, k, o: (h - k + 1) ** 2 * o * k * k * c
            ),
        },
        otherwise="the number of outputs times the products for each is wanted.",
    )


def my_bits():
    parameters, memory, bandwidth = 7e9, 4e9, 50e9
    sizes = {bits: parameters * bits / 8 for bits in (2, 3, 4, 5, 6, 8, 16)}
    good = [bits for bits, size in sizes.items() if size <= memory and bandwidth / size >= 15]
    return max(good)


def _check_bits(answer, rng) -> None:
    """The check of 1.3."""
    bits = number(answer)
    if bits not in (2, 3, 4, 5, 6, 8, 16):
        raise Wrong("one of the bit widths 2, 3, 4, 5, 6, 8, 16 is wanted.", got=answer)
    size = 7 * bits / 8
    if bits == 16:
        raise Wrong("16 bits are two bytes for each weight: 14 GB, and the memory holds 4.", got=answer)
    if bits > 4:
        raise Wrong(f"with {bits:g} bits the weights have {size:g} GB, and the memory holds 4.", got=answer)
    if bits == 4:
        passes = 50 / size
        raise Wrong(f"3.5 GB fit, but are read only {passes:.1f} times a second; the speed decides here.", got=answer)
    if bits == 2:
        raise Wrong("2 bits do both, but there is a larger width that does so, too.", got=answer)


def my_attainable(peak, bandwidth, intensity):
    return min(peak, bandwidth * intensity)


def _check_attainable(answer, rng) -> None:
    """The check of 1.4."""
    small = [(100.0, 20.0, 1.0), (100.0, 20.0, 0.5), (10.0, 20.0, 0.25), (100.0, 20.0, 5.0), (100.0, 20.0, 50.0)]
    small += [(10.0, 0.7, 0.123)]  # no round result
    fresh = [tuple(map(float, rng.uniform(1, [1000, 100, 40]))) for _ in range(20)]
    rounded = {
        f"don't round to {digits} digits: a small result would lose most of itself.": lambda p, b, i, digits=digits: (
            round(min(p, b * i), digits)
        )
        for digits in (1, 2, 3)
    }
    compare(
        answer,
        my_attainable,
        [*small, *fresh],
        {
            "that is what the memory allows; right of the ridge the arithmetic ends it at peak.": lambda p, b, i: b * i,
            "that is what the arithmetic allows; it still has to wait for the bytes.": lambda p, b, i: p,
            "the slower of the two decides, not the faster one.": lambda p, b, i: max(p, b * i),
            "a bandwidth is bytes per second; only times intensity does it become FLOP per second.": (
                lambda p, b, i: min(p, b)
            ),
            "more FLOP for each byte is faster: the intensity multiplies, it does not divide.": (
                lambda p, b, i: min(p, b / i)
            ),
            "the intensity belongs to the bytes; it does not change the peak.": lambda p, b, i: min(p * i, b),
            "the two limits do not add up: each alone is a limit.": lambda p, b, i: p + b * i,
            "this reads and multiplies one after the other; in the roofline both go on at once.": (
                lambda p, b, i: 1 / (1 / p + 1 / (b * i))
            ),
            "the intensity belongs to the bandwidth alone: multiply first, then take the smaller one.": (
                lambda p, b, i: min(p, b) * i
            ),
            "the intensity is in FLOP already: the 2 of a multiply-add is counted in it.": (
                lambda p, b, i: min(p, 2 * b * i)
            ),
            "don't round: `int` cuts a small result down to 0.": lambda p, b, i: int(min(p, b * i)),
            "don't round to a whole number: a small result becomes 0.": lambda p, b, i: round(min(p, b * i)),
            "don't round up: the result would lie above the roofline.": lambda p, b, i: -(-min(p, b * i) // 1),
        }
        | rounded,
        otherwise="two limits are wanted, and the smaller of them.",
    )


EXERCISES = {
    "1.1": Exercise(
        task="The whole bytes that so many weights of so many bits take, packed.",
        check=_check_bytes,
        right="with this one line you can tell what fits before you download anything.",
        hints=(
            "How many bits are there in all? How many bits has a byte?",
            "If a byte is begun, it counts: round up. `//` rounds down, `math.ceil` rounds up.",
            "`math.ceil(parameters * num_bits / 8)`",
        ),
        solution=my_bytes,
    ),
    "1.2": Exercise(
        task="The multiply-adds of a convolution, from the size of its input.",
        check=_check_macs,
        right="the work grows with the image, and the number of weights does not.",
        hints=(
            "How many places has a kernel of width 3 in a row of 4 pixels? Of 5?",
            "The output has (height − kernel + 1) × (width − kernel + 1) places, and c_out values at each.",
            "Each of these values is a sum of kernel × kernel × c_in products.",
        ),
        solution=my_macs,
    ),
    "1.3": Exercise(
        task="The largest bit width with which 7 billion weights fit in 4 GB and are read 15 times a second.",
        check=_check_bits,
        right="both limits count, and the tighter one was not the memory.",
        hints=(
            "Make a table: for each bit width the GB of the weights, and how often 50 GB/s read them.",
            "Which widths give at most 4 GB? Which of those are read in at most 1/15 of a second?",
            "50 GB per second ÷ 15 leaves 3.33 GB for the weights.",
        ),
        solution=my_bits,
        kind="value",
    ),
    "1.4": Exercise(
        task="The roofline: the most FLOP per second at an intensity.",
        check=_check_attainable,
        right="the two limits cross at the ridge, intensity = peak / bandwidth; know on which side your layer is.",
        hints=(
            "How many FLOP per second can be fed, if so many bytes arrive and each gives so many FLOP?",
            "There are two limits, one of the memory and one of the arithmetic. The lower one holds.",
            "`min(peak, bandwidth * intensity)`",
        ),
        solution=my_attainable,
    ),
}
