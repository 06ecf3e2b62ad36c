"""Train the students of lesson 06d, and write data/results/06d.json and data/tools/06d_students.npz.

    python data/run_distillation.py
    (cd data && sha256sum mnist.npz mnist_cnn.keras tools/* > SHA256SUMS)

For each seed and recipe of `qlib.students.RECIPES` a student, 2,000 batches of 64 images; also its int8 file where
the recipe is INT8. About ten minutes on one core. Files are written after each seed. The npz holds the weights of seed
0 for each recipe ("RECIPE/0" to "RECIPE/5"), and "threes", how many of the 1,010 test images of a 3 the students named
rightly that never saw one: shape (recipes without threes, seeds). TensorFlow's sums depend on the number of threads: a
new run gives other students of about the same accuracy.
"""

import argparse

import numpy as np

from qlib import deploy, results
from qlib.mnist import DATA, import_tensorflow, load_cnn, load_mnist, quiet
from qlib.students import MISSING, RECIPES, follow, logits_of, predict_logits, with_softmax

STEPS = 2000
INT8 = "60,000 labels: teacher, T = 1"
TARGET = DATA / "tools" / "06d_students.npz"


def deployed(method, student, seed, x_train, x_test, y_test, float_answers):
    """The rows of one student: its float32 file, and its int8 file where the recipe is INT8; and its answers."""
    network, rows = with_softmax(student), []
    for format, name in (("float32", method), ("int8", f"{method}, int8"))[: 1 + (method == INT8)]:
        with quiet():
            file = deploy.to_tflite(network, format, samples=x_train[:300] if format == "int8" else None)
        answers = deploy.run(file, x_test).argmax(axis=1)
        rows.append(results.measure(name, seed, file, answers, y_test, float_answers))
    return rows, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS)
    seeds, steps = (options := parser.parse_args()).seeds, options.steps
    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    (x_train, y_train), (x_test, y_test) = load_mnist()
    x_train, x_test = (x[..., None].astype(np.float32) / 255 for x in (x_train, x_test))
    teacher = load_cnn()
    float_answers = deploy.run(deploy.to_tflite(teacher, "float32"), x_test).argmax(axis=1)
    teacher_logits = predict_logits(logits_of(teacher), x_train)
    rows, weights, threes = [], {}, {}
    for seed in range(seeds):
        for method, recipe in RECIPES.items():
            student = follow(recipe, x_train, y_train, teacher_logits, seed=seed, steps=steps)
            made, answers = deployed(method, student, seed, x_train, x_test, y_test, float_answers)
            rows += made
            if recipe.images == "without":
                threes.setdefault(method, []).append(np.sum(answers[y_test == MISSING] == MISSING))
            if seed == 0:
                weights |= {f"{method}/{i}": w for i, w in enumerate(student.get_weights())}
            print(*made, sep="\n", flush=True)
        TARGET.parent.mkdir(exist_ok=True)
        np.savez_compressed(TARGET, threes=np.array(list(threes.values()), np.int32), **weights)
        results.write("06d", "python data/run_distillation.py", rows)


if __name__ == "__main__":
    main()
