"""From Keras to `.tflite` in each format, and LiteRT's interpreter with each kernel."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from tflite_files import one_operator

from qlib import deploy, load_cnn, load_mnist, quantize
from qlib.affine import QParams
from qlib.fixedpoint import KERNELS
from qlib.tflite import read

CALIBRATED = ("int8", "int8_per_tensor", "int16x8")
BYTES = {"float32": 4, "float16": 2, "dynamic": 1, "int8": 1, "int8_per_tensor": 1, "int16x8": 1}
WEIGHTS = 3 * 3 * 32 + 3 * 3 * 32 * 64 + 1600 * 128 + 128 * 10


@pytest.fixture(scope="module")
def cnn():
    return load_cnn()


@pytest.fixture(scope="module")
def samples():
    (x, _), _ = load_mnist()
    return x[:20, ..., None].astype(np.float32) / 255


@pytest.fixture(scope="module")
def images():
    _, (x, _) = load_mnist()
    return x[:250, ..., None].astype(np.float32) / 255


@pytest.fixture(scope="module")
def files(cnn, samples):
    return {f: deploy.to_tflite(cnn, f, samples=samples if f in CALIBRATED else None) for f in deploy.FORMATS}


# -------------------------------------------------------------------- conversion


def test_every_format_is_a_tflite_file_of_about_its_bytes_per_weight(files):
    assert set(files) == set(BYTES)
    for format, tflite in files.items():
        assert isinstance(tflite, bytes) and tflite[4:8] == b"TFL3"
        assert 0 <= len(tflite) - BYTES[format] * WEIGHTS < 25_000
    sizes = {format: len(tflite) for format, tflite in files.items()}
    assert sizes["float32"] > sizes["float16"] > max(sizes["dynamic"], sizes["int8"], sizes["int16x8"])
    assert sizes["int8"] > sizes["int8_per_tensor"]  # a scale for each channel takes place


@pytest.mark.parametrize(
    "format, ends, weights, scales, activations",
    [
        ("float32", "float32", "float32", 0, "float32"),
        ("float16", "float32", "float16", 0, "float32"),
        ("dynamic", "float32", "int8", 64, "float32"),
        ("int8", "int8", "int8", 64, "int8"),
        ("int8_per_tensor", "int8", "int8", 1, "int8"),
        ("int16x8", "float32", "int8", 64, "int16"),
    ],
)
def test_what_each_format_stores_and_computes_with(format, ends, weights, scales, activations, files):
    graph = read(files[format])
    assert {str(graph.tensors[i].dtype) for i in graph.inputs + graph.outputs} == {ends}
    second = next(t for t in graph.tensors if t.shape == (64, 3, 3, 32) and t.data is not None)
    assert str(second.dtype) == weights and second.scale.size == scales
    convolution = [o for o in graph.operators if o.name == "CONV_2D"][1]
    assert str(graph.tensors[convolution.outputs[0]].dtype) == activations
    dense = [graph.tensors[o.inputs[1]] for o in graph.operators if o.name == "FULLY_CONNECTED"]
    assert [t.scale.size for t in dense] == {0: [0, 0], 1: [1, 1], 64: [128, 10]}[scales]


def test_the_input_of_int8_is_calibrated_on_the_samples(cnn, samples):
    # Samples from 0 to 1/2 make steps of 1/510 from −128 on.
    graph = read(deploy.to_tflite(cnn, "int8", samples=samples / 2))
    x = graph.tensors[graph.inputs[0]]
    assert x.zero_point == -128 and x.scale == np.float32(0.5 / 255)


@pytest.mark.parametrize("format", ["dynamic", "int8", "int16x8"])
def test_two_conversions_give_the_same_bytes(format, cnn, samples, files):
    again = deploy.to_tflite(cnn, format, samples=samples if format in CALIBRATED else None)
    assert again == files[format]


def test_progress_of_a_conversion_counts_the_samples(cnn, samples):
    counts, before = [], samples.copy()
    deploy.to_tflite(cnn, "int8", samples=samples[:7], progress=counts.append)
    assert counts[-7:] == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(samples, before)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_samples_of_another_dtype_become_float32(dtype, cnn, samples):
    rounded = np.rint(samples[:3]).astype(dtype)
    expected = deploy.to_tflite(cnn, "int8", samples=rounded.astype(np.float32))
    assert deploy.to_tflite(cnn, "int8", samples=rounded) == expected


@pytest.mark.parametrize("format", ["int4", "INT8", "", None, 8])
def test_an_unknown_format_is_refused(format, cnn):
    with pytest.raises(ValueError, match=r"format: expected one of \['float32', 'float16', .*\], got "):
        deploy.to_tflite(cnn, format)


@pytest.mark.parametrize("format", CALIBRATED)
@pytest.mark.parametrize(
    "samples, message",
    [
        (None, r"samples: expected training images of shape \(n, 28, 28, 1\), got None"),
        (np.zeros((0, 28, 28, 1)), r"samples: expected shape \(n, 28, 28, 1\), n >= 1, got \(0, 28, 28, 1\)"),
        (np.zeros((5, 28, 28)), r"samples: expected shape \(n, 28, 28, 1\), n >= 1, got \(5, 28, 28\)"),
        (np.zeros((28, 28, 1)), r"samples: expected shape \(n, 28, 28, 1\), n >= 1, got \(28, 28, 1\)"),
        (np.full((1, 28, 28, 1), np.nan), "samples: expected no NaN, got 784 of 784 values"),
        (np.full((1, 28, 28, 1), "ink"), "samples: expected real numbers, got dtype <U3"),
    ],
)
def test_samples_that_are_refused(format, samples, message, cnn):
    with pytest.raises(ValueError, match=message):
        deploy.to_tflite(cnn, format, samples=samples)


@pytest.mark.parametrize("format", ["float32", "float16", "dynamic"])
def test_samples_that_nothing_needs_are_refused(format, cnn, samples):
    with pytest.raises(ValueError, match=f"samples: expected None, since format '{format}' needs no calibration"):
        deploy.to_tflite(cnn, format, samples=samples)


def test_conversion_and_inference_write_nothing(tmp_path):
    # LiteRT and the converter are C++: they write to the file descriptors.
    code = """
