"""The integer engine on whole networks, against LiteRT with each kernel: every code of every layer."""

import numpy as np
import pytest
from tflite_files import File, one_operator

from qlib import deploy, fixedpoint, load_cnn, load_mnist
from qlib.fixedpoint import KERNELS
from qlib.integer import IntegerModel
from qlib.mnist import import_tensorflow, quiet

SHARES = dict(scale=1 / 256, zero_point=-128)


# ------------------------------------------------------------------ the networks


def with_biases(model):
    """Random biases: fresh layers have none but zeros."""
    rng, weights = np.random.default_rng(0), model.get_weights()
    model.set_weights([w if w.ndim > 1 else rng.normal(0, 0.1, w.shape).astype(np.float32) for w in weights])
    return model


def mixed():
    """Strides, padding, depthwise layers, a residual sum, average pools, ReLU6."""
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(1)
    layers = keras.layers
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Add()([x, layers.Conv2D(8, 1, padding="same")(x)])
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)(x)
    x = layers.ReLU()(layers.AveragePooling2D(2, padding="same")(x))
    x = layers.Conv2D(12, 3, strides=2)(layers.ZeroPadding2D(1)(x))
    x = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return with_biases(keras.Model(image, x))


def linear():
    """No ReLU and no softmax: sums below 0, of which some lie on ties, come through."""
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(2)
    layers = keras.layers
    return with_biases(
        keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(16, 5, strides=2),
                layers.MaxPooling2D(2),
                layers.Conv2D(27, 3, padding="same"),  # no whole number of vectors of 8 or 16
                layers.DepthwiseConv2D(3),
                layers.Flatten(),
                layers.Dense(40),
                layers.Dense(10),
            ]
        )
    )


def dense():
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(3)
    layers = keras.layers
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(32), layers.Dense(10, activation="softmax")]
    return with_biases(keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden]))


# name: (network, format, calibration samples; few make activations saturate)
NETWORKS = {
    "cnn": (load_cnn, "int8", 200),
    "cnn per-tensor": (load_cnn, "int8_per_tensor", 200),
    "mixed": (mixed, "int8", 100),
    "linear": (linear, "int8", 3),
    "linear per-tensor": (linear, "int8_per_tensor", 3),
    "dense": (dense, "int8", 100),
}


@pytest.fixture(scope="module")
def train_images():
    (x, _), _ = load_mnist()
    return x[:200, ..., None].astype(np.float32) / 255


@pytest.fixture(scope="module")
def image_codes():
    """The test images as the codes that every file here takes: steps of 1/255 from −128 on."""
    _, (x, _) = load_mnist()
    return (x[..., None].astype(np.int16) - 128).astype(np.int8)


@pytest.fixture(scope="module")
def files(train_images):
    return {
        name: deploy.to_tflite(make(), format, samples=train_images[:n]) for name, (make, format, n) in NETWORKS.items()
    }


@pytest.fixture(scope="module")
def models(files):
    return {name: IntegerModel.from_tflite(tflite) for name, tflite in files.items()}


@pytest.fixture(scope="module")
def float_files(train_images):
    """Files that take and return float32, with QUANTIZE and DEQUANTIZE at their ends."""
    tf, tflites = import_tensorflow(), {}
    for name, make in (("cnn", load_cnn), ("linear", linear)):
        converter = tf.lite.TFLiteConverter.from_keras_model(make())
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in train_images[:3])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        with quiet():
            tflites[name] = bytes(converter.convert())
    return tflites


def noise(n, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, (n, 28, 28, 1), dtype=np.int8)


# ------------------------------------------------------------------------ LiteRT


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["cnn", "cnn per-tensor"])
def test_all_ten_thousand_test_images(name, kernel, files, models, image_codes):
    if kernel == "reference":  # LiteRT's plain loops take milliseconds for an image; lesson 04 compares all of them
        image_codes = image_codes[:2000]
    ours = models[name].predict(image_codes, kernel=kernel)
    theirs = deploy.run(files[name], image_codes, kernel=kernel)
    assert ours.dtype == theirs.dtype == np.int8 and ours.shape == (len(image_codes), 10)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_code_of_every_layer(name, kernel, files, models, image_codes):
    images = np.concatenate([image_codes[:960], noise(160)])
    ours = models[name].trace(images, kernel=kernel)
    theirs = deploy.trace(files[name], images, kernel=kernel, batch=32)
    assert len(ours) == len(theirs) >= 3 and len(images) >= 1000
    for (operator, codes), expected in zip(ours, theirs, strict=True):
        assert codes.dtype == expected.dtype == np.int8
        np.testing.assert_array_equal(codes, expected, err_msg=f"{operator.name}, operator {operator.index}")
    np.testing.assert_array_equal(models[name].predict(images, kernel=kernel), ours[-1][1])


