"""Wrong answers to the exercises 7.8 to 7.10, each with a piece of the sentence it must get."""

import numpy as np


def step(of=np.linalg.inv, sign=-1, divide=lambda m: m[0, 0], error=lambda w, r: w[0] - r, column=0):
    """One step, with some of its parts by another rule."""

    def my_step(w, h, rounded):
        m = of(h)
        return w[1:] + sign * m[1:, column] / divide(m) * error(w, rounded)

    return my_step


def step_mixed(w, h, rounded):
    return w[1:] - np.linalg.inv(h)[1:, 0] * (w[0] - rounded) / h[0, 0]


def step_solve(w, h, rounded):
    """Right: the least error of the outputs, from the equations of the other weights alone."""
    return w[1:] + np.linalg.solve(h[1:, 1:], h[1:, 0]) * (w[0] - rounded)


def step_cholesky(w, h, rounded):
    """Right: as GPTQ does it."""
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    return w[1:] - u[0, 1:] * ((w[0] - rounded) / u[0, 0])


def step_lists(w, h, rounded):
    """Right: number by number."""
    inverse = np.linalg.inv(h).tolist()
    error = w[0] - rounded
    return [w[j] - inverse[j][0] * error / inverse[0][0] for j in range(1, len(w))]


def bias(mean=lambda x: x.mean(axis=0), of=lambda w, w_hat: w_hat - w, sign=-1, start=True, change=lambda c: c):
    def my_bias(b, w, w_hat, x):
        return b * start + sign * change(mean(x) @ of(w, w_hat))

    return my_bias


def bias_measured(b, w, w_hat, x):
    """Right: the mean of the difference of the outputs."""
    return b + np.mean(x @ w - x @ w_hat, axis=0)


def bias_outputs(b, w, w_hat, x):
    """Right: the bias that gives the old mean."""
    return (x @ w + b).mean(axis=0) - (x @ w_hat).mean(axis=0)


def scales(formula, of=np.max, a=np.abs, b=np.abs):
    def my_scales(first, second):
        return formula(of(a(first), axis=0), of(b(second), axis=1))

    return my_scales


def scales_zero(first, second):
    r1, r2 = np.abs(first).max(axis=0), np.abs(second).max(axis=1)
    return np.divide(np.sqrt(r1 * r2), r2, out=np.zeros(len(r1)), where=r2 > 0)


def scales_epsilon(first, second):
    r1, r2 = np.abs(first).max(axis=0), np.abs(second).max(axis=1)
    return np.sqrt(r1 / np.maximum(r2, 1e-8))


def scales_loop(first, second):
    """Right: unit by unit."""
    found = []
    for i, row in enumerate(second):
        r1, r2 = max(abs(first[:, i])), max(abs(row))
        found.append((r1 * r2) ** 0.5 / r2 if r1 * r2 > 0 else 1.0)
    return found


def scales_where(first, second):
    """Right: division by what is replaced first."""
    r1, r2 = np.abs(first).max(axis=0), np.abs(second).max(axis=1)
    dead = (r1 == 0) | (r2 == 0)
    return np.sqrt(np.where(dead, 1, r1) / np.where(dead, 1, r2))


