"""Integer-only inference of a `.tflite` model: what a phone computes, in NumPy, with the rounding of a named kernel.

Codes come in and codes go out. Each operator is prepared once, from the file, as a function of its input codes and the
kernel's name. Products of integers are summed by float32 BLAS: that is exact while no partial sum reaches 2^24.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike

import numpy as np

from qlib.affine import quantize
from qlib.fixedpoint import KERNELS
from qlib.operators import OPERATORS, pool_window
from qlib.qparams import QParams
from qlib.tflite import ABSENT, Graph, Operator, expect, read

BLOCK = 32  # images at once, so that their windows stay in the cache
Array = np.ndarray
Run = Callable[..., Array]


class IntegerModel:
    """A quantized network with one input and one output, computed in integers as LiteRT computes it."""

    def __init__(self, graph: Graph) -> None:
        expect(len(graph.inputs) == len(graph.outputs) == 1, "one input and one output", "another number")
        self.graph, self.input, self.output = graph, graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
        self._runs = [self._prepare(operator) for operator in graph.operators]
        self._pools = {o.inputs[0]: o for o in graph.operators if o.name == "MAX_POOL_2D" and self._may_pool_first(o)}
        self._windows = {
            i: pool_window(o, graph.tensors[i], graph.tensors[o.outputs[0]]) for i, o in self._pools.items()
        }
        self._try_out()

    @classmethod
    def from_tflite(cls, source: str | PathLike | bytes) -> IntegerModel:
        """The model of a `.tflite` file.

        Raises
        ------
        ValueError
            If the file is damaged, or holds an operator, type or option that isn't supported: which, and where.
        """
        return cls(read(source))

    def predict(self, images: Array, *, kernel: str = "reference") -> Array:
        """The network's output for images, bit for bit that of LiteRT's kernels of that name.

        Parameters
        ----------
        images : array, shape (n, …) as the file's input
            Codes of the input's own dtype, or reals, which are quantized first (an int8 input).
        kernel : "reference", "no_delegate" or "xnnpack"

        Returns
        -------
        array, shape (n, …)
            As the file's output: int8 codes, or float32 after a DEQUANTIZE.
        """
        codes, last = self._codes(images, kernel), self.output.index
        blocks = range(0, max(len(codes), 1), BLOCK)
        return np.concatenate([self._run(codes[i : i + BLOCK], kernel, self._pools)[last] for i in blocks])

    def trace(self, images: Array, *, kernel: str = "reference") -> list[tuple[Operator, Array]]:
        """Each operator in running order, with what it computes for the images (but for shapes)."""
        codes = self._codes(images, kernel)
        parts = [self._run(codes[i : i + BLOCK], kernel, {}) for i in range(0, max(len(codes), 1), BLOCK)]
        kept = [o for o in self.graph.operators if o.name not in ("SHAPE", "STRIDED_SLICE", "PACK")]
        return [(o, np.concatenate([part[o.outputs[0]] for part in parts])) for o in kept]

    def _run(self, codes: Array, kernel: str, pools: dict[int, Operator]) -> dict[int, Array]:
        values = {self.input.index: codes}
        for operator, run in zip(self.graph.operators, self._runs, strict=True):
            out = operator.outputs[0]
            if out in values:  # pooled already
                continue
            inputs = [values[i] for i in operator.inputs if i in values]
            if pool := pools.get(out):
                values[pool.outputs[0]] = run(*inputs, kernel=kernel, pool=self._windows[out])
            else:
                values[out] = run(*inputs, kernel=kernel)
        return values

    def _codes(self, images: Array, kernel: str) -> Array:
        images, wanted = np.asarray(images), self.input
        if kernel not in KERNELS:
            raise ValueError(f"kernel: expected one of {list(KERNELS)}, got {kernel!r}")
        if images.shape[1:] != wanted.shape[1:] or images.ndim == 0:
            raise ValueError(f"images: expected shape (n, {', '.join(map(str, wanted.shape[1:]))}), got {images.shape}")
        if images.dtype == wanted.dtype:
            return images
        if images.dtype.kind != "f":
            raise ValueError(f"images: expected {wanted.dtype} codes or real numbers, got dtype {images.dtype}")
        if wanted.dtype == np.float32:
            return images.astype(np.float32)
        return quantize(images, QParams(wanted.scale[0], wanted.zero_point[0], -128, 127))

    def _prepare(self, operator: Operator) -> Run:
        where = f"operator {operator.index} ({operator.name})"
        if operator.name not in OPERATORS:
            raise ValueError(f"{where}: expected one of {', '.join(OPERATORS)}, got {operator.name}")
        try:
            expect(len(operator.outputs) == 1, "one output", len(operator.outputs))
            inputs = [None if i == ABSENT else self.graph.tensors[i] for i in operator.inputs]
            return OPERATORS[operator.name](operator, *inputs, self.graph.tensors[operator.outputs[0]])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"{where}: expected its inputs and options, got others ({error})") from error

    def _may_pool_first(self, pool: Operator) -> bool:
        """Whether nothing but this pool reads what a convolution writes: then it may pool the accumulators."""
        source = pool.inputs[0]
        readers = [o for o in self.graph.operators if source in o.inputs]
        writer = next((o.name for o in self.graph.operators if source in o.outputs), "")
        plain = pool.options["fusedActivationFunction"] == 0 and source != self.output.index
        return len(readers) == 1 and plain and writer in ("CONV_2D", "DEPTHWISE_CONV_2D")

    def _try_out(self) -> None:
        """Run one batch of zeros: each operator must compute the shape and type that the file gives to its output."""
        values = self._run(np.zeros(self.input.shape, self.input.dtype), "reference", {})
        for operator in self.graph.operators:
            out = self.graph.tensors[operator.outputs[0]]
            found = values[out.index]
            where = f"operator {operator.index} ({operator.name})"
            if (found.shape, found.dtype) != (out.shape, out.dtype):
                raise ValueError(f"{where}: expected {out.dtype} {out.shape}, got {found.dtype} {found.shape}")
