"""An explorer that recommends: device, bytes, data and training on its controls, the steps and their reasons below."""

from __future__ import annotations

import html

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes

from qlib.choose import DATA, DEVICES, REFERENCE, Recommendation, Step, measured, measured_on, recommend
from qlib.explorer import WIDE, Numbers, Panel, one_of

BYTES = (1_000, 1_000_000)  # ends of the slider of the budget, which is logarithmic
LEAST = 0.93  # of the accuracies that the picture shows
POINTS = 5.0  # the largest loss on the slider
ROWS = 11  # the most lines that the right picture has room for


class ChooseExplorer(Panel):
    """Which technique first? Left, all that was measured for the device; right, the recommended steps.

    Parameters
    ----------
    device, data : one of `choose.DEVICES`, of `choose.DATA`
    budget : int
        Bytes, 1,000 to 1,000,000.
    training : bool
    points : float
        Points of accuracy that may be lost, 0 to 5.

    Raises
    ------
    ValueError
        If a control cannot start there.
    """

    title = "Choose a technique"
    spoken = "recommended"
    repaint = ("device",)

    def __init__(
        self,
        *,
        device: str = DEVICES[0],
        budget: int = 100_000,
        data: str = DATA[1],
        training: bool = False,
        points: float = 0.5,
    ) -> None:
        one_of("device", device, dict.fromkeys(DEVICES))
        one_of("data", data, dict.fromkeys(DATA))
        if not BYTES[0] <= budget <= BYTES[1]:
            raise ValueError(f"budget: expected {BYTES[0]:,} to {BYTES[1]:,} bytes, got {budget!r}")
        if not 0 <= points <= POINTS:
            raise ValueError(f"points: expected 0 to {POINTS:g}, got {points!r}")
        if not isinstance(training, bool):
            raise ValueError(f"training: expected True or False, got {training!r}")
        ends = dict(zip(("min", "max"), np.log10(BYTES), strict=True))
        super().__init__(
            device=ipw.Dropdown(options=DEVICES, value=device, description="device", style=WIDE),
            budget=ipw.FloatLogSlider(
                float(budget), **ends, step=0.05, description="budget, bytes", readout_format=",.0f", style=WIDE
            ),
            data=ipw.Dropdown(options=DATA, value=data, description="data", style=WIDE),
            training=ipw.Checkbox(training, description="training is possible", style=WIDE),
            points=ipw.FloatSlider(
                points, min=0, max=POINTS, step=0.05, description="points to lose", readout_format=".2f", style=WIDE
            ),
        )

    def background(self, *, device: str, **_) -> None:
        left, right = self.axes
        steps = measured_on(device).values()
        left.plot(*_places(steps), "o", mfc="white", mec="0.4", ms=9, label="measured")
        left.axhline(_reference(), color="0.8", lw=1, zorder=0)
        left.set(xscale="log", xlim=(BYTES[0] / 1.5, BYTES[1] * 1.5), ylim=(100 * LEAST, 100))
        left.set(xlabel=_unit(device), ylabel="right (%)")
        (fits,) = left.plot([], [], "o", color="C0", ms=9, label="meets all")
        (ring,) = left.plot([], [], "o", mfc="none", mec="C3", ms=16, mew=2.5, label="recommended")
        self.fits, self.ring = self.moving(fits), self.moving(ring)
        self.limit = self.moving(left.axvline(BYTES[0], color="C1", ls="--", label="budget"))
        self.least = self.moving(left.axhline(0, color="C2", ls=":", label="least accuracy"))
        left.legend(loc="lower left", fontsize="small")
        self.lines = _lines(self, right)

    def move(self, *, device: str, budget: float, data: str, training: bool, points: float) -> Numbers:
        budget, max_loss = round(budget), round(points, 6) / 100
        advice = recommend(device=device, budget=budget, data=data, training=training, max_loss=max_loss)
        self.advice = advice
        meet = [step for name, step in measured_on(device).items() if name not in advice.ruled_out]
        self.fits.set_data(*_places(meet))
        self.ring.set_data(*_places(advice.steps[:1]))
        self.limit.set_xdata([budget, budget])
        self.least.set_ydata([_reference() - points] * 2)
        for line, text in zip(self.lines, _written(advice), strict=True):
            line.set_text(text)
        first = _short(advice.steps[0]) if advice.steps else f"nothing fits, 0 of {len(measured_on(device))} measured"
        return {
            "budget": f"{budget:,} bytes",
            "recommended": first,
            "meet all": f"{len(meet)} of {len(measured_on(device))}",
        } | _reasons(advice)

    def draw(self) -> None:
        """Draw the state of the controls; the reasons stand below as a list."""
        super().draw()
        rows = "".join(f"<li>{html.escape(reason)}</li>" for reason in _reasons(self.advice).values())
        head = f"<b>{html.escape(self.numbers['recommended'])}</b>; meet all: {self.numbers['meet all']}"
        out = "".join(f"<li>{html.escape(f'{name}: {why}')}</li>" for name, why in self.advice.ruled_out.items())
        folded = f"<details><summary>What is ruled out, and why</summary><ul>{out}</ul></details>"
        body = f"<p>{head}</p><ol>{rows}</ol>{folded}"
        self.text.value = f'<div style="line-height: 1.4; max-width: 60em">{body}</div>'


def _reference() -> float:
    (found,) = (s.accuracy for s in measured().values() if (s.technique.lesson, s.technique.method) == REFERENCE)
    return 100 * found


def _places(steps) -> tuple[list[float], list[float]]:
    steps = list(steps)
    return [step.bytes for step in steps], [100 * step.accuracy for step in steps]


def _unit(device: str) -> str:
    return "bytes after gzip (log scale)" if device == "browser" else "bytes of the file (log scale)"


def _lines(panel: Panel, ax: Axes) -> list:
    """Places for what is written in the right picture."""
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(ROWS, -0.5))
    return [panel.moving(ax.text(0, row, "", va="center", weight="normal" if row else "bold")) for row in range(ROWS)]


def _written(advice: Recommendation) -> list[str]:
    if advice.steps:
        lines = [f"{i}. {_short(step)}" for i, step in enumerate(advice.steps, 1)]
        lines = ["First the first; then, for fewer bytes:", *lines]
    else:
        lines = ["Nothing measured fits. It would take", *(f"– {way}" for way in advice.instead)]
    return (lines + [""] * ROWS)[:ROWS]


def _short(step: Step) -> str:
    return f"{step.technique.name}: {step.bytes:,} bytes, {step.accuracy:.1%}"


def _reasons(advice: Recommendation) -> Numbers:
    """The steps with their reasons; or what would have to give way."""
    if advice.steps:
        return {f"step {i}": f"{s.technique.name}. {s.reason}" for i, s in enumerate(advice.steps, 1)}
    return {f"it would take {i}": way for i, way in enumerate(advice.instead, 1)}