import json, numpy as np
from qlib import deploy, load_cnn
samples = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
shapes = []
for format in deploy.FORMATS:
    tflite = deploy.to_tflite(load_cnn(), format, samples=samples if format.startswith("int") else None)
    for kernel in deploy.RESOLVERS:
        shapes.append(deploy.run(tflite, samples, kernel=kernel).shape)
deploy.trace(deploy.to_tflite(load_cnn(), "int8", samples=samples), samples)
print(json.dumps(shapes))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [[3, 10]] * 18 and run.stdout.count("\n") == 1
    assert run.stderr == ""


# --------------------------------------------------------------------- inference


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("format", deploy.FORMATS)
def test_every_format_runs_with_every_kernel(format, kernel, files, images, cnn):
    images = images[:40]
    outputs = deploy.run(files[format], images, kernel=kernel)
    int8 = format.startswith("int8")
    assert outputs.shape == (40, 10) and outputs.dtype == (np.int8 if int8 else np.float32)
    shares = (outputs.astype(np.float32) + 128) / 256 if int8 else outputs
    exact = np.asarray(cnn(images))
    # By how much a share may be off: float32 by its rounding, float16 by 11 bits of a weight, codes of 8 bits by more.
    bound = {"float32": 1e-5, "float16": 0.01}.get(format, 0.15)
    assert np.abs(shares - exact).max() < bound
    assert (shares.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.95


@pytest.mark.parametrize("batch", [1, 7, 40, 100, 250, 1000])
def test_batches_that_need_not_divide_the_number_of_images(batch, files, images):
    images, done = images[: 60 if batch == 1 else 250], []
    outputs = deploy.run(files["int8"], images, batch=batch, progress=done.append)
    np.testing.assert_array_equal(outputs, deploy.run(files["int8"], images))
    n = len(images)
    assert done == [*range(batch, n, batch), n]


def test_threads_change_nothing(files, images):
    for kernel in KERNELS:
        one, two = (deploy.run(files["int8"], images[:50], kernel=kernel, num_threads=t) for t in (1, 2))
        np.testing.assert_array_equal(one, two)


def test_xnnpack_is_the_default_and_kernels_differ(files, images):
    noise = np.random.default_rng(0).integers(-128, 128, (2000, 28, 28, 1), dtype=np.int8)
    outputs = {kernel: deploy.trace(files["int8"], noise[:300], kernel=kernel) for kernel in KERNELS}
    default = deploy.trace(files["int8"], noise[:300])
    assert all((a == b).all() for a, b in zip(default, outputs["xnnpack"], strict=True))
    assert any((a != b).any() for a, b in zip(default, outputs["reference"], strict=True))
    assert any((a != b).any() for a, b in zip(default, outputs["no_delegate"], strict=True))
    np.testing.assert_array_equal(
        deploy.run(files["int8"], images), deploy.run(files["int8"], images, kernel="xnnpack")
    )


def test_reals_are_quantized_for_a_file_of_codes(files, images):
    x = read(files["int8"]).tensors[read(files["int8"]).inputs[0]]
    codes = quantize(images, QParams(x.scale[0], x.zero_point[0], -128, 127))
    before = images.copy()
    for given in (images, images.astype(np.float64), codes):
        np.testing.assert_array_equal(deploy.run(files["int8"], given), deploy.run(files["int8"], codes))
    np.testing.assert_array_equal(images, before)
    float64 = deploy.run(files["float32"], images.astype(np.float64))
    np.testing.assert_array_equal(float64, deploy.run(files["float32"], images))


def test_an_interpreter_takes_batches_of_any_size_in_any_order(files, images):
    interpreter = deploy.Interpreter(files["int8"], kernel="no_delegate")
    codes = deploy.input_codes(interpreter.input, images)
    expected = deploy.run(files["int8"], codes, kernel="no_delegate")
    for start, stop in ((0, 1), (0, 33), (5, 6), (0, 250), (249, 250)):
        (outputs,) = interpreter.run(codes[start:stop])
        np.testing.assert_array_equal(outputs, expected[start:stop])


@pytest.mark.parametrize("call", [deploy.run, deploy.trace])
@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((0, 28, 28, 1), np.int8), r"images: expected shape \(n, 28, 28, 1\), n >= 1, got \(0, 28, 28, 1\)"),
        (np.zeros((28, 28, 1), np.int8), r"images: expected shape \(n, 28, 28, 1\), n >= 1, got \(28, 28, 1\)"),
        (np.zeros((2, 28, 28, 2), np.int8), "images: expected shape"),
        (np.zeros((2, 28, 28, 1), np.uint8), "images: expected int8 codes or real numbers, got dtype uint8"),
        (np.zeros((2, 28, 28, 1), np.int32), "images: expected int8 codes or real numbers, got dtype int32"),
        (np.full((2, 28, 28, 1), np.nan), "expected no NaN, got 1568 of 1568 values"),
    ],
)
def test_images_that_are_refused(images, message, call, files):
    with pytest.raises(ValueError, match=message):
        call(files["int8"], images)