WRONG = {
    "7.8": {
        "added": (step(sign=1), "is subtracted"),
        "H itself": (step(of=lambda h: h), "takes H itself"),
        "H itself, added": (step(of=lambda h: h, sign=1), "takes H itself"),
        "not divided": (step(divide=lambda m: 1), "division by the first diagonal entry"),
        "H's diagonal": (step_mixed, "divided by H's own diagonal"),
        "own diagonal": (step(divide=lambda m: np.diag(m)[1:]), "its own diagonal entry"),
        "1 / h": (step(of=lambda h: 1 / h), "inverts each number"),
        "evenly": (lambda w, h, r: w[1:] + (w[0] - r) / w[1:].size, "spread evenly"),
        "to each": (lambda w, h, r: w[1:] + (w[0] - r), ("whole error", "spread evenly")),
        "left alone": (lambda w, h, r: w[1:].copy(), "nothing was moved"),
        "the change": (lambda w, h, r: step()(w, h, r) - w[1:], "change alone"),
        "the weight": (step(error=lambda w, r: w[0]), ("not for the weight", "*error*")),
        "what it became": (step(error=lambda w, r: r), ("not for what it was", "nothing was moved")),
        "to the integer": (step(error=lambda w, r: w[0] - np.rint(w[0])), "need not be the nearest"),
        "the diagonal alone": (lambda w, h, r: w[1:] - (w[0] - r) / np.linalg.inv(h)[0, 0], "belong together"),
        "rounded": (lambda w, h, r: np.round(step()(w, h, r)), "in its own turn"),
        "all weights": (lambda w, h, r: np.append(r, step()(w, h, r)), "the shape"),
        "anything": (lambda w, h, r: w[1:] * 0.123, "column 0 of the inverse"),
    },
    "7.9": {
        "added": (bias(sign=1), "*subtracted*"),
        "the sum": (bias(mean=lambda x: x.sum(axis=0)), "take the mean"),
        "without inputs": (lambda b, w, v, x: b - (v - w).sum(axis=0), "the inputs are left out"),
        "mean error": (lambda b, w, v, x: b - np.mean(v - w, axis=0), "errors averaged"),
        "the shift": (bias(start=False, sign=1), "this is the shift alone"),
        "the correction": (bias(start=False), "this is the correction alone"),
        "all of w_hat": (bias(of=lambda w, v: v), "only what *changed*"),
        "one sample": (bias(mean=lambda x: x[0]), "one sample is not the mean"),
        "as it came": (lambda b, w, v, x: b * 1.0, "nothing was corrected"),
        "one mean": (bias(mean=lambda x: np.full(x.shape[1], x.mean())), "one mean for all inputs"),
        "one shift": (bias(change=np.mean), "one shift for all outputs"),
        "without sign": (bias(change=np.abs), "whatever its sign"),
        "divided": (lambda b, w, v, x: b - x.mean(axis=0) @ (v - w) / len(v), "don't divide"),
        "the median": (bias(mean=lambda x: np.median(x, axis=0)), ("the median is not the mean", "E[x]")),
        "magnitudes": (bias(mean=lambda x: np.abs(x).mean(axis=0)), "not of |x|"),
        "without zeros": (bias(mean=lambda x: x.sum(axis=0) / np.maximum((x > 0).sum(axis=0), 1)), "the zeros count"),
        "a factor": (lambda b, w, v, x: b - b * (x.mean(axis=0) @ (v - w)), "doesn't multiply"),
        "each sample": (lambda b, w, v, x: b - x @ (v - w), "the shape"),
        "anything": (lambda b, w, v, x: b * 0.123, "E[x] @ (w_hat − w)"),
    },
    "7.10": {
        "upside down": (scales(lambda r1, r2: (r2 / r1) ** 0.5), "upside down"),
        "no root": (scales(lambda r1, r2: r1 / r2), "without the root"),
        "the range": (scales(lambda r1, r2: np.sqrt(r1 * r2)), "not the factor"),
        "by r1": (scales(lambda r1, r2: np.sqrt(r1 * r2) / r1), ("upside down", "divides by r1")),
        "first alone": (scales(lambda r1, r2: r1), "second is left out"),
        "second alone": (scales(lambda r1, r2: 1 / r2), "first is left out"),
        "the mean": (scales(lambda r1, r2: np.sqrt(r1 / r2), of=np.mean), "this is the mean"),
        "the deviation": (lambda f, s: np.sqrt(np.std(f, axis=0) / np.std(s, axis=1)), "standard deviation"),
        "without abs": (scales(lambda r1, r2: np.sqrt(r1 / r2), a=np.asarray, b=np.asarray), "without the magnitude"),
        "one for all": (
            lambda f, s: np.repeat(np.sqrt(abs(f).max() / abs(s).max()), len(s)),
            "one range for the whole tensor",
        ),
        "ones": (lambda f, s: np.ones(f.shape[1]), "nothing is scaled"),
        "dead: no test": (scales(lambda r1, r2: np.sqrt(r1 * r2) / r2), ("divides by it", "stays 1")),
        "dead: 0": (scales_zero, "its s stays 1"),
        "dead: epsilon": (scales_epsilon, "its s stays 1"),
        "the other axes": (lambda f, s: np.sqrt(np.abs(f).max(axis=1)[: len(s)]), ("the shape", "√(r1")),
        "anything": (lambda f, s: np.full(len(s), 0.123), "√(r1 · r2) / r2"),
    },
}

RIGHT = {
    "7.8": [step(), step_solve, step_cholesky, step_lists],
    "7.9": [bias(), bias_measured, bias_outputs],
    "7.10": [scales_loop, scales_where],
}
