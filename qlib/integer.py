"""Inference of an int8 `.tflite` model in NumPy, code for code as LiteRT's kernels of a chosen name compute it.

Codes come in and codes go out. Each operator is prepared once, from the file, as a function of its input codes and the
kernel's name. Products of integers are summed by float32 BLAS: that is exact while no partial sum reaches 2^24.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import signature
from os import PathLike

import numpy as np

from qlib.codes import as_input, code
from qlib.fixedpoint import KERNELS
from qlib.operators import OPERATORS, pool_window
from qlib.tflite import ABSENT, COMPUTED, Graph, Operator, expect, read

BLOCK = 64  # images at once, so that their windows stay in the cache
Array = np.ndarray
Run = Callable[..., Array]


class IntegerModel:
    """A quantized network with one input and one output, computed code for code as LiteRT computes it."""

    def __init__(self, graph: Graph) -> None:
        numbers = (len(graph.inputs), len(graph.outputs))
        expect(numbers == (1, 1), "one input and one output", f"{numbers[0]} and {numbers[1]}")
        self.graph, self.input, self.output = graph, graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
        for end in (self.input, self.output):
            expect(end.dtype in (np.int8, np.float32), f"int8 or float32 in tensor {end.index}", end.dtype)
        self._runs = [self._prepare(operator) for operator in graph.operators]
        self._pools = {o.inputs[0]: o for o in graph.operators if o.name == "MAX_POOL_2D" and self._may_pool_first(o)}
        self._windows = {
            i: pool_window(o, graph.tensors[i], graph.tensors[o.outputs[0]]) for i, o in self._pools.items()
        }
        self._block = self._images_at_once()
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
        """The network's output for images, bit for bit what LiteRT's kernels of that name give for them as one batch.

        (As one batch: in a QUANTIZE or DEQUANTIZE "no_delegate" treats its last few values differently.)

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
        blocks = range(0, max(len(codes), 1), self._block)
        return np.concatenate([self._run(codes[i : i + self._block], kernel, self._pools)[last] for i in blocks])

    def trace(self, images: Array, *, kernel: str = "reference") -> list[tuple[Operator, Array]]:
        """Each operator in running order, with what it computes for the images (but for shapes)."""
        codes = self._codes(images, kernel)
        blocks = range(0, max(len(codes), 1), self._block)
        parts = [self._run(codes[i : i + self._block], kernel, {}) for i in blocks]
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
        if not isinstance(kernel, str) or kernel not in KERNELS:
            raise ValueError(f"kernel: expected one of {list(KERNELS)}, got {kernel!r}")
        scale, zero_point = code(self.input) if self.input.dtype == np.int8 else (1, 0)
        return as_input(images, self.input.shape, self.input.dtype, scale, zero_point)

    def _prepare(self, operator: Operator) -> Run:
        where = f"operator {operator.index} ({operator.name})"
        if operator.name not in OPERATORS:
            raise ValueError(f"{where}: expected one of {', '.join(OPERATORS)}, got {operator.name}")
        try:
            expect(len(operator.outputs) == 1, "one output", len(operator.outputs))
            inputs = [None if i == ABSENT else self.graph.tensors[i] for i in operator.inputs]
            needed = list(signature(OPERATORS[operator.name]).parameters)[1:-1]
            several = operator.name in ("PACK", "RESHAPE")
            fitting = len(inputs) >= 1 if several else len(inputs) == len(needed)
            expect(fitting, f"inputs {', '.join(needed)}", f"{len(inputs)} inputs")
            computed = [t is not None and t.data is None for t in inputs]
            expect(operator.name == "PACK" or computed[0], "a computed first input", "a constant")
            constant = not several and operator.name != "ADD"  # these compute with one tensor and constants
            expect(not constant or not any(computed[1:]), "constants as further inputs", "computed ones")
            return OPERATORS[operator.name](operator, *inputs, self.graph.tensors[operator.outputs[0]])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        except KeyError as error:
            raise ValueError(f"{where}: expected an option {error.args[0]}, got none") from error
        except AttributeError as error:  # None has no shape
            raise ValueError(f"{where}: expected all of its inputs, got an absent one") from error
        except (IndexError, OverflowError, TypeError) as error:
            raise ValueError(f"{where}: expected its inputs and options, got others ({error})") from error

    def _images_at_once(self) -> int:
        """A block of images, or fewer where the network is so large that a block would take more than some 100 MB."""
        tensors, convolutions = self.graph.tensors, [o for o in self.graph.operators if o.name == "CONV_2D"]
        values = [sum(math.prod(t.shape[1:]) for t in tensors if t.data is None)]
        for o in convolutions:  # each place reads a window of the size of a filter
            values.append(math.prod(tensors[o.outputs[0]].shape[1:3]) * math.prod(tensors[o.inputs[1]].shape[1:]))
        images = min(BLOCK, COMPUTED // 2 // max(values))
        return images // 16 * 16 or max(1, images)  # by 16: no vector of a kernel then spans two blocks

    def _may_pool_first(self, pool: Operator) -> bool:
        """Whether nothing but this pool reads what a convolution writes: then it may pool the accumulators."""
        source = pool.inputs[0]
        readers = [o for o in self.graph.operators if source in o.inputs]
        writer = next((o.name for o in self.graph.operators if source in o.outputs), "")
        plain = pool.options["fusedActivationFunction"] == 0 and source != self.output.index
        return len(readers) == 1 and plain and writer in ("CONV_2D", "DEPTHWISE_CONV_2D")

    def _try_out(self) -> None:
        """Run zeros: each operator must compute the shape and type of its output in the file, a row for each image."""
        for times in (1, 2):
            images = np.zeros((times * self.input.shape[0], *self.input.shape[1:]), self.input.dtype)
            values = {self.input.index: images}
            for operator, run in zip(self.graph.operators, self._runs, strict=True):
                out, where = self.graph.tensors[operator.outputs[0]], f"operator {operator.index} ({operator.name})"
                found = run(*[values[i] for i in operator.inputs if i in values], kernel="reference")
                values[out.index] = found
                shape = out.shape if times == 1 or out.dtype == np.int32 else (len(images), *out.shape[1:])
                if (found.shape, found.dtype) != (shape, out.dtype):
                    raise ValueError(f"{where}: expected {out.dtype} {shape}, got {found.dtype} {found.shape}")
