"""Wrong answers to the exercises of lesson 06b, each with a piece of the sentence it must get."""

import numpy as np

F32 = np.float32


def split(kernel, height, width):
    return kernel.reshape(height, width, len(kernel) // (height * width), -1)


def dense_flat(kernel, height, width):
    return kernel.T.copy()


def dense_untransposed(kernel, height, width):
    return np.moveaxis(split(kernel, height, width), 2, 0).reshape(kernel.shape)


def dense_reshaped(kernel, height, width):
    return kernel.reshape(kernel.shape[1], kernel.shape[0])


def dense_back(kernel, height, width):
    channels = len(kernel) // (height * width)
    return np.moveaxis(kernel.reshape(channels, height, width, -1), 0, 2).reshape(kernel.shape).T


def dense_width_first(kernel, height, width):
    return split(kernel, height, width).transpose(2, 1, 0, 3).reshape(kernel.shape).T


def dense_exchanged(kernel, height, width):
    """Right: the places of a channel keep their order, so only how many there are matters."""
    return dense_right(kernel, width, height)


def dense_outputs(kernel, height, width):
    return dense_right(kernel, height, width)[::-1]


def dense_conv(kernel, height, width):
    return split(kernel, height, width).transpose(3, 2, 0, 1)


def dense_between(kernel, height, width):
    return split(kernel, height, width).transpose(3, 0, 2, 1).reshape(kernel.shape[::-1])


def dense_right(kernel, height, width):
    """Right, in another way."""
    order = np.arange(len(kernel)).reshape(height, width, -1).transpose(2, 0, 1).ravel()
    return kernel.T[:, order]


def row(steps=127.5, *, low=-128, high=127, round_=np.rint, eps=2**-23, divide=False, threshold=None, wrap=False):
    """An answer to 6b.2 that may go wrong in one way."""

    def answer(x):
        t = np.max(np.abs(x)) if threshold is None else threshold(x)
        scale = max(F32(t) / F32(steps), F32(eps))
        q = round_(x / scale) if divide else round_(x * (F32(1) / scale))
        return scale, q.astype(np.int64).astype(np.int8) if wrap else np.clip(q, low, high).astype(np.int8)

    return answer


def row_by(codes):
    """An answer to 6b.2 whose codes come about in another way."""

    def answer(x):
        scale = np.maximum(np.max(np.abs(x)) / F32(127.5), F32(2**-23))
        return scale, np.clip(np.rint(codes(x, scale)), -128, 127).astype(np.int8)

    return answer


def row_added(x):
    scale = np.max(np.abs(x)) / F32(127.5) + F32(2**-23)
    return scale, np.rint(x * (F32(1) / scale)).clip(-128, 127).astype(np.int8)


def row_least(x):
    scale = np.minimum(np.max(np.abs(x)) / F32(127.5), F32(2**-23))
    return scale, np.rint(x * (F32(1) / scale)).clip(-128, 127).astype(np.int8)


def row_least_t(x):
    scale = np.maximum(np.max(np.abs(x)), F32(2**-23)) / F32(127.5)
    return scale, np.rint(x * (F32(1) / scale)).clip(-128, 127).astype(np.int8)


def row_one(x):
    return row()(x) if x.any() else (F32(1), np.zeros(x.shape, np.int8))


def row_late(x):
    scale = max(float(np.abs(x).max()) / 127.5, 2**-23)  # Python's float: its inverse is rounded once, not twice
    return scale, np.clip(np.rint(x * np.float32(1 / scale)), -128, 127).astype(np.int8)


def row_float64(x):
    scale = max(float(np.abs(x).max()) / 127.5, 2**-23)
    return F32(scale), np.clip(np.rint(x.astype(float) / scale), -128, 127).astype(np.int8)


def fused(x, scale, zero_point, *, order="fma", clip=True):
    """An answer to 6b.4 that may go wrong in one way."""
    inverse = F32(1) / scale
    exact = x.astype(np.float64) * np.float64(inverse)
    q = {
        "fma": lambda: np.rint((exact + zero_point).astype(F32)),
        "after": lambda: np.rint(x * inverse) + zero_point,
        "two roundings": lambda: np.rint(exact.astype(F32) + F32(zero_point)),
        "float64": lambda: np.rint(exact + zero_point),
        "times": lambda: np.rint(x * scale + F32(zero_point)),
        "minus": lambda: np.rint(x * inverse - F32(zero_point)),
        "none": lambda: np.rint(x * inverse),
        "cut": lambda: np.trunc((exact + zero_point).astype(F32)),
        "up": lambda: np.floor((exact + zero_point + 0.5).astype(F32)),
        "divides": lambda: np.rint(x / scale + F32(zero_point)),
        "float64 inverse": lambda: np.rint((x.astype(float) * (1 / float(scale)) + zero_point).astype(F32)),
        "float64 quotient": lambda: np.rint((x.astype(float) / float(scale) + zero_point).astype(F32)),
        "added to x": lambda: np.rint((x + F32(zero_point)) * inverse),
    }[order]()
    return np.clip(q, -128, 127).astype(np.int8) if clip else q.astype(np.int64).astype(np.int8)


def only(**options):
    return lambda x, scale, zero_point: fused(x, scale, zero_point, **options)


def clipped_first(x, scale, zero_point):
    return (np.clip(np.rint(x / scale), -128, 127) + zero_point).astype(np.int64).astype(np.int8)


def range_(x):
    return max(np.max(x), 0) - min(np.min(x), 0)


def row_loop(x):
    """Right, in Python's numbers where that changes nothing."""
    scale = max(max(max(x), -min(x)) / F32(127.5), F32(2**-23))
    return scale, np.array([min(127, round(float(value * (1 / scale)))) for value in x], np.int8)


def fused_loop(x, scale, zero_point):
    """Right: Python's floats are float64, and `round` goes to the even neighbour, too."""
    inverse = float(F32(1) / scale)
    codes = [round(float(F32(float(value) * inverse + zero_point))) for value in x]
    return np.array([min(127, max(-128, code)) for code in codes], np.int8)


WRONG = {
    "6b.1": {
        "transposed alone": (dense_flat, "only transposed"),
        "reordered alone": (dense_untransposed, "a row for each output"),
        "reshaped": (dense_reshaped, "`reshape` to the new shape"),
        "the way back": (dense_back, "the way back"),
        "channel, width, height": (dense_width_first, "the width comes last"),
        "nothing": (lambda kernel, height, width: kernel, "nothing has changed"),
        "outputs turned round": (dense_outputs, "another order"),
        "four axes": (dense_conv, "two axes are wanted"),
        "height, channel, width": (dense_between, "before both"),
        "lesson 04's network only": (
            lambda k, h, w: k.reshape(5, 5, 64, -1).transpose(3, 2, 0, 1),
            "raised ValueError",
        ),
    },
    "6b.2": {
        "127": (row(127), "127 is qlib's"),
        "128": (row(128), "128 is no half"),
        "affine": (row(255, threshold=range_), "affine step"),
        "255": (row(255), "T is divided by 255"),
        "no absolute value": (row(threshold=lambda x: max(np.max(x), 0)), "largest absolute value"),
        "wraps": (row(wrap=True), "wraps to"),
        "narrow": (row(low=-127), "a code, too"),
        "cut off": (row(round_=np.trunc), "cut off"),
        "half up": (row(round_=lambda r: np.floor(r + F32(0.5))), "not up"),
        "divides": (row(divide=True), "multiplies by its inverse"),
        "no least scale": (row(eps=0), "least value"),
        "the least normal number": (row(eps=1.2e-38), "least value"),
        "the eps of PT2E's x86 quantizer": (row(eps=2**-12), "the least scale is"),
        "the least value": (row(threshold=lambda x: abs(np.min(x))), "no negative number"),
        "half of the range": (row(threshold=lambda x: (np.max(x) - np.min(x)) / F32(2)), "half of the range"),
        "times Δ": (row_by(np.multiply), "counts steps"),
        "by T": (row_by(lambda x, scale: x * F32(127.5) / np.abs(x).max()), "rounds elsewhere"),
        "float64": (row_float64, "this is float64"),
        "inverted in float64": (row_late, "before you invert it"),
        "ε added": (row_added, "no summand"),
        "the smaller": (row_least, "the larger of the two"),
        "ε for T": (row_least_t, "divide first"),
        "1 for zeros": (row_one, "qlib's rule"),
        "1/Δ returned": (lambda x: (1 / row()(x)[0], row()(x)[1]), "what is stored is Δ"),
        "codes first": (lambda x: row()(x)[::-1], "the scale comes first"),
        "the codes alone": (lambda x: row()(x)[1], "2 values are wanted"),
        "codes as floats": (lambda x: (row()(x)[0], row()(x)[1].astype(F32)), "the type int8 is wanted"),
    },
    "6b.3": {
        "the other order": ((6, 5), "other order"),
        "both round first": ((5, 5), "adds 3 first"),
        "both add first": ((6, 6), "before it adds 3"),
        "no zero point": ((2, 2), "zero point is missing"),
        "no zero point, half up": ((3, 3), "zero point is missing"),
        "not rounded": ((5.5, 5.5), "a code is an integer"),
        "second not rounded": ((5, 5.5), "its last step"),
        "one zero point": ((2, 6), "missing in the first"),
        "first not rounded": ((5.5, 6), "rounds 2.5 before"),
        "minus": ((-1, 0), "not minus z"),
        "first": ((4, 6), "rounds 2.5 (half to even)"),
        "second": ((5, 7), "Then it rounds"),
        "one number": (5, "two codes"),
        "three": ((5, 6, 6), "two codes"),
    },
    "6b.4": {
        "round, then add": (only(order="after"), "this rounds, then adds"),
        "two roundings": (only(order="two roundings"), "before the sum"),
        "float64 to the end": (only(order="float64"), "stays in float64"),
        "no clip": (only(clip=False), "wraps"),
        "clip, then add": (clipped_first, ("after the clipping", "this rounds, then adds")),
        "times Δ": (only(order="times"), "counts steps"),
        "minus z": (only(order="minus"), "is subtracted"),
        "no z": (only(order="none"), "left out"),
        "cut off": (only(order="cut"), "cut off"),
        "half up": (only(order="up"), "not up"),
        "divides": (only(order="divides"), "you divide by Δ"),
        "inverse in float64": (only(order="float64 inverse"), "1/Δ has to be a float32"),
        "quotient in float64": (only(order="float64 quotient"), "1/Δ has to be a float32"),
        "z added to x": (only(order="added to x"), "counts no steps yet"),
        "narrow": (lambda *args: np.maximum(fused(*args), -127), "a code, too"),
        "floats": (lambda *args: fused(*args).astype(F32), "the type int8 is wanted"),
    },
}

RIGHT = {
    "6b.1": [dense_right, dense_exchanged],
    "6b.2": [row(), row_loop],
    "6b.3": [[5, 6], (5.0, 6.0), np.array([5, 6]), (np.int8(5), np.int8(6))],
    "6b.4": [fused, fused_loop],
}