def test_the_networks_hold_these_operators(models):
    names = {name: [operator.name for operator, _ in model.trace(noise(1))] for name, model in models.items()}
    convolution = ["CONV_2D", "MAX_POOL_2D"]
    assert names["cnn"] == names["cnn per-tensor"] == [
        *convolution, *convolution, "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX",
    ]  # fmt: skip
    assert {"ADD", "MEAN", "AVERAGE_POOL_2D", "PAD", "DEPTHWISE_CONV_2D", "SOFTMAX"} <= set(names["mixed"])
    assert "DEPTHWISE_CONV_2D" in names["linear"] and "SOFTMAX" not in names["linear"]


def test_the_kernels_differ_from_each_other(models, image_codes):
    # Else the comparisons above couldn't tell one from another.
    images = np.concatenate([image_codes[:200], noise(50)])
    for name in ("cnn", "cnn per-tensor", "linear", "mixed"):
        layers = {kernel: [codes for _, codes in models[name].trace(images, kernel=kernel)] for kernel in KERNELS}
        for a, b in (("reference", "no_delegate"), ("reference", "xnnpack"), ("no_delegate", "xnnpack")):
            assert any((x != y).any() for x, y in zip(layers[a], layers[b], strict=True)), (name, a, b)


def test_the_network_without_relu_saturates_and_has_negative_sums(models, image_codes):
    images = np.concatenate([image_codes[:200], noise(100)])
    for operator, codes in models["linear"].trace(images):
        low, high = np.mean(codes == -128), np.mean(codes == 127)
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            zero = models["linear"].graph.tensors[operator.outputs[0]].zero_point[0]
            assert 0 < low < 0.5 and 0 < high < 0.5 and np.mean(codes < zero) > 0.1


# Where an operator's rule shows: the networks, and how many images of each kind
SHOWN_BY = {
    "CONV_2D": (("cnn", "linear"), 200),
    "DEPTHWISE_CONV_2D": (("linear",), 400),
    "FULLY_CONNECTED": (("dense",), 4000),
}
RULES = {rule for rules in fixedpoint.ROUNDING.values() for rule in rules.values()}
# XNNPACK's rule differs from one rounding in a few values of a million; tests/test_operators.py has more ties.
SHOWN = [(operator, kernel) for operator in SHOWN_BY for kernel in KERNELS]
SHOWN.remove(("DEPTHWISE_CONV_2D", "xnnpack"))


@pytest.mark.parametrize("operator, kernel", SHOWN)
def test_one_wrong_rounding_rule_shows(operator, kernel, models, image_codes, monkeypatch):
    networks, n = SHOWN_BY[operator]
    images = np.concatenate([image_codes[:n], noise(n)])

    def layers():
        return [codes for name in networks for _, codes in models[name].trace(images, kernel=kernel)]

    own, right = fixedpoint.ROUNDING[kernel][operator], layers()
    for rule in RULES - {own}:
        with monkeypatch.context() as patch:
            patch.setitem(fixedpoint.ROUNDING[kernel], operator, lambda acc, m, r=rule: r(acc.astype(np.int64), m))
            assert any((a != b).any() for a, b in zip(right, layers(), strict=True)), rule.__name__
    assert len(RULES - {own}) >= 3


REALS = [(name, kernel, n) for name in ("cnn", "linear") for kernel in KERNELS for n in (1, 3, 33, 64)]


@pytest.mark.parametrize("name, kernel, n", REALS)
def test_files_of_reals_at_both_ends(name, kernel, n, float_files, image_codes):
    rng = np.random.default_rng(n)
    images = (image_codes[:n].astype(np.float32) + 128) / 255
    images = np.concatenate([images, rng.normal(0.5, 0.5, images.shape).astype(np.float32)])
    model = IntegerModel.from_tflite(float_files[name])
    theirs = deploy.run(float_files[name], images, kernel=kernel, batch=len(images))
    ours = model.predict(images, kernel=kernel)
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs)
    layers = model.trace(images, kernel=kernel)
    assert (layers[0][0].name, layers[-1][0].name) == ("QUANTIZE", "DEQUANTIZE")
    for (_, values), expected in zip(layers, deploy.trace(float_files[name], images, kernel=kernel), strict=True):
        np.testing.assert_array_equal(values, expected)


