"""The chapter's CNN in PyTorch: Keras's weights, torchao's `quantize_`, PT2E static and aware quantization.

torch and torchao are imported inside the functions: they are an extra of their own (`make pytorch`).
"""

from __future__ import annotations

import copy
import importlib
import io
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from qlib.arguments import as_float32, check_count
from qlib.mnist import quiet

if TYPE_CHECKING:
    import torch

ADD_IT = (
    "Lesson 06b needs the extra `pytorch`: type `make pytorch` in the workbook's folder "
    "(without make: `.venv/bin/python -m pip install -c constraints.txt -e '.[pytorch]'`), then restart the kernel."
)
LAYERS = ("conv1", "conv2", "dense1", "dense2")
POOLED = (5, 5, 64)  # height, width, channels where the network flattens: Keras in this order, PyTorch channels first
LEARNING_RATE, BATCH = 1e-3, 128
Progress = Callable[[int], object]


def import_torch() -> ModuleType:
    """PyTorch, after everything that lesson 06b uses was imported without its messages.

    Raises
    ------
    ModuleNotFoundError
        If a part is missing. The message says what to type.
    """
    for name in ("torch", "torchao.quantization.pt2e.quantize_pt2e", "onnx", "onnxruntime", "onnxscript"):
        if name not in sys.modules:
            try:
                with quiet():
                    importlib.import_module(name)
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(f"{ADD_IT} (There is no module {error.name}.)", name=error.name) from None
    return sys.modules["torch"]


def build() -> torch.nn.Sequential:
    """The network of `qlib.build_cnn` without its softmax: images (n, 1, 28, 28) → logits (n, 10).

    Each ReLU and each pooling is a module of its own: PT2E's quantizer needs that.
    """
    nn = import_torch().nn
    layers = dict(conv1=nn.Conv2d(1, 32, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2))
    layers |= dict(conv2=nn.Conv2d(32, 64, 3), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2))
    layers |= dict(flatten=nn.Flatten(), dense1=nn.Linear(1600, 128), relu3=nn.ReLU(), dense2=nn.Linear(128, 10))
    return nn.Sequential(OrderedDict(layers)).eval()


def torch_weights(weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Keras's `get_weights()` of the CNN in PyTorch's layouts, by PyTorch's names.

    A kernel (height, width, in, out) becomes (out, in, height, width), a dense one (in, out) becomes (out, in); and the
    inputs of dense1 change from the order height, width, channel to channel, height, width.

    Raises
    ------
    ValueError
        If they are not the 8 arrays of this network.
    """
    if len(weights) != 2 * len(LAYERS):
        raise ValueError(f"weights: expected {2 * len(LAYERS)} arrays, kernels and biases in turn, got {len(weights)}")
    shapes = [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1600, 128), (128,), (128, 10), (10,)]
    arrays = [as_float32(f"weights[{i}]", array) for i, array in enumerate(weights)]
    for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array.shape != shape:
            raise ValueError(f"weights[{i}]: expected shape {shape}, got {array.shape}")
    named = {}
    for name, kernel, bias in zip(LAYERS, arrays[::2], arrays[1::2], strict=True):
        if name == "dense1":
            kernel = kernel.reshape(*POOLED, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        named[f"{name}.weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
        named[f"{name}.bias"] = bias.copy()
    return named


def from_keras(weights: Sequence[np.ndarray]) -> torch.nn.Sequential:
    """The network with Keras's weights (`qlib.load_cnn().get_weights()`), in evaluation mode."""
    torch, network = import_torch(), build()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in torch_weights(weights).items()})
    return network


