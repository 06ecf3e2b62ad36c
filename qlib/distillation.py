"""Knowledge distillation: a small network, the student, learns from what a large one, the teacher, says of each image.

The formulas of Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531 (2015), in
NumPy and float64. As there, p are the teacher's probabilities, q the student's, v and z their logits. (In the rest of
the workbook q is an integer code; here are none.) Networks and their training are in `qlib.students`.
"""

from __future__ import annotations

import numpy as np

from qlib.arguments import as_reals, is_integer
from qlib.mixed import cross_entropy


def check_temperature(temperature: object) -> None:
    """Refuse what is no finite number above 0."""
    number = isinstance(temperature, (float, np.floating)) or is_integer(temperature)
    if not number or not 0 < temperature < np.inf:
        raise ValueError(f"temperature: expected a finite number above 0, got {temperature!r}")


def check_alpha(alpha: object) -> None:
    """Refuse what is no number from 0 to 1."""
    number = isinstance(alpha, (float, np.floating)) or is_integer(alpha)
    if not number or not 0 <= alpha <= 1:
        raise ValueError(f"alpha: expected a number from 0 to 1, got {alpha!r}")


def as_logits(name: str, logits: object) -> np.ndarray:
    """Logits as float64, refused if they are not finite, or have no last axis of classes."""
    logits = as_reals(name, logits).astype(np.float64)
    if logits.ndim == 0 or logits.size == 0 or not np.isfinite(logits).all():
        raise ValueError(f"{name}: expected finite numbers, classes on the last axis, got {logits}")
    return logits


