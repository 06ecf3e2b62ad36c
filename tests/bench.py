"""How many times faster qlib is than the formula as one writes it, and how near to its peers: `make bench`.

    python tests/bench.py [--quick] [--no-browser]

How to read the table: the two sides of a row run by turns in one process, and nothing else runs between them. Each time
is a median in milliseconds. "ratio" is the left time ÷ qlib's: 20 means that qlib needs a twentieth. Where the goal
begins with <=, the ratio is qlib's time ÷ the left one; a goal in ms is for qlib's time. "short": not reached.

"Plain" is the formula in vectorised NumPy, in float32, as a student writes it: `plain_sse` and the functions beside it.
PyTorch and ONNX Runtime run with as many threads as they choose. Before anything is timed, both sides must have
computed the same thing; otherwise there is no table. Values are normal, n of them.

Why only two sides at a time: plain code makes large temporaries. Whether their memory is at hand or comes anew from
the system depends on what was freed just before, and is a factor of 4 in the time of a pass over a million values.

The second table is about quality (bench_calibrators.py), the third about the browser (bench_browser.py).
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from bench_calibrators import calibration_rows
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.image import imread

from qlib import CALIBRATORS, ErrorProfile, QParams, choose_qparams, fake_quantize, plots, qrange, quantize, widgets

SCHEMES = {"symmetric": True, "affine": False}


class Row(NamedTuple):
    what: str
    plain: float  # ms; the left side, whoever that is
    ours: float  # ms
    ratio: float
    goal: str = ""


# ------------------------------------------------------------------ measuring


def timed(side: Callable, *arguments) -> float:
    start = time.perf_counter()
    side(*arguments)
    return 1000 * (time.perf_counter() - start)


def medians(sides: list[Callable], settings: Iterable, calls: int = 1) -> list[float]:
    """Milliseconds of each side: by turns for each setting, `calls` calls at a time, and the median of that."""

    def repeatedly(side: Callable, setting) -> None:
        for _ in range(calls):
            side(setting)

    times = [[timed(repeatedly, side, setting) / calls for side in sides] for setting in settings]
    return np.median(times, axis=0).tolist()


def compare(what: str, plain: Callable, ours: Callable, settings: Iterable, goal: str = "", calls: int = 1) -> Row:
    plain_ms, ours_ms = medians([plain, ours], settings, calls)
    return Row(what, plain_ms, ours_ms, plain_ms / ours_ms, goal)


def normal(n: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(n, np.float32)


def said(n: int) -> str:
    digits, power = f"{n:.0e}".split("e+")
    return f"n={digits}e{int(power)}"


# ---------------------------------------------------------------- plain NumPy


def plain_float_codes(x: np.ndarray, p: QParams) -> np.ndarray:
    return np.clip(np.rint(x / p.scale) + p.zero_point, p.qmin, p.qmax)


def plain_quantize(x: np.ndarray, p: QParams) -> np.ndarray:
    return plain_float_codes(x, p).astype(np.int8)


def plain_fake_quantize(x: np.ndarray, p: QParams) -> np.ndarray:
    return p.scale * (plain_quantize(x, p).astype(np.float32) - p.zero_point)


def lean_fake_quantize(x: np.ndarray, p: QParams) -> np.ndarray:
    return p.scale * (plain_float_codes(x, p) - p.zero_point)


def plain_sse(x: np.ndarray, p: QParams) -> float:
    return float(np.sum((x - lean_fake_quantize(x, p)) ** 2))


def plain_sse_float64(x: np.ndarray, p: QParams) -> float:
    return float(np.sum((x.astype(np.float64) - lean_fake_quantize(x, p)) ** 2))


# ------------------------------------------------------------------- sections


def profile_rows(n: int, repeats: int, goal: str = "") -> list[Row]:
    x, rows = normal(n), []
    profile = ErrorProfile(x)
    for scheme, symmetric in SCHEMES.items():
        rmin, rmax = CALIBRATORS["minmax"](x, symmetric=symmetric)
        shrunk = np.linspace(0.5, 1, 8 * repeats)
        settings = [choose_qparams(rmin * k, rmax * k, num_bits=8, symmetric=symmetric) for k in shrunk]
        rows += setting_rows(f"profile.sse, 8 bits, {scheme}, {said(n)}", x, profile, settings, goal)
    build, plain = medians([lambda _: ErrorProfile(x)], range(max(3, repeats // 4)))[0], rows[1].plain
    rows.append(Row(f"ErrorProfile(x), {said(n)}: plain float32 passes it costs", plain, build, build / plain))
    return rows


def setting_rows(what: str, x: np.ndarray, profile: ErrorProfile, settings: list[QParams], goal: str) -> list[Row]:
    """The error of one setting, never the same twice, as when a slider moves: eight of them for each plain pass.

    A plain pass leaves the processor's cache full of other things. So the first of the eight is slower: the last row.
    """
    for p in settings[::8]:
        np.testing.assert_allclose(profile.sse(p), plain_sse_float64(x, p), rtol=1e-6)
        np.testing.assert_allclose(profile.sse(p), plain_sse(x, p), rtol=1e-5)

    def eight(i: int) -> None:
        for p in settings[i : i + 8]:
            profile.sse(p)

    rows, places = [], range(0, len(settings), 8)
    for kind, side in (("error in float64", plain_sse_float64), ("all in float32", plain_sse)):
        plain, ours = medians([lambda i, side=side: side(x, settings[i]), eight], places)
        rows.append(Row(f"{what}: plain, {kind}", plain, ours / 8, 8 * plain / ours, goal))
    first = compare("", lambda i: plain_sse(x, settings[i]), lambda i: profile.sse(settings[i]), places)
    return [*rows, first._replace(what="   all in float32, only one setting for each pass")]


def bits_curve_rows(n: int, repeats: int) -> list[Row]:
    x, bits = normal(n), range(2, 11)
    profile = ErrorProfile(x)

    def plain(_) -> dict[str, list[float]]:
        curves = {}
        for scheme, symmetric in SCHEMES.items():
            ends = CALIBRATORS["minmax"](x, symmetric=symmetric)
            qparams = [choose_qparams(*ends, num_bits=b, symmetric=symmetric) for b in bits]
            curves[scheme] = [plain_sse(x, p) / n for p in qparams]
        return curves

    def ours(_) -> dict[str, list[float]]:
        return plots.bits_curve(profile, bits)

    expected, got = plain(None), ours(None)
    for scheme in SCHEMES:
        np.testing.assert_allclose(got[scheme], expected[scheme], rtol=1e-5)
    return [compare(f"bits_curve(profile, 2 … 10), both schemes, {said(n)}", plain, ours, range(repeats), "<= 2 ms")]


def sweep_rows(n: int, repeats: int, thresholds: int = 100) -> list[Row]:
    """Bit widths × thresholds × full and narrow codes. Plain runs one threshold for each of the rest, and is scaled."""
    x, rng = normal(n), np.random.default_rng(1)
    profile, largest = ErrorProfile(x), float(np.max(np.abs(x)))
    codes = [qrange(num_bits, narrow_range=narrow) for num_bits in range(2, 11) for narrow in (False, True)]
    fractions = np.arange(1, thresholds + 1) / thresholds
    steps = [np.float32(largest * fractions / qmax) for _, qmax in codes]
    picked = rng.integers(thresholds, size=len(codes))

    def ours(_) -> list[np.ndarray]:
        return [profile.sse_by_step(s, qmin, qmax) for s, (qmin, qmax) in zip(steps, codes, strict=True)]

    subset = [QParams(s[i], 0, *ends) for s, i, ends in zip(steps, picked, codes, strict=True)]
    swept = [sse[i] for sse, i in zip(ours(None), picked, strict=True)]
    np.testing.assert_allclose(swept, [plain_sse_float64(x, p) for p in subset], rtol=1e-5)
    what = f"sweep of {len(codes) * thresholds} settings, {said(n)} (plain: {len(codes)} measured, × {thresholds})"
    row = compare(what, lambda _: [plain_sse(x, p) for p in subset], ours, range(repeats), ">= 30")
    return [row._replace(plain=row.plain * thresholds, ratio=row.ratio * thresholds)]


def threshold_rows(n: int, repeats: int) -> list[Row]:
    x, rows = normal(n), []
    profile, largest = ErrorProfile(x), float(np.max(np.abs(x)))
    for num_bits in (8, 4):
        qmin, qmax = qrange(num_bits)
        grid = [QParams(np.float32(largest * k / 100 / qmax), 0, qmin, qmax) for k in range(1, 101)]

        def plain(_, grid=grid) -> float:
            return min(plain_sse(x, p) for p in grid)

        def ours(_, num_bits=num_bits) -> float:
            return profile.best_threshold(num_bits)

        def from_scratch(_, num_bits=num_bits) -> float:
            return ErrorProfile(x).best_threshold(num_bits)

        best = plain_sse_float64(x, QParams(np.float32(ours(None) / qmax), 0, qmin, qmax))
        assert best <= plain(None) * (1 + 1e-6) and plain(None) <= best * 1.02  # nobody beats it; the grid is near
        assert from_scratch(None) == ours(None)
        what = f"best_threshold, {num_bits} bits, {said(n)}, against a grid of 100"
        rows.append(compare(what, plain, ours, range(repeats), ">= 30"))
        rows.append(compare("   with building the profile", plain, from_scratch, range(repeats)))
    return rows


def quantize_rows(n: int, repeats: int, quantize_goal: str = ">= 1", fake_goal: str = "") -> list[Row]:
    p, calls = QParams(0.0313, 5, -128, 127), max(1, 100_000 // n)
    x = normal(n)
    # torch multiplies by 1 / scale, so that next to a tie it may take the other code: no value stays there.
    x[np.abs(np.abs(x / p.scale) % 1 - 0.5) < 1e-3] = 0
    tensor, session = torch.from_numpy(x), onnx_quantizer(p)
    scale = float(p.scale)
    groups = {
        "quantize": {
            "plain": lambda _: plain_quantize(x, p),
            "torch": lambda _: torch.quantize_per_tensor(tensor, scale, p.zero_point, torch.qint8),
            "ONNX Runtime": lambda _: session.run(None, {"x": x})[0],
            "qlib": lambda _: quantize(x, p),
        },
        "fake_quantize": {
            "plain": lambda _: plain_fake_quantize(x, p),
            "plain, codes left as floats": lambda _: lean_fake_quantize(x, p),
            "torch": lambda _: torch.fake_quantize_per_tensor_affine(tensor, scale, p.zero_point, p.qmin, p.qmax),
            "qlib": lambda _: fake_quantize(x, p),
        },
    }
    rows = []
    for (function, sides), goal in zip(groups.items(), (quantize_goal, fake_goal), strict=True):
        results = [side(None) for side in sides.values()]
        for got in results:
            got = got.int_repr() if isinstance(got, torch.Tensor) and got.is_quantized else got
            np.testing.assert_array_equal(np.asarray(got), results[0])
        del results, got  # large
        ours = sides.pop("qlib")
        for peer, side in sides.items():
            what, wanted = f"{function}, {said(n)}: {peer}", goal if peer == "plain" else ""
            rows.append(compare(what, side, ours, range(repeats), wanted, calls))
    return rows


def onnx_quantizer(p: QParams) -> onnxruntime.InferenceSession:
    """One QuantizeLinear, as in test_engines.py."""
    constants = [
        onnx.helper.make_tensor("scale", onnx.TensorProto.FLOAT, (), [p.scale]),
        onnx.helper.make_tensor("zero_point", onnx.TensorProto.INT8, (), [p.zero_point]),
    ]
    node = onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero_point"], ["q"])
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, None)
    q = onnx.helper.make_tensor_value_info("q", onnx.TensorProto.INT8, None)
    graph = onnx.helper.make_graph([node], "one operator", [x], [q], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def explorer_rows(n: int, positions: int = 1000) -> list[Row]:
    """A slider's move, from its value to the new PNG and HTML, against drawing the same figure as a whole."""
    sliders = {
        "BitWidthExplorer": ("num_bits", range(2, 17)),
        "StepExplorer": ("relative", np.exp2(np.arange(-6, 2.01, 0.25)).tolist()),
        "ThresholdExplorer": ("fraction", (np.arange(1, 51) / 50).tolist()),
    }
    rows = []
    for name, (control, values) in sliders.items():
        explorer = getattr(widgets, name)({"weights": normal(n)})
        slider, figure = explorer.controls[control], explorer.axes[0].figure
        values, moves, redraws = values[:positions], [], []
        for value in values:  # each visited once before: what is measured is moves
            slider.value = value
        for value in values:
            moves.append(timed(setattr, slider, "value", value))
            milliseconds, picture = whole_figure(figure)
            redraws.append(milliseconds)
            assert not explorer.error.value, explorer.error.value
            np.testing.assert_array_equal(imread(BytesIO(explorer.png)), imread(picture))
        redraw, move = np.median(redraws), np.median(moves)
        rows.append(Row(f"{name}.{control}, a move, {said(n)}: savefig", redraw, move, redraw / move, ">= 15"))
    return rows