def test_codes_are_refused_by_a_file_of_reals(files):
    with pytest.raises(ValueError, match="images: expected float32 codes or real numbers, got dtype int8"):
        deploy.run(files["float32"], np.zeros((1, 28, 28, 1), np.int8))


@pytest.mark.parametrize("batch", [0, -1, 2.5, True, None])
def test_a_batch_that_is_no_count_is_refused(batch, files, images):
    for call in (deploy.run, deploy.trace):
        with pytest.raises(ValueError, match="batch: expected an integer from 1 on, got "):
            call(files["int8"], images, batch=batch)


def test_an_unknown_kernel_or_number_of_threads_is_refused(files, images):
    for call in (deploy.run, deploy.trace, lambda tflite, _, **options: deploy.Interpreter(tflite, **options)):
        with pytest.raises(ValueError, match=r"kernel: expected one of \['reference', .*\], got 'gpu'"):
            call(files["int8"], images, kernel="gpu")
    with pytest.raises(ValueError, match="num_threads: expected an integer from 1 on, got 0"):
        deploy.run(files["int8"], images, num_threads=0)


# ------------------------------------------------------------------------- layers


@pytest.mark.parametrize("format", ["int8", "int8_per_tensor"])
def test_a_file_with_all_outputs_computes_the_same(format, files, images):
    exposed = deploy.with_all_outputs(files[format])
    names = [o.name for o in read(exposed).operators]
    shapes = names.count("SHAPE") + names.count("STRIDED_SLICE") + names.count("PACK")
    assert len(read(exposed).outputs) == len(names) - shapes == 8 and len(read(files[format]).outputs) == 1
    plain = deploy.Interpreter(files[format])
    codes = deploy.input_codes(plain.input, images)
    for kernel in KERNELS:
        *_, last = deploy.Interpreter(exposed, kernel=kernel).run(codes)
        np.testing.assert_array_equal(last, deploy.Interpreter(files[format], kernel=kernel).run(codes)[0])