def as_images(images: np.ndarray) -> torch.Tensor:
    """Grey values 0 … 255 of shape (n, 28, 28) as float32 of shape (n, 1, 28, 28), 0 to 1."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(f"images: expected uint8 of shape (n, 28, 28), got {images.dtype} of shape {images.shape}")
    return import_torch().from_numpy(images[:, None].astype(np.float32) / 255)


def logits(
    network: Callable, images: torch.Tensor, *, batch: int = 100, progress: Progress | None = None
) -> np.ndarray:
    """What a network says of images, in batches: float32, shape (n, 10)."""
    check_count("batch", batch)
    parts = []
    with import_torch().no_grad():
        for start in range(0, len(images), batch):
            parts.append(network(images[start : start + batch]).numpy())
            if progress:
                progress(min(start + batch, len(images)))
    return np.concatenate(parts)


def train(
    network: torch.nn.Module,
    images: torch.Tensor,
    labels: np.ndarray,
    *,
    seed: int,
    batches: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Train for one epoch, in place: Adam, batches of 128, the learning rate falls from 10⁻³ to 0 along a cosine.

    batches : the first so many only; the learning rate falls as if all came.
    """
    torch = import_torch()
    order = np.random.default_rng(seed).permutation(len(images))
    steps = len(images) // BATCH
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    for step in range(steps if batches is None else min(batches, steps)):
        some = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH])
        loss = torch.nn.functional.cross_entropy(network(images[some]), targets[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress:
            progress(step + 1)


def exported(network: torch.nn.Module) -> torch.nn.Module:
    """The network as a graph of operators that PT2E can rewrite, for 1 to 1000 images at once."""
    return _export(network).module()


def prepared(network: torch.nn.Module, *, aware: bool = False) -> torch.nn.Module:
    """The exported network with observers in it; `aware`: with fake quantization in it, to be trained."""
    import_torch()
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e, prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config(is_qat=aware))
    graph = exported(copy.deepcopy(network))
    with quiet():
        return (prepare_qat_pt2e if aware else prepare_pt2e)(graph, quantizer)


def converted(prepared_network: torch.nn.Module) -> torch.nn.Module:
    """The observed or trained network with quantize and dequantize operators, and int8 weights alone."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with quiet():
        network = convert_pt2e(prepared_network)
    for layer in LAYERS:  # the float weights stay behind, though nothing reads them
        del network.get_submodule(layer).weight
    return network


def static(network: torch.nn.Module, samples: torch.Tensor) -> torch.nn.Module:
    """Static post-training quantization: observe the samples, then convert."""
    observed = prepared(network)
    with import_torch().no_grad():
        observed(samples)
    return converted(observed)


def torchao_networks(network: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Copies whose dense layers torchao has quantized: weights alone, and weights and activations (dynamic)."""
    import_torch()
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

    made = {"torchao weight-only": Int8WeightOnlyConfig(), "torchao dynamic": Int8DynamicActivationInt8WeightConfig()}
    for name, config in made.items():
        made[name] = copy.deepcopy(network)
        with quiet():
            quantize_(made[name], config)
    return made


def save_program(network: torch.nn.Module) -> bytes:
    """The exported program as the bytes of a `.pt2` file, which needs no Python code of the network.

    PyTorch notes for each operator which lines of which file made it and from which object in memory. That goes: it
    would make the file's size depend on the folder that the workbook lies in.
    """
    torch, file = import_torch(), io.BytesIO()
    program = _export(network)
    for node in program.graph.nodes:
        for note in ("stack_trace", "from_node"):
            node.meta.pop(note, None)
    with quiet():
        torch.export.save(program, file)
    return file.getvalue()


def load_program(file: bytes) -> torch.nn.Module:
    """The network of a `.pt2` file."""
    torch = import_torch()
    with quiet():
        return torch.export.load(io.BytesIO(file)).module()


def save_state(network: torch.nn.Module) -> bytes:
    """The network's tensors as the bytes of a file (`torch.save` of its state dict)."""
    torch, file = import_torch(), io.BytesIO()
    torch.save(network.state_dict(), file)
    return file.getvalue()


def _export(network: torch.nn.Module) -> torch.export.ExportedProgram:
    torch = import_torch()
    batch = torch.export.Dim("batch", min=1, max=1000)
    with quiet():
        return torch.export.export(network, (torch.zeros(2, 1, 28, 28),), dynamic_shapes=({0: batch},))