def whole_figure(figure: Figure) -> tuple[float, BytesIO]:
    """Milliseconds and the picture of `savefig`, with what moves drawn on top of the rest, as an explorer does."""
    moving, picture = figure.findobj(Artist.get_animated), BytesIO()
    for artist in moving:
        artist.set(animated=False, zorder=artist.get_zorder() + 100)
    milliseconds = timed(partial(figure.savefig, picture, format="png"))
    for artist in moving:
        artist.set(animated=True, zorder=artist.get_zorder() - 100)
    picture.seek(0)
    return milliseconds, picture


def import_rows(repeats: int) -> list[Row]:
    """Fresh processes: the whole of them, and the import statement alone as they clock it themselves."""
    source = "import time; start = time.perf_counter(); import {}; print(1000 * (time.perf_counter() - start))"
    whole, inside = [], []
    for _ in range(repeats):
        commands = [[sys.executable, "-c", source.format(module)] for module in ("numpy", "qlib")]
        processes = []
        whole.append([timed(lambda c=c, p=processes: p.append(subprocess.check_output(c))) for c in commands])
        inside.append([float(printed) for printed in processes])
    rows = []
    for what, times in (("python -c 'import …'", whole), ("the import statement alone", inside)):
        numpy_ms, qlib_ms = np.median(times, axis=0)
        rows.append(Row(f"import qlib against import numpy: {what}", numpy_ms, qlib_ms, qlib_ms / numpy_ms, "<= 1.25"))
    return rows


