"""The anatomy of a number format as an explorer: flip a bit, see the value; type a value, see the bits."""

from __future__ import annotations

import math

import ipywidgets as ipw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from qlib import formats, plots
from qlib.explorer import ACCESSIBLE, WIDE, Numbers, Panel
from qlib.formats import FORMATS, Format

MOST_BITS = max(form.num_bits for form in FORMATS.values())
PARTS = {"S": "sign", "E": "exponent", "M": "mantissa", "I": "integer"}
EDGES = {"S": "3px double", "E": "2px dashed", "M": "2px solid", "I": "2px solid"}
COLORS = {"S": "#d62728", "E": "#1f77b4", "M": "#2ca02c", "I": "#2ca02c"}
REACH = 4  # neighbours on either side
# A button says only 0 or 1; its name, and that it is pressed, come from its tooltip.
NAMED = """
if (panel) {
  for (const button of panel.querySelectorAll('.widget-toggle-button')) {
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-pressed', button.textContent.trim() === '1');
  }
}"""


class FormatExplorer(Panel):
    """One number, as its bits: a button for each bit, what the fields say, and the neighbours of the value.

    Left, what each format reaches above 0, with the number in its row. Right, the number (ring) among its
    neighbours, in steps to the next larger one; a cross is what was typed, before it was rounded.

    Parameters
    ----------
    format : one of formats.FORMATS
    number : float
        Where the controls stand at first.

    Raises
    ------
    ValueError
        If there is no such format, or the number is NaN.
    """

    title = "Anatomy of a number format"
    spoken = "value"
    repaint = ("format",)

    def __init__(self, format: str = "float8 E4M3", number: float = 1.1) -> None:
        self.pattern = int(formats.bits_of(number, format))
        self._source, self._following = "number", False
        self.toggles = [
            ipw.ToggleButton(layout=ipw.Layout(width="2em", padding="0", margin="1px")) for _ in range(MOST_BITS)
        ]
        for toggle in self.toggles:
            toggle.observe(self._changed, "value")
        self.bits = ipw.HBox(layout=ipw.Layout(flex_flow="row wrap"))
        super().__init__(
            format=ipw.Dropdown(options=list(FORMATS), value=format, description="format", style=WIDE),
            number=ipw.Text(_text(float(number)), description="number", style=WIDE, continuous_update=False),
        )
        choice, field, *rest = self.children
        self.children = [choice, field, self.bits, *rest]

    def background(self, format, **_) -> None:
        _plot_ranges(self.axes[0], format)
        near = self.axes[1]
        near.set(xlim=(-REACH - 0.7, REACH + 0.7), ylim=(-1, 1), yticks=[])
        near.set(xlabel="distance in steps to the next larger value", title=f"neighbours in {format}")
        ring = dict(ms=13, mfc="none", mec="C3", mew=2.5, zorder=5, clip_on=False)
        self.here = [self.moving(ax.plot([], [], "o", **ring)[0]) for ax in self.axes]
        self.ticks = self.moving(near.plot([], [], color="C0", linewidth=2)[0])
        self.typed = self.moving(near.plot([], [], "x", color="black", ms=9, mew=2, zorder=6)[0])
        # The outer texts on two lines: long ones would meet.
        self.labels = [self.moving(near.text(0, y, "", ha="center", va="center")) for y in (-0.55, 0.75, -0.8)]

    def move(self, format, number) -> Numbers:
        form, real = FORMATS[format], float(formats.value_of(self.pattern, format))
        row = list(FORMATS).index(format)
        low, high = self.axes[0].get_xlim()
        seen = real != 0 and math.isfinite(real)
        self.here[0].set_data(*([np.clip(math.log2(abs(real)), low, high)], [row]) if seen else ([], []))
        below, above = formats.neighbours(self.pattern, format)
        self._show_near(format, real, float(number), below, above)
        return {
            "pattern": _grouped(self.pattern, form),
            "hex": f"0x{self.pattern:0{-(-form.num_bits // 4)}X}",
            **_explained(self.pattern, form),
            "value": _text(real),
            "rounding error": f"{float(number) - real:.3g}" if math.isfinite(real) else "not finite",
            "next below": _text(below) if form.infinities or math.isfinite(below) else "none",
            "next above": _text(above) if form.infinities or math.isfinite(above) else "none",
        }

    def draw(self) -> None:
        self._follow()
        with self.picture.hold_sync():  # one picture, with the names of the buttons
            super().draw()
            self.picture.value = plots.img(self.png, self.alt, onload=ACCESSIBLE + NAMED)

    def _changed(self, change) -> None:
        if self._following:
            return
        names = {id(control): name for name, control in self.controls.items()}
        self._source = names.get(id(change["owner"]), "bits")
        super()._changed(change)

    def _follow(self) -> None:
        """Bring what was not touched in line with what was: the bits with the value, or the value with the bits."""
        self._following = True
        try:
            format, field = self.controls["format"].value, self.controls["number"]
            if self._source == "bits":
                used = self.toggles[: FORMATS[format].num_bits]
                self.pattern = int("".join("01"[toggle.value] for toggle in used), 2)
                field.value = _text(float(formats.value_of(self.pattern, format)))
            else:
                if self._source == "format" and math.isnan(_number(field.value)):
                    field.value = "1"  # not every format has a NaN
                self.pattern = int(formats.bits_of(_number(field.value), format))
            self._label_bits(FORMATS[format])
        finally:
            self._following = False

    def _label_bits(self, form: Format) -> None:
        digits = f"{self.pattern:0{form.num_bits}b}"
        for place, (toggle, digit) in enumerate(zip(self.toggles, digits, strict=False)):
            part, left = PARTS[form.letters[place]], form.num_bits - 1 - place
            toggle.value, toggle.description = digit == "1", digit
            toggle.tooltip = f"bit {left}, {part}: {digit}"
        if getattr(self, "_grouped_for", None) != form.name:  # or the button just pressed would lose the focus
            self.bits.children = [self._group(letter, form) for letter in dict.fromkeys(form.letters)]
            self._grouped_for = form.name

    def _group(self, letter: str, form: Format) -> ipw.VBox:
        """The buttons of one field, in a frame of its own, below its name."""
        first, count = form.letters.index(letter), form.letters.count(letter)
        name = ipw.HTML(f"<b>{letter}</b> {PARTS[letter]}")
        row = ipw.HBox(self.toggles[first : first + count], layout=ipw.Layout(flex_flow="row wrap"))
        border = f"{EDGES[letter]} {COLORS[letter]}"
        return ipw.VBox([name, row], layout=ipw.Layout(border=border, margin="2px", padding="1px 4px"))

    def _show_near(self, format: str, real: float, typed: float, below: float, above: float) -> None:
        """The neighbours as ticks, in steps to the next larger value (at the largest, to the next smaller one)."""
        marked = [*self.here[1:], self.ticks, self.typed]
        for artist in marked:
            artist.set_data([], [])
        texts = [("", 0.0)] * 3
        if math.isfinite(real):
            step = above - real if math.isfinite(above) else real - below
            around = np.array(_around(self.pattern, format))
            places = (around - real) / step
            self.ticks.set_data(np.repeat(places, 3), np.tile([-0.35, 0.35, np.nan], places.size))
            self.here[1].set_data([0], [0])
            if abs(typed - real) < REACH * step:
                self.typed.set_data([(typed - real) / step], [0])
            texts = [(_short(x), (x - real) / step) for x in (below, real, above)]
        else:
            texts[1] = (f"{_text(real)}: no neighbours", 0.0)
        for label, (text, place) in zip(self.labels, texts, strict=True):
            shown = math.isfinite(place)
            label.set_text(text if shown else "")
            label.set_x(place if shown else 0)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"value: expected a number, got {text!r}") from None