def log_softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """The logarithm of `softmax`, which stays finite where a probability is too small for a float."""
    check_temperature(temperature)
    scaled = as_logits("logits", logits) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)  # the largest is 0 now, so that no exp overflows
    return scaled - np.log(np.exp(scaled).sum(axis=-1, keepdims=True))


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities exp(z_i / T) / Σ_j exp(z_j / T) over the last axis (Hinton et al. 2015, equation 1).

    Parameters
    ----------
    logits : real, shape (…, classes)
    temperature : float
        T above 0: the larger, the more even the probabilities.

    Returns
    -------
    float64, shape (…, classes)

    Raises
    ------
    ValueError
        If `logits` are not finite or empty, or `temperature` is not a finite number above 0.

    Examples
    --------
    >>> softmax(np.log([1.0, 4.0, 16.0]), 2.0).round(4)  # square roots: 1, 2 and 4 parts of 7
    array([0.1429, 0.2857, 0.5714])
    """
    return np.exp(log_softmax(logits, temperature))


def entropy_bits(p: np.ndarray) -> np.ndarray:
    """−Σ p log2 p over the last axis, in bits: 0 for one certain class, log2(n) for n equally likely ones.

    >>> entropy_bits([[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]]).tolist()
    [1.0, 2.0]
    """
    p = _probabilities("p", p)
    return -np.sum(p * np.log2(np.where(p > 0, p, 1)), axis=-1) + 0.0  # and no −0


def soft_cross_entropy(p: np.ndarray, logits: np.ndarray, temperature: float = 1.0) -> float:
    """The mean over rows of −Σ p log q, in nats; q is the softmax of `logits` at `temperature`.

    `p` are the targets, shape (n, classes). Where they are one-hot, this is the cross-entropy of labels.
    """
    p, log_q = _probabilities("p", p), log_softmax(logits, temperature)
    _same_shape("logits", log_q, p)
    return float(-np.sum(p * log_q, axis=-1).mean())


def kl_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """The mean over rows of Σ p log(p / q), in nats: 0 if q is p, infinite if q excludes what p allows.

    Not symmetric: a q that is too small where p is large costs much, one that is too large where p is small costs
    little.

    Examples
    --------
    >>> round(kl_divergence([0.5, 0.5], [0.25, 0.75]), 4), round(kl_divergence([0.25, 0.75], [0.5, 0.5]), 4)
    (0.1438, 0.1308)
    """
    p, q = _probabilities("p", p), _probabilities("q", q)
    _same_shape("q", q, p)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1)) - np.log(q)), 0)
    return float(terms.sum(axis=-1).mean())


def distillation_loss(
    student_logits: np.ndarray, teacher_logits: np.ndarray, labels: np.ndarray, *, alpha: float, temperature: float
) -> float:
    """α · CE(labels, q_1) + (1 − α) · T² · KL(p_T ‖ q_T), the mean over n images, in nats.

    Parameters
    ----------
    student_logits, teacher_logits : real, shape (n, classes)
    labels : integer, shape (n,)
    alpha : float, 0 to 1
        Weight of the labels; 0 means that the teacher alone is learned from.
    temperature : float
        T of the second term, for teacher and student alike.

    Raises
    ------
    ValueError
        If shapes or numbers are not as said above.
    """
    z, v, labels = _batch(student_logits, teacher_logits, labels)
    check_alpha(alpha)
    soft = kl_divergence(softmax(v, temperature), softmax(z, temperature)) if alpha < 1 else 0.0
    return alpha * cross_entropy(z, labels) + (1 - alpha) * temperature**2 * soft


def distillation_gradient(
    student_logits: np.ndarray, teacher_logits: np.ndarray, labels: np.ndarray, *, alpha: float, temperature: float
) -> np.ndarray:
    """The derivative of `distillation_loss` with respect to the student's logits, shape (n, classes).

    (α · (q_1 − y) + (1 − α) · T² · (1/T) · (q_T − p_T)) / n, with y = 1 at the label and 0 elsewhere
    (Hinton et al. 2015, equation 2, and the factor T² of section 2).
    """
    z, v, labels = _batch(student_logits, teacher_logits, labels)
    check_alpha(alpha)
    hard = softmax(z) - np.eye(z.shape[1])[labels]
    soft = (softmax(z, temperature) - softmax(v, temperature)) / temperature
    return (alpha * hard + (1 - alpha) * temperature**2 * soft) / len(z)


def high_temperature_gradient(student_logits: np.ndarray, teacher_logits: np.ndarray, temperature: float) -> np.ndarray:
    """(z − v) / (N T²): what (1/T)(q_T − p_T) of one image comes close to when T is large (equation 4).

    N is the number of classes. The logits of each row are taken without their mean, as the paper assumes.
    """
    check_temperature(temperature)
    z, v = as_logits("student_logits", student_logits), as_logits("teacher_logits", teacher_logits)
    _same_shape("teacher_logits", v, z)
    z, v = (x - x.mean(axis=-1, keepdims=True) for x in (z, v))
    return (z - v) / (z.shape[-1] * temperature**2)


def _probabilities(name: str, p: object) -> np.ndarray:
    p = as_reals(name, p).astype(np.float64)
    if p.ndim == 0 or p.size == 0 or (p < 0).any() or not np.allclose(p.sum(axis=-1), 1, atol=1e-4):
        raise ValueError(f"{name}: expected probabilities, which sum to 1 over the last axis, got {p}")
    return p


def _same_shape(name: str, array: np.ndarray, like: np.ndarray) -> None:
    if array.shape != like.shape:
        raise ValueError(f"{name}: expected shape {like.shape}, got {array.shape}")


def _batch(student_logits, teacher_logits, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of both and labels, of one batch; refused if they do not fit together."""
    z, v = as_logits("student_logits", student_logits), as_logits("teacher_logits", teacher_logits)
    if z.ndim != 2:
        raise ValueError(f"student_logits: expected shape (n, classes), got {z.shape}")
    _same_shape("teacher_logits", v, z)
    labels = np.asarray(labels)
    if labels.shape != z.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {len(z)} integers, got {labels.dtype} of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= z.shape[1]:
        raise ValueError(f"labels: expected 0 to {z.shape[1] - 1}, got {labels.min()} to {labels.max()}")
    return z, v, labels
