"""How long does one image take in each file of lessons 05 to 06d? Writes data/results/latency.json.

    python data/measure_latency.py [LESSON …]

Each file is run beside the float32 file of the same engine, LiteRT with XNNPACK or ONNX Runtime, on one thread; they
take turns, and the median of the ratios counts. With lessons, such as 05, only theirs are measured, and the others
stay as they are. Needs the extra `pytorch`. Takes a minute; the machine should be idle.
Then run `python data/collect_results.py`.
"""

import sys

import numpy as np

from qlib import deploy, onnx_cnn, results, students, tfmot_files, torch_cnn
from qlib.deploy import Interpreter, to_tflite
from qlib.mnist import load_cnn, load_mnist, verified
from qlib.packed import loads
from qlib.pruned import cnn_with
from qlib.pruning import largest_filters, remove_filters
from qlib.sparse import decode_bitmap
from qlib.tiny import build_tiny

ROUNDS, REPEATS = 60, 20
TFMOT = {"pruned 80 %": "pruned", "clustered, 16": "clustered", "QAT": "qat", "PCQAT": "pcqat"}


def litert(file: bytes, image: np.ndarray):
    interpreter = Interpreter(file)
    codes = deploy.input_codes(interpreter.input, image)

    def call():
        for _ in range(REPEATS):
            interpreter.run(codes)

    call()
    return call


def onnx_runtime(file: bytes, image: np.ndarray):
    session = onnx_cnn.session(file)

    def call():
        for _ in range(REPEATS):
            session.run(None, {"image": image})

    call()
    return call


def unpacked(model, name: str):
    """A Keras network with the weights of a packed file."""
    file = verified(f"tools/{name}").read_bytes()
    model.set_weights([tensor.restored() for tensor in loads(file, [w.shape for w in model.get_weights()])])
    return model


def bitmaps(name: str, like: list[np.ndarray]) -> list[np.ndarray]:
    """The weights of a pruned network, stored as bitmaps, in the shapes of `like`."""
    weights = []
    with np.load(verified(f"tools/06c_{name}.npz")) as file:
        for i, w in enumerate(like[::2]):
            weights += [decode_bitmap(file[f"bits{i}"], file[f"values{i}"], w.shape), file[f"bias{i}"]]
    return weights


def tflite_files(samples: np.ndarray) -> dict[tuple[str, str], bytes]:
    """What runs in LiteRT, by lesson and method; float32 first."""
    cnn = load_cnn()
    files = {("06", "float32"): to_tflite(cnn, "float32")}
    for format in deploy.FORMATS:
        files["05", format] = to_tflite(cnn, format, samples=samples if format.startswith("int") else None)
    files["06a", "int8"] = to_tflite(cnn, "int8", samples=samples)
    files |= {("06a", method): tfmot_files.shipped_file(name) for method, name in TFMOT.items()}
    whole = cnn.get_weights()
    half = remove_filters(whole, [largest_filters(w, 0.5) for w in whole[:6:2]])
    for method, (name, like) in {
        "gradual 90%": ("gradual90", whole),
        "half the filters, fine-tuned": ("half", half),
    }.items():
        files["06c", method] = to_tflite(cnn_with(bitmaps(name, like)), "float32")
    student = students.with_softmax(students.load_student("60,000 labels: teacher, T = 1"))
    files["06d", "60,000 labels: teacher, T = 1"] = to_tflite(student, "float32")
    files["06d", "60,000 labels: teacher, T = 1, int8"] = to_tflite(student, "int8", samples=samples)
    files["06", "further: P+Q+H"] = to_tflite(unpacked(load_cnn(), "06_deep_further.qp"), "float32")
    files["06", "tiny, 3 bits"] = to_tflite(unpacked(build_tiny((8, 12, 16)), "06_tiny.qp"), "float32")
    return files


def onnx_files(samples: np.ndarray) -> dict[tuple[str, str], bytes]:
    """What runs in ONNX Runtime; float32 first."""
    exact = onnx_cnn.to_onnx(torch_cnn.from_keras(load_cnn().get_weights()))
    files = {("06b", "float32, ONNX"): exact}
    for kind in ("per-channel", "per-tensor"):
        options = dict(per_channel=kind == "per-channel")
        files["06b", f"ONNX Runtime static, {kind}"] = onnx_cnn.static_int8(exact, samples, **options)
    return files


def main() -> None:
    only = sys.argv[1:]
    if unknown := set(only) - {"05", "06", "06a", "06b", "06c", "06d"}:
        sys.exit(f"lesson: expected one of 05, 06, 06a, 06b, 06c, 06d, got {', '.join(sorted(unknown))}")
    (x_train, _), (x_test, _) = load_mnist()
    samples, image = x_train[:300, ..., None].astype(np.float32) / 255, x_test[:1, ..., None].astype(np.float32) / 255
    found: dict[str, dict[str, float]] = results.read_latency() if only else {}
    channels_first = samples.transpose(0, 3, 1, 2), image.transpose(0, 3, 1, 2)
    for files, start, shown in (
        (tflite_files(samples), litert, image),
        (onnx_files(channels_first[0]), onnx_runtime, channels_first[1]),
    ):
        reference, *others = files
        measured = [reference, *(name for name in others if not only or name[0] in only)]
        ratios = results.time_ratios([start(files[name], shown) for name in measured], ROUNDS)
        for (lesson, method), ratio in zip(measured, ratios, strict=True):
            if not only or lesson in only:
                found.setdefault(lesson, {})[method] = round(float(ratio), 2)
                print(f"{lesson:4} {method:40} {ratio:.2f}")
    results.write_latency(found)


if __name__ == "__main__":
    main()