def integer_rows(sizes: Iterable[int] = ()) -> list[Row]:
    """What bench_integer.py measures on one thread, in a process of its own."""
    script = Path(__file__).with_name("bench_integer.py")
    lines = subprocess.check_output([sys.executable, script, *map(str, sizes)], text=True).splitlines()
    return [Row(*json.loads(line)) for line in lines]


def browser_lines() -> list[tuple]:
    """What bench_browser.py measures in Chromium: (name, value, goal) each."""
    if shutil.which("chromium") is None:
        return [("skipped: no `chromium` on the PATH", "", "")]
    from bench_browser import measure

    lines = []
    for name, value, goal in measure()["rows"]:  # a goal is None, words such as "<= 2", or the very value
        reached = goal is None or (meets(value, goal) if isinstance(goal, str) else value == goal)
        lines.append((name, value, said_goal("" if goal is None else goal, reached)))
    return lines


# --------------------------------------------------------------------- output


def verdict(row: Row) -> str:
    """The goal as it is shown."""
    return said_goal(row.goal, not row.goal or meets(row.ours if row.goal.endswith("ms") else row.ratio, row.goal))


def meets(value: float, goal: str) -> bool:
    sign, bound = goal.split()[:2]
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def said_goal(goal: object, reached: bool) -> str:
    return str(goal) if reached else f"{goal} short"


