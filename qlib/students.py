"""A student of 3,898 parameters for the chapter's CNN, its training, and the recipes that lesson 06d compares.

TensorFlow is imported inside the functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import as_float32, check_count
from qlib.distillation import check_alpha, check_temperature
from qlib.mnist import import_tensorflow, verified

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

BATCH = 64  # images at once
RATE = 0.004  # Adam's learning rate at first; it falls to 0 along half a cosine
FEW = 1000  # labelled images of the second comparison
SHIPPED = "tools/06d_students.npz"
MISSING = 3  # the digit that the third comparison leaves out


@dataclass(frozen=True)
class Recipe:
    """How a student is trained: the two numbers of the loss, and on what.

    alpha, temperature : as in `distillation.distillation_loss`.
    images : "all" 60,000 training images; "few" of them, `FEW`; or all "without" those of the digit `MISSING`.
    teacher : False for one that knows nothing, whose logits are all 0.
    """

    alpha: float
    temperature: float = 1.0
    images: str = "all"
    teacher: bool = True


# Label smoothing is a teacher that knows nothing: a tenth of the target is spread evenly over the digits.
RECIPES = {
    "60,000 labels: hard": Recipe(alpha=1.0),
    "60,000 labels: smoothed": Recipe(alpha=0.9, teacher=False),
    "60,000 labels: teacher, T = 1": Recipe(alpha=0.1),
    "60,000 labels: teacher, T = 4": Recipe(alpha=0.1, temperature=4.0),
    "1,000 labels: hard": Recipe(alpha=1.0, images="few"),
    "1,000 labels: teacher, T = 4": Recipe(alpha=0.1, temperature=4.0, images="few"),
    "no labels: teacher, T = 4": Recipe(alpha=0.0, temperature=4.0),
    "no image of a 3: hard": Recipe(alpha=1.0, images="without"),
    "no image of a 3: teacher, T = 4": Recipe(alpha=0.1, temperature=4.0, images="without"),
}


def build_student(seed: int = 0) -> keras.Model:
    """Two small convolutions in steps of 2 and a dense layer, not compiled: images (n, 28, 28, 1) → logits (n, 10).

    The same seed gives the same weights. 3,898 parameters, a 58th of the teacher's.
    """
    keras = import_tensorflow().keras
    layers = keras.layers
    start = [keras.initializers.GlorotUniform(seed=100 * seed + i) for i in range(3)]
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(6, (5, 5), strides=2, activation="relu", kernel_initializer=start[0], name="conv1"),
            layers.Conv2D(12, (5, 5), strides=2, activation="relu", kernel_initializer=start[1], name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, kernel_initializer=start[2], name="logits"),
        ],
        name="student",
    )


def logits_of(model: keras.Model) -> keras.Model:
    """The same network, sharing its weights, that stops before the softmax of its last layer."""
    keras = import_tensorflow().keras
    last = model.layers[-1]
    logits = keras.layers.Dense(last.units, name=last.name)
    network = keras.Sequential([keras.Input(model.input_shape[1:]), *model.layers[:-1], logits])
    logits.set_weights(last.get_weights())
    return network


def with_softmax(student: keras.Model) -> keras.Model:
    """A copy of the student as it is deployed: with a softmax at its end, and the temperature back at 1.

    Made of new layers, whose names nothing has touched: names are part of a file, and Keras counts them up.
    """
    layers = import_tensorflow().keras.layers
    network = build_student()
    network.set_weights(student.get_weights())
    network.add(layers.Softmax(name="softmax"))
    return network


def predict_logits(network: keras.Model, images: np.ndarray, *, batch: int = 500) -> np.ndarray:
    """A network's outputs for images (n, 28, 28, 1), batch by batch: float32, shape (n, 10)."""
    check_count("batch", batch)
    parts = [network(images[start : start + batch]) for start in range(0, len(images), batch)]
    return np.concatenate([np.asarray(part) for part in parts])


def tensor_loss(
    student_logits: tf.Tensor, teacher_logits: tf.Tensor, labels: tf.Tensor, *, alpha: float, temperature: float
) -> tf.Tensor:
    """`distillation.distillation_loss` in TensorFlow, which can differentiate it."""
    tf = import_tensorflow()
    hard = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), student_logits)
    p = tf.nn.softmax(teacher_logits / temperature)
    log_p, log_q = (tf.nn.log_softmax(logits / temperature) for logits in (teacher_logits, student_logits))
    soft = tf.reduce_sum(p * (log_p - log_q), axis=-1)
    return tf.reduce_mean(alpha * hard + (1 - alpha) * temperature**2 * soft)


