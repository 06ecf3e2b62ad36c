"""Solutions and checks of lesson 04: the network and its weights (4.1, 4.2 and 4.7)."""

from __future__ import annotations

import numpy as np

from qlib.exercises.asking import Wrong, compare

LAYERS = ("conv1", "conv2", "dense1", "dense2")
ROOM, SHARE = 64_000, 0.985  # bytes of codes, share of right answers


def my_images(share, error):
    return share * (1 - share) / error**2


def images(answer, rng) -> None:
    """The check of 4.1."""
    some = [(float(rng.uniform(0.7, 0.99)), float(rng.uniform(0.001, 0.004))) for _ in range(5)]
    compare(
        answer,
        my_images,
        [(0.5, 0.01), (0.9, 0.01), (0.988, 0.001), *some],
        {
            "the error is not squared: for half the error it takes four times as many images, not twice.": (
                lambda p, e: p * (1 - p) / e
            ),
            "p stands in place of p(1 − p): a network that is always right would need the most images.": (
                lambda p, e: p / e**2
            ),
            "1 − p stands in place of p(1 − p); the two agree only for a share near 1.": lambda p, e: (1 - p) / e**2,
            "the root stays on p(1 − p): square both sides of the formula, not only the error.": (
                lambda p, e: np.sqrt(p * (1 - p)) / e**2
            ),
            "this is √n: both sides of the formula have to be squared.": lambda p, e: np.sqrt(p * (1 - p)) / e,
            "this is the error that such a number of images would have; n is what is asked for.": (
                lambda p, e: np.sqrt(p * (1 - p) / e)
            ),
        },
        otherwise="put your n into √(p(1 − p)/n): the wanted error should come out.",
        rtol=2e-3,  # a fraction of an image more or less
    )


def my_packed_bytes(sizes, num_bits):
    return sum((size * num_bits + 7) // 8 for size in sizes)


def packed(answer, rng) -> None:
    """The check of 4.2."""
    small = [([8], 3), ([1], 3), ([5], 3), ([1, 1], 4), ([3, 3], 3), ([16], 8)]
    some = [([int(n) for n in rng.integers(1, 5000, 4)], bits) for bits in (2, 3, 5, 7)]
    compare(
        answer,
        my_packed_bytes,
        [*small, *some, ([288, 18_432, 204_800, 1_280], 3)],
        {
            "this is one byte per code: codes of 3 bits are packed, eight of them into three bytes.": (
                lambda sizes, b: sum(sizes)
            ),
            "these are bits; a byte has eight of them.": lambda sizes, b: sum(sizes) * b,
            "the bits of a last byte that is not full are dropped; it is a whole byte of the file all the same.": (
                lambda sizes, b: sum(n * b // 8 for n in sizes)
            ),
            "you round up once, for all kernels together; here each kernel begins at a byte of its own.": (
                lambda sizes, b: -(-sum(sizes) * b // 8)
            ),
            "you add a byte also where the last one is exactly full; round up only where bits are left over.": (
                lambda sizes, b: sum(n * b // 8 + 1 for n in sizes)
            ),
            "no code straddles two bytes in your count; packed codes do, so no bit is left unused between them.": (
                lambda sizes, b: sum(-(-n // (8 // b)) for n in sizes)
            ),
            "a fraction of a byte cannot be stored: round up to whole bytes, for each kernel.": (
                lambda sizes, b: sum(sizes) * b / 8
            ),
        },
        otherwise="for each kernel: its codes times their bits, in bytes, rounded up.",
    )


def my_bits():
    return {"conv1": 4, "conv2": 4, "dense1": 2, "dense2": 4}


def bits(answer, rng, network) -> None:
    """The check of 4.7."""
    widths = _widths(answer)
    sizes = [-(-w.size * b // 8) for w, b in zip(network.weights.kernels, widths, strict=True)]
    total, share = sum(sizes), network.accuracy(widths)
    given, got = str(answer), f"{total:,} bytes of codes, {share:.2%} right"
    if total >= ROOM and widths[2] > 2:
        sentence = f"dense1 alone takes {sizes[2]:,} bytes: with so many weights it cannot have more than 2 bits."
        raise Wrong(sentence, given=given, expected=f"fewer than {ROOM:,} bytes", got=got)
    if total >= ROOM:
        sentence = f"too many bytes: after dense1, conv2 takes the most, {sizes[1]:,}; give it fewer bits."
        raise Wrong(sentence, given=given, expected=f"fewer than {ROOM:,} bytes", got=got)
    if share < SHARE:
        sentence = (
            f"too little accuracy, and {ROOM - total - 1:,} bytes are left over: spend them where a bit costs few bytes"
        )
        sentence += "; conv2 is the layer that needs them most." if widths[1] < 3 else " and the bits are fewest."
        raise Wrong(sentence, given=given, expected=f"at least {SHARE:.1%} right", got=got)


def _widths(answer) -> list[int]:
    """The four widths of an answer, or `Wrong`."""
    if not isinstance(answer, dict):
        raise Wrong('a dict from layer to bits is wanted, as in {"conv1": 8, …}.', got=answer)
    if unknown := [name for name in answer if name not in LAYERS]:
        raise Wrong(f"there is no layer {unknown[0]!r}; there are {', '.join(LAYERS)}.", got=answer)
    if missing := [name for name in LAYERS if name not in answer]:
        raise Wrong(f"every layer needs a width; {', '.join(missing)} has none.", got=answer)
    for name, bits in answer.items():
        if np.shape(bits) != () or np.asarray(bits).dtype.kind not in "iu":
            raise Wrong(f"a width is a whole number of bits; that of {name} is none.", got=answer)
        if not 2 <= bits <= 8:
            raise Wrong(f"widths go from 2 to 8 bits; {name} has {bits}.", got=answer)
    return [int(answer[name]) for name in LAYERS]