def test_a_trace_holds_every_layer_of_all_images(files, images):
    layers = deploy.trace(files["int8"], images, batch=33)
    tails = [(26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (1600,), (128,), (10,), (10,)]
    assert [layer.shape for layer in layers] == [(250, *tail) for tail in tails]
    assert {layer.dtype for layer in layers} == {np.dtype(np.int8)}
    np.testing.assert_array_equal(layers[-1], deploy.run(files["int8"], images))
    np.testing.assert_array_equal(layers[4].reshape(250, 5, 5, 64), layers[3])
    pooled = layers[0].reshape(250, 13, 2, 13, 2, 32).max(axis=(2, 4))
    np.testing.assert_array_equal(layers[1], pooled)


def test_a_trace_of_reals(files, images):
    layers = deploy.trace(files["float32"], images[:20])
    np.testing.assert_array_equal(layers[-1], deploy.run(files["float32"], images[:20]))
    assert all(layer.dtype == np.float32 for layer in layers) and len(layers) >= 7


# ------------------------------------------------------------------------------ C


def parsed(source):
    """The bytes and the length in a C array, read back."""
    match = re.fullmatch(
        r"_?[Aa]lignas\(16\) const unsigned char (\w+)\[\] = \{([^}]*)\};\nconst unsigned int \1_len = (\d+);\n", source
    )
    assert match, source[:200]
    return match[1], bytes(int(byte, 16) for byte in match[2].replace(",", " ").split()), int(match[3])


@pytest.mark.parametrize("n", [1, 11, 12, 13, 24, 1000])
def test_a_c_array_holds_the_bytes(n):
    data = np.random.default_rng(n).bytes(n)
    assert parsed(deploy.c_array(data, "digits_model")) == ("digits_model", data, n)


def test_the_c_array_of_a_network(files):
    source = deploy.c_array(files["int8"])
    assert parsed(source) == ("model", files["int8"], len(files["int8"]))
    assert max(map(len, source.splitlines())) <= 80 and source.isascii()


def test_a_c_array_by_hand():
    assert deploy.c_array(b"\x00\xffTFL3", "m").splitlines()[1:] == [
        "    0x00, 0xff, 0x54, 0x46, 0x4c, 0x33",
        "};",
        "const unsigned int m_len = 6;",
    ]


@pytest.mark.parametrize("name", ["", "2nd", "my-model", "a b", "größe", "x;int y"])
def test_a_name_that_is_no_c_identifier_is_refused(name):
    with pytest.raises(ValueError, match="name: expected a C identifier, got "):
        deploy.c_array(b"TFL3", name)


@pytest.mark.parametrize("name", ["int", "register", "const", "switch"])
def test_a_word_of_the_language_is_refused_as_a_name(name):
    with pytest.raises(ValueError, match="name: expected a C identifier, got "):
        deploy.c_array(b"TFL3", name)


def test_a_c_compiler_if_there_is_one_reads_the_array_as_it_is(tmp_path):
    # Without a compiler there is only the parser of this file, as above.
    a = dict(shape=(1, 4), scale=0.5)
    tflite = one_operator("ADD", [a, a], a, "AddOptions", 2)
    source = deploy.c_array(tflite, "model")
    assert parsed(source)[1] == tflite
    if compiler := shutil.which("cc"):
        main = "#include <stdio.h>\nint main(void) { return fwrite(model, 1, model_len, stdout) != model_len; }\n"
        (tmp_path / "model.c").write_text(source + main, encoding="ascii")
        options = ["-std=c11", "-Wall", "-Werror", "-o", "model", "model.c"]
        subprocess.run([compiler, *options], cwd=tmp_path, check=True, timeout=60)
        assert subprocess.run([tmp_path / "model"], capture_output=True, timeout=60).stdout == tflite


def test_nan_is_refused_also_where_the_file_takes_reals(cnn, images):
    broken = images[:2].copy()
    broken[0, 3] = np.nan
    tflite = deploy.to_tflite(cnn, "float32")
    for function in (deploy.run, deploy.trace):
        with pytest.raises(ValueError, match="images: expected no NaN, got 28 of 1568 values"):
            function(tflite, broken)