def train(
    images: np.ndarray,
    labels: np.ndarray,
    teacher_logits: np.ndarray,
    *,
    alpha: float,
    temperature: float,
    steps: int,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> keras.Model:
    """A student, trained: `steps` batches of `BATCH` images with Adam.

    The seed alone decides about the first weights, and, with the number of images, about the order of the batches.

    Parameters
    ----------
    images : float32, shape (n, 28, 28, 1)
    labels : integer, shape (n,)
        Not used if `alpha` is 0.
    teacher_logits : float32, shape (n, 10)
        Not used if `alpha` is 1.
    progress : function of the number of batches done so far
    """
    check_alpha(alpha)
    check_temperature(temperature)
    check_count("steps", steps)
    images, teacher_logits = as_float32("images", images), as_float32("teacher_logits", teacher_logits)
    for name, array in {"labels": labels, "teacher_logits": teacher_logits}.items():
        if len(array) != len(images) or len(images) == 0:
            raise ValueError(f"{name}: expected one for each of the {len(images)} images, got {len(array)}")
    student = build_student(seed)
    step = _training_step(student, steps, alpha, temperature)
    batches = _batches(len(images), np.random.default_rng(seed))
    labels = np.asarray(labels, np.int32)
    for done in range(1, steps + 1):
        at = next(batches)
        step(images[at], teacher_logits[at], labels[at])
        if progress:
            progress(done)
    return student


def _training_step(student: keras.Model, steps: int, alpha: float, temperature: float) -> Callable:
    """One step of Adam as a function of a batch."""
    tf = import_tensorflow()
    rate = tf.keras.optimizers.schedules.CosineDecay(RATE, steps)
    optimizer = tf.keras.optimizers.Adam(rate)
    optimizer.build(student.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(images, teacher_logits, labels):
        with tf.GradientTape() as tape:
            loss = tensor_loss(
                student(images, training=True), teacher_logits, labels, alpha=alpha, temperature=temperature
            )
        gradients = tape.gradient(loss, student.trainable_variables)
        optimizer.apply_gradients(zip(gradients, student.trainable_variables, strict=True))

    return step


def _batches(count: int, rng: np.random.Generator):
    """Indices of one batch after the other, each image once before any comes again; the last of a round is short."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count, BATCH):
            yield order[start : start + BATCH]


def chosen(recipe: Recipe, labels: np.ndarray, seed: int) -> np.ndarray:
    """Which training images a recipe sees, in rising order. The seed draws the few."""
    if recipe.images == "few":
        return np.sort(np.random.default_rng(seed).permutation(len(labels))[:FEW])
    return np.flatnonzero(labels != MISSING) if recipe.images == "without" else np.arange(len(labels))


def follow(
    recipe: Recipe, images: np.ndarray, labels: np.ndarray, teacher_logits: np.ndarray, *, seed: int, **options
) -> keras.Model:
    """A student trained as a recipe says; `options` as for `train`."""
    at = chosen(recipe, labels, seed)
    logits = teacher_logits[at] if recipe.teacher else np.zeros((len(at), 10), np.float32)
    return train(
        images[at], labels[at], logits, alpha=recipe.alpha, temperature=recipe.temperature, seed=seed, **options
    )


def load_student(method: str) -> keras.Model:
    """The shipped student of a recipe, of seed 0; a ValueError names those there are."""
    if method not in RECIPES:
        raise ValueError(f"method: expected one of {list(RECIPES)}, got {method!r}")
    student = build_student()
    with np.load(verified(SHIPPED), allow_pickle=False) as file:
        student.set_weights([file[f"{method}/{i}"] for i in range(len(student.weights))])
    return student


def load_threes() -> np.ndarray:
    """How many of the 1,010 test images of a 3 are named rightly by the students that never saw one.

    Shape (2, seeds): taught by labels, and by labels and the teacher at T = 4.
    """
    with np.load(verified(SHIPPED), allow_pickle=False) as file:
        return file["threes"]
