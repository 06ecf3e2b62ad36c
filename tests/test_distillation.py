"""qlib.distillation and qlib.students: values by hand, TensorFlow and SciPy-free oracles, properties."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qlib import distillation as d
from qlib import students
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist
from qlib.results import read

LOGITS = arrays.arrays(np.float64, (3, 4), elements=st.floats(-50, 50))
TEMPERATURES = st.floats(0.5, 20)


def test_softmax_by_hand():
    v = np.log([[1.0, 4.0, 16.0]])  # at T: parts of 1, 4 and 16 to the power 1/T
    np.testing.assert_allclose(d.softmax(v), [[1 / 21, 4 / 21, 16 / 21]])
    np.testing.assert_allclose(d.softmax(v, 2), [[1 / 7, 2 / 7, 4 / 7]])
    np.testing.assert_allclose(d.softmax(v, 0.5), [[1 / 273, 16 / 273, 256 / 273]])
    np.testing.assert_allclose(d.softmax(v[0], 2), [1 / 7, 2 / 7, 4 / 7])  # one row without an axis of images


def test_softmax_of_large_logits():
    assert d.softmax([1e4, 0.0, -1e4]).tolist() == [1, 0, 0]
    np.testing.assert_allclose(d.log_softmax([1e4, 0.0], 2.0), [0, -5000])


@given(LOGITS, TEMPERATURES)
def test_softmax_properties(v, t):
    p = d.softmax(v, t)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(d.softmax(v + 7, t), p, atol=1e-12)
    np.testing.assert_allclose(np.log(p), d.log_softmax(v, t), rtol=1e-9, atol=1e-9)
    assert (np.take_along_axis(p, np.argsort(v, axis=1), axis=1) >= 0).all()
    assert (np.diff(np.take_along_axis(p, np.argsort(v, axis=1), axis=1), axis=1) >= 0).all()  # the order stays
    assert (d.entropy_bits(d.softmax(v, 2 * t)) >= d.entropy_bits(p) - 1e-9).all()  # hotter is never surer


def test_entropy_by_hand():
    assert d.entropy_bits([0, 1, 0]) == 0 and d.entropy_bits([0.5, 0.25, 0.25]) == 1.5
    assert d.entropy_bits(np.full((2, 8), 0.125)).tolist() == [3, 3]


def test_divergence_by_hand():
    p, q = [[0.5, 0.5]], [[0.25, 0.75]]
    assert d.kl_divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert d.kl_divergence(p, p) == 0 and d.kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(np.log(2))
    assert d.kl_divergence([0.5, 0.5], [1, 0]) == np.inf


@given(LOGITS, LOGITS, TEMPERATURES)
def test_cross_entropy_is_divergence_plus_the_teachers_entropy(z, v, t):
    p, q = d.softmax(v, t), d.softmax(z, t)
    nats = d.entropy_bits(p).mean() * np.log(2)
    assert d.soft_cross_entropy(p, z, t) == pytest.approx(d.kl_divergence(p, q) + nats, rel=1e-6, abs=1e-9)
    assert d.kl_divergence(p, q) >= -1e-12


def test_loss_by_hand():
    z, v = np.log([[1.0, 4.0]]), np.log([[9.0, 1.0]])  # at T = 2: q = (1/3, 2/3), p = (3/4, 1/4)
    soft = 0.75 * np.log(9 / 4) + 0.25 * np.log(3 / 8)
    assert d.distillation_loss(z, v, [0], alpha=1.0, temperature=2.0) == pytest.approx(np.log(5))
    assert d.distillation_loss(z, v, [0], alpha=0.0, temperature=2.0) == pytest.approx(4 * soft)
    both = 0.25 * np.log(5) + 0.75 * 4 * soft
    assert d.distillation_loss(z, v, [0], alpha=0.25, temperature=2.0) == pytest.approx(both)
    gradient = d.distillation_gradient(z, v, [0], alpha=0.0, temperature=2.0)
    np.testing.assert_allclose(gradient, [[2 * (1 / 3 - 3 / 4), 2 * (2 / 3 - 1 / 4)]])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_loss_and_gradient_against_tensorflow(alpha, temperature):
    tf, rng = import_tensorflow(), np.random.default_rng(0)
    z, v = rng.normal(0, 5, (2, 8, 10))
    labels = rng.integers(0, 10, 8)
    with tf.GradientTape() as tape:
        tape.watch(tensor := tf.constant(z))
        loss = students.tensor_loss(tensor, tf.constant(v), labels, alpha=alpha, temperature=temperature)
    options = dict(alpha=alpha, temperature=temperature)
    assert float(loss) == pytest.approx(d.distillation_loss(z, v, labels, **options), rel=1e-9)
    ours = d.distillation_gradient(z, v, labels, **options)
    np.testing.assert_allclose(ours, tape.gradient(loss, tensor), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.sum(axis=1), 0, atol=1e-12)  # what one class gains, others lose


def test_a_teacher_that_knows_nothing_is_label_smoothing():
    rng = np.random.default_rng(1)
    z, labels = rng.normal(0, 3, (6, 10)), rng.integers(0, 10, 6)
    ours = d.distillation_gradient(z, np.zeros((6, 10)), labels, alpha=0.9, temperature=1.0)
    targets = 0.9 * np.eye(10)[labels] + 0.1 / 10
    np.testing.assert_allclose(ours, (d.softmax(z) - targets) / 6)


def test_the_gradient_at_a_high_temperature():
    z, v = np.random.default_rng(2).normal(3, 4, (2, 5, 10))
    for temperature, tolerance in ((1e3, 1e-2), (1e5, 1e-4)):
        exact = (d.softmax(z, temperature) - d.softmax(v, temperature)) / temperature
        near = d.high_temperature_gradient(z, v, temperature)
        assert np.abs(near - exact).max() < tolerance * np.abs(exact).max()


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: d.softmax([1.0, 2.0], 0), "temperature: expected a finite number above 0, got 0"),
        (lambda: d.softmax([1.0, 2.0], True), "temperature: expected a finite number above 0, got True"),
        (lambda: d.softmax([1.0, np.inf]), "logits: expected finite numbers"),
        (lambda: d.softmax(3.0), "logits: expected finite numbers, classes on the last axis"),
        (lambda: d.entropy_bits([0.5, 0.6]), "p: expected probabilities"),
        (lambda: d.kl_divergence([0.5, 0.5], [1.0]), "q: expected shape (2,), got (1,)"),
        (lambda: d.soft_cross_entropy([[0.5, 0.5]], [[1.0]]), "logits: expected shape (1, 2), got (1, 1)"),
        (lambda: loss(alpha=1.5), "alpha: expected a number from 0 to 1, got 1.5"),
        (lambda: loss(labels=[2]), "labels: expected 0 to 1, got 2 to 2"),
        (lambda: loss(labels=[0.0]), "labels: expected 1 integers, got float64 of shape (1,)"),
        (lambda: loss(teacher=[[1.0, 2.0, 3.0]]), "teacher_logits: expected shape (1, 2), got (1, 3)"),
        (lambda: loss(student=[1.0, 2.0]), "student_logits: expected shape (n, classes), got (2,)"),
        (lambda: students.load_student("hard"), "method: expected one of ['60,000 labels: hard'"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        call()


def loss(student=((1.0, 2.0),), teacher=((1.0, 2.0),), labels=(0,), alpha=0.5, temperature=2.0):
    return d.distillation_loss(student, teacher, np.array(labels), alpha=alpha, temperature=temperature)


# ------------------------------------------------------------------- the students


def test_the_student_is_at_most_a_tenth_and_its_seed_decides():
    student, teacher = students.build_student(3), load_cnn()
    assert student.count_params() == 6 * 26 + 12 * 151 + 10 * 193 == 3898 < teacher.count_params() / 10
    same, other = students.build_student(3).get_weights(), students.build_student(4).get_weights()
    pairs = list(zip(student.get_weights(), same, other, strict=True))
    assert all(np.array_equal(a, b) for a, b, _ in pairs)
    assert all(not np.array_equal(a, c) for a, _, c in pairs if a.ndim > 1)


def test_logits_and_softmax_belong_to_the_same_network():
    (_, _), (x_test, _) = load_mnist()
    images, teacher = x_test[:7, ..., None].astype(np.float32) / 255, load_cnn()
    logits = students.predict_logits(students.logits_of(teacher), images, batch=3)
    np.testing.assert_allclose(d.softmax(logits), teacher(images), atol=1e-5)
    student = students.build_student()
    logits = students.predict_logits(student, images)
    np.testing.assert_allclose(d.softmax(logits), students.with_softmax(student)(images), atol=1e-5)


def test_every_image_once_before_any_comes_again():
    batches = students._batches(150, np.random.default_rng(0))
    first = [next(batches) for _ in range(3)]
    assert [len(batch) for batch in first] == [64, 64, 22]
    assert sorted(np.concatenate(first)) == list(range(150))


def test_what_a_recipe_sees():
    labels = np.arange(5000) % 10
    few = [students.chosen(students.RECIPES[f"1,000 labels: {name}"], labels, 7) for name in ("hard", "teacher, T = 4")]
    assert np.array_equal(*few) and len(set(few[0])) == students.FEW
    without = students.chosen(students.RECIPES["no image of a 3: hard"], labels, 0)
    assert len(without) == 4500 and 3 not in labels[without]
    assert len(students.chosen(students.RECIPES["no labels: teacher, T = 4"], labels, 0)) == 5000


def test_a_student_learns_from_logits_alone():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 0.1, (256, 28, 28, 1)).astype(np.float32)
    side = np.arange(256) % 2
    images[side == 1, :, :14] += 0.9  # ink on the left for class 1
    logits = np.full((256, 10), -4, np.float32)
    logits[np.arange(256), side] = 4
    seen = []
    options = dict(alpha=0.0, temperature=2.0, steps=40, progress=seen.append)
    student = students.train(images, np.zeros(256, int), logits, **options)
    assert np.mean(students.predict_logits(student, images).argmax(axis=1) == side) > 0.95
    assert seen == list(range(1, 41))


def test_what_does_not_fit_is_refused():
    images, logits = np.zeros((3, 28, 28, 1)), np.zeros((3, 10))
    with pytest.raises(ValueError, match="labels: expected one for each of the 3 images, got 2"):
        students.train(images, np.zeros(2, int), logits, alpha=0.5, temperature=1.0, steps=1)
    with pytest.raises(ValueError, match="steps: expected an integer from 1 on, got 0"):
        students.train(images, np.zeros(3, int), logits, alpha=0.5, temperature=1.0, steps=0)


def test_the_shipped_students_are_those_of_the_recipes():
    rows = {row.method for row in read("06d")}
    assert set(students.RECIPES) <= rows
    seeds = {method: sorted(row.seed for row in read("06d") if row.method == method) for method in rows}
    assert len(set(map(tuple, seeds.values()))) == 1 and len(seeds["60,000 labels: hard"]) >= 3
    for method in students.RECIPES:
        assert students.load_student(method).count_params() == 3898
    assert students.load_threes().shape == (2, len(seeds["60,000 labels: hard"]))
    assert (DATA / "tools" / "06d_students.npz").stat().st_size < 300_000