def _text(real: float) -> str:
    """A number in as many digits as it takes to tell it from all others."""
    return f"{int(real)}" if math.isfinite(real) and real == int(real) and 0 < abs(real) < 1e6 else repr(real)


def _short(real: float) -> str:
    return f"{real:.9g}"


def _around(pattern: int, format: str) -> list[float]:
    """The value of a pattern with up to REACH neighbours on either side."""
    found = [float(formats.value_of(pattern, format))]
    for side in (0, 1):
        here = pattern
        for _ in range(REACH):
            value = formats.neighbours(here, format)[side]
            if not math.isfinite(value):
                break
            found.append(value)
            here = int(formats.bits_of(value, format))
    return sorted(found)


def _grouped(pattern: int, form: Format) -> str:
    digits, ends = f"{pattern:0{form.num_bits}b}", [1, 1 + form.exponent_bits]
    groups = (digits[:1], digits[1 : ends[1]], digits[ends[1] :])
    return " ".join(filter(None, groups))


def _explained(pattern: int, form: Format) -> Numbers:
    """The fields of a pattern, and the formula with its numbers."""
    sign, exponent, mantissa = formats.fields(pattern, form.name)
    if not form.is_float:
        lowest = 2**form.mantissa_bits
        return {"sign": str(sign), "formula": f"{sign} × (−{lowest}) + {mantissa}"}
    of, value = 2**form.mantissa_bits, float(formats.value_of(pattern, form.name))
    said = {"sign": "−" if sign else "+", "exponent": str(exponent), "mantissa": f"{mantissa}/{of}"}
    if not math.isfinite(value):
        return said | {"formula": f"none: kept for {'NaN' if math.isnan(value) else 'infinity'}"}
    power = (exponent or 1) - form.bias
    kind = "normal" if exponent else "subnormal, without the leading 1"
    front = f"{(exponent > 0) + mantissa / of:.10g}"
    return said | {"formula": f"(−1)^{sign} × {front} × 2^{power} ({kind})"}


def _plot_ranges(ax: Axes, chosen: str) -> None:
    """A bar for each format, from its smallest to its largest value above 0; the subnormals hatched."""
    for row, name in enumerate(FORMATS):
        least, normal, most = map(
            math.log2, (formats.smallest(name), formats.smallest_normal(name), formats.largest(name))
        )
        color = "C1" if name == chosen else "0.75"
        ax.barh(row, most - normal, 0.55, normal, color=color, edgecolor="black")
        if normal > least:
            ax.barh(row, normal - least, 0.55, least, color="white", edgecolor="black", hatch="////")
    ax.set(yticks=range(len(FORMATS)), yticklabels=list(FORMATS), ylim=(len(FORMATS) - 0.4, -0.6), xlim=(-155, 133))
    ax.set(xlabel="size of the value (hatched: subnormal)", title="from the smallest to the largest")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$2^{{{power:.0f}}}$"))