# ---------------------------------------------------------------- how it is called


def test_accumulators_are_pooled_where_nothing_else_reads_them(models, image_codes):
    assert len(models["cnn"]._pools) == 2 and len(models["linear"]._pools) == 1 and not models["dense"]._pools
    images = np.concatenate([image_codes[1000:1100], noise(100, seed=1)])
    for name in ("cnn", "linear"):
        for kernel in KERNELS:
            last = models[name].trace(images, kernel=kernel)[-1][1]
            np.testing.assert_array_equal(models[name].predict(images, kernel=kernel), last)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["cnn", "mixed", "linear", "dense"])
def test_batches_of_any_size(name, kernel, models, image_codes):
    model, images = models[name], image_codes[:70]
    whole = model.predict(images, kernel=kernel)
    for n in (1, 31, 32, 33, 64, 65):
        np.testing.assert_array_equal(model.predict(images[:n], kernel=kernel), whole[:n])
        traced = model.trace(images[:n], kernel=kernel)
        assert all(len(codes) == n for _, codes in traced)
        np.testing.assert_array_equal(traced[-1][1], whole[:n])


@pytest.mark.parametrize("name", ["cnn", "mixed", "linear", "dense"])
def test_a_batch_of_no_images(name, models):
    none = noise(0)
    for kernel in KERNELS:
        outputs = models[name].predict(none, kernel=kernel)
        assert outputs.shape == (0, 10) and outputs.dtype == np.int8
        shapes = [codes.shape for _, codes in models[name].trace(noise(1), kernel=kernel)]
        traced = [codes.shape for _, codes in models[name].trace(none, kernel=kernel)]
        assert traced == [(0, *shape[1:]) for shape in shapes]


def test_reals_are_quantized_first(models, image_codes):
    reals = (image_codes[:50].astype(np.float32) + 128) / 255
    expected = models["cnn"].predict(image_codes[:50])
    for images in (reals, reals.astype(np.float64), reals.astype(np.float16).astype(np.float32)):
        np.testing.assert_array_equal(models["cnn"].predict(images), expected)
    # Outside of 0 to 1 is clipped.
    wide = reals * 9 - 4
    np.testing.assert_array_equal(models["cnn"].predict(wide), models["cnn"].predict(wide.clip(0, 1)))


def test_the_images_and_the_model_stay(models, image_codes):
    images = image_codes[:40].copy()
    images.setflags(write=False)
    first = {kernel: models["mixed"].predict(images, kernel=kernel) for kernel in KERNELS}
    for kernel in reversed(KERNELS):
        np.testing.assert_array_equal(models["mixed"].predict(images, kernel=kernel), first[kernel])
        models["mixed"].predict(images, kernel=kernel)[:] = 0  # the caller's own
        np.testing.assert_array_equal(models["mixed"].predict(images, kernel=kernel), first[kernel])
    np.testing.assert_array_equal(images, image_codes[:40])


def test_reference_is_the_default_kernel(models, image_codes):
    model, images = models["linear"], noise(40)
    np.testing.assert_array_equal(model.predict(images), model.predict(images, kernel="reference"))
    assert (model.predict(images) != model.predict(images, kernel="xnnpack")).any()


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((2, 28, 28), np.int8), r"images: expected shape \(n, 28, 28, 1\), got \(2, 28, 28\)"),
        (np.zeros((28, 28, 1), np.int8), r"images: expected shape \(n, 28, 28, 1\), got \(28, 28, 1\)"),
        (np.zeros((2, 28, 28, 3), np.float32), "images: expected shape"),
        (np.int8(3), "images: expected shape"),
        (np.zeros((2, 28, 28, 1), np.uint8), "images: expected int8 codes or real numbers, got dtype uint8"),
        (np.zeros((2, 28, 28, 1), np.int64), "images: expected int8 codes or real numbers, got dtype int64"),
        (np.zeros((2, 28, 28, 1), bool), "images: expected int8 codes or real numbers, got dtype bool"),
        (np.full((2, 28, 28, 1), np.nan), "expected no NaN, got 1568 of 1568 values"),
    ],
)
def test_images_that_are_refused(images, message, models):
    for call in (models["cnn"].predict, models["cnn"].trace):
        with pytest.raises(ValueError, match=message):
            call(images)


