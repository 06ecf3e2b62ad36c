"""Predict before you look: a question with choices, whose truth is computed when it is revealed.

A lesson's module holds `PREDICTIONS`, a dict from a name ("3.steps") to a `Prediction`.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as ipw

from qlib.exercises.engine import _module


@dataclass(frozen=True)
class Prediction:
    """A question, its options, and what is true.

    `truth(**context)` computes, from what the notebook passes, the number of the right option (from 0) and a sentence
    with the figures that show it. `most` says what most people get wrong, and why. All texts are plain.
    """

    question: str
    options: tuple[str, ...]
    truth: Callable[..., tuple[int, str]]
    most: str


PARAGRAPH = '<p style="line-height: 1.4; margin: 0.3em 0"'


class Predict(ipw.VBox):
    """Choose, then reveal. Without a live kernel: the question, and its answer folded away.

    A run without a reader chooses the first option (the text that nbval compares says so).
    """

    def __init__(self, name: str, prediction: Prediction, **context) -> None:
        self.name, self.prediction, self.context = name, prediction, context
        self.choice = ipw.RadioButtons(options=prediction.options, value=None, layout=ipw.Layout(width="auto"))
        self.button = ipw.Button(description="Reveal", disabled=True, tooltip="Choose first")
        self.answer = ipw.HTML()
        self.choice.observe(self._chosen, "value")
        self.button.on_click(self._reveal)
        super().__init__([ipw.HTML(self._question()), self.choice, self.button, self.answer])
        self.add_class("qlib-predict")

    def outcome(self, chosen: int) -> str:
        """What is true, computed now, and how the choice compares with it."""
        return self._compared(chosen, *self.prediction.truth(**self.context))

    def _compared(self, chosen: int, right: int, figures: str) -> str:
        options = self.prediction.options
        verdict = "✓ You chose" if chosen == right else f"✗ The answer is “{options[right]}”. You chose"
        return f"{verdict} “{options[chosen]}”. {figures} {self.prediction.most}"

    def _question(self) -> str:
        return f"{PARAGRAPH}><b>Predict.</b> {html.escape(self.prediction.question)}</p>"

    def _chosen(self, change) -> None:
        self.button.disabled = self.choice.index is None
        self.answer.value = ""

    def _reveal(self, button) -> None:
        try:
            said = f'{PARAGRAPH} role="status">{html.escape(self.outcome(self.choice.index), quote=False)}</p>'
        except Exception as error:  # shown where the person looks
            message = html.escape(f"{type(error).__name__}: {error}")
            said = f'{PARAGRAPH} role="alert"><b>This could not be computed.</b> {message}</p>'
        self.answer.value = said

    def _repr_mimebundle_(self, **kwargs) -> dict:
        try:
            right, figures = self.prediction.truth(**self.context)
            answer = f"“{self.prediction.options[right]}”. {figures} {self.prediction.most}"
            said = f"A run without a reader chose the first option. {self._compared(0, right, figures)}"
        except Exception as error:  # the question can be asked all the same; the reveal will say this again
            answer = said = f"This could not be computed. {type(error).__name__}: {error}"
        options = "".join(f"<li>{html.escape(option)}</li>" for option in self.prediction.options)
        folded = f"<details><summary>Answer</summary>{PARAGRAPH}>{html.escape(answer, quote=False)}</p></details>"
        page = f"{self._question()}<ul>{options}</ul>{folded}"
        return super()._repr_mimebundle_(**kwargs) | {"text/html": page, "text/plain": f"Predict {self.name}. {said}"}


def nearest(value: float, options: tuple[float, ...]) -> int:
    """The place of the option that is nearest to `value`, as a factor. All are positive. For truths.

    >>> nearest(43.8, (3, 11, 44, 350))
    2
    """
    return min(range(len(options)), key=lambda i: max(value / options[i], options[i] / value))


def predict(name: str, **context) -> Predict:
    """The prediction of this name; `context` is what its truth is computed from. A ValueError names those there are."""
    predictions = _module(str(name).partition(".")[0]).PREDICTIONS
    if name not in predictions:
        raise ValueError(f"name: expected one of {list(predictions)}, got {name!r}")
    return Predict(name, predictions[name], **context)