def table(header: Iterable[str], lines: Iterable[Iterable]) -> str:
    """Columns as wide as they need, the first to the left, the others to the right."""
    lines = [[number(cell) if isinstance(cell, float) else str(cell) for cell in line] for line in [header, *lines]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def sections(quick: bool) -> dict[str, Callable[[], list[Row]]]:
    if quick:
        n, many, few, sizes = 20_000, 3, 2, {1_000: 3, 20_000: 3}
    else:
        n, many, few = 10**6, 25, 5
        sizes = {10**3: 101, 10**4: 101, 10**5: 51, 10**6: 25, 10**7: 9, 5 * 10**7: 5}
    parts = {"profile": partial(profile_rows, n, many, ">= 15")}
    if not quick:
        parts["profile, large"] = partial(profile_rows, 10**7, 9, ">= 200")
    parts["bits_curve"] = partial(bits_curve_rows, n, few)
    parts["sweep"] = partial(sweep_rows, n, few)
    parts["best_threshold"] = partial(threshold_rows, n, few)
    for size, repeats in sizes.items():
        goals = (">= 3", ">= 4") if size == 10**7 else (">= 1", "")
        parts[f"quantize, {said(size)}"] = partial(quantize_rows, size, repeats, *goals)
    parts["explorers"] = partial(explorer_rows, n, 5 if quick else 50)
    parts["integers"] = partial(integer_rows, [100] if quick else [])
    parts["import"] = partial(import_rows, 3 if quick else 21)
    return parts


def main(quick: bool = False, browser: bool = True) -> None:
    warnings.filterwarnings("ignore", message="torch.quantize_per_tensor")  # deprecated there, without a successor here
    rows = []
    for name, measure in sections(quick).items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows += measure()
    print("measuring calibrators …", file=sys.stderr, flush=True)
    quality = [row for num_bits in (2, 4, 8) for row in calibration_rows(20_000 if quick else 10**6, num_bits)]
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}"
    print(f"{versions}, ONNX Runtime {onnxruntime.__version__}; {os.cpu_count()} processors")
    if quick:
        print("--quick: too small for the goals, which are left out")
        rows = [row._replace(goal="") for row in rows]
    header = ("what", "plain/peer (ms)", "qlib (ms)", "ratio", "goal")
    print("\n" + table(header, [(*row[:4], verdict(row)) for row in rows]))
    print("\nMSE of the chosen threshold ÷ the least MSE, symmetric; goal for the last column: <= 1.0005\n")
    print(table(quality[0], [row.values() for row in quality]))
    if browser and not quick:
        print("measuring the browser …", file=sys.stderr, flush=True)
        print("\n" + table(("in the browser", "value", "goal"), browser_lines()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, some seconds: does it run?")
    parser.add_argument("--no-browser", action="store_true", help="leave Chromium out")
    options = parser.parse_args()
    main(options.quick, not options.no_browser)