def test_nan_is_refused_by_files_of_reals(float_files):
    model, images = IntegerModel.from_tflite(float_files["cnn"]), np.zeros((1, 28, 28, 1), np.float32)
    images[0, 3, 4] = np.nan
    for dtype in (np.float32, np.float64):
        with pytest.raises(ValueError, match="expected no NaN, got 1 of 784 values"):
            model.predict(images.astype(dtype))


@pytest.mark.parametrize("kernel", ["REFERENCE", "neon", "", None, 0])
def test_an_unknown_kernel_is_refused(kernel, models):
    for call in (models["cnn"].predict, models["cnn"].trace):
        message = r"kernel: expected one of \['reference', 'no_delegate', 'xnnpack'\], got "
        with pytest.raises(ValueError, match=message):
            call(noise(1), kernel=kernel)


# ------------------------------------------------------------- files it doesn't take


@pytest.mark.parametrize(
    "format, message",
    [
        ("float32", r"operator 0 \(CONV_2D\): expected .*int8.*, got .*float32"),
        ("float16", r"operator \d \(DEQUANTIZE\): expected .*, got "),
        ("dynamic", r"operator 0 \(CONV_2D\): expected .*int8.*, got .*float32"),
        ("int16x8", r"operator \d \((QUANTIZE|CONV_2D)\): expected int8.*, got int16"),
    ],
)
def test_a_file_of_another_format_is_refused_by_operator(format, message, train_images):
    samples = train_images[:3] if format == "int16x8" else None
    tflite = deploy.to_tflite(load_cnn(), format, samples=samples)
    with pytest.raises(ValueError, match=message):
        IntegerModel.from_tflite(tflite)


def test_two_inputs_are_refused():
    a = dict(shape=(1, 4), scale=0.5)
    tflite = one_operator("ADD", [a, a], a, "AddOptions", 2)
    with pytest.raises(ValueError, match="expected one input and one output, got "):
        IntegerModel.from_tflite(tflite)


def test_an_operator_that_is_not_there_is_refused_by_name():
    a = dict(shape=(1, 4), scale=1 / 256, zero_point=-128)
    tflite = one_operator("LOGISTIC", [a], a)
    with pytest.raises(ValueError, match=r"operator 0 \(LOGISTIC\): expected one of CONV_2D, .*, got LOGISTIC"):
        IntegerModel.from_tflite(tflite)


def test_a_path_and_bytes_give_the_same(tmp_path, files):
    path = tmp_path / "dense.tflite"
    path.write_bytes(files["dense"])
    sources = path, str(path), files["dense"], bytearray(files["dense"])
    models = [IntegerModel.from_tflite(source) for source in sources]
    expected = models[0].predict(noise(5))
    assert all((model.predict(noise(5)) == expected).all() for model in models)


def test_a_pool_that_is_not_the_only_reader_gets_codes():
    # One convolution, read by a maximum pool and by a sum with a second, unpadded one of the same size
    file, step = File(), dict(scale=0.5, zero_point=-3)
    rng = np.random.default_rng(0)
    x, y = file.tensor((1, 6, 6, 2), **step), file.tensor((1, 6, 6, 3), **step)
    weights = file.tensor((3, 3, 3, 2), scale=0.01, data=rng.integers(-99, 99, (3, 3, 3, 2)))
    bias = file.tensor((3,), "int32", scale=0.005, data=rng.integers(-999, 999, 3))
    pooled, total = file.tensor((1, 6, 6, 3), **step), file.tensor((1, 6, 6, 3), scale=0.7, zero_point=9)
    stride = dict(strideH=1, strideW=1)
    file.operator(
        "CONV_2D", [x, weights, bias], [y], "Conv2DOptions", 3, dilationHFactor=1, dilationWFactor=1, **stride
    )
    file.operator("MAX_POOL_2D", [y], [pooled], "Pool2DOptions", 2, filterHeight=2, filterWidth=3, **stride)
    file.operator("ADD", [y, pooled], [total], "AddOptions", 2)
    tflite = file.bytes([x], [total])
    model, images = IntegerModel.from_tflite(tflite), rng.integers(-128, 128, (50, 6, 6, 2), dtype=np.int8)
    assert not model._pools
    for kernel in KERNELS:
        np.testing.assert_array_equal(model.predict(images, kernel=kernel), deploy.run(tflite, images, kernel=kernel))
