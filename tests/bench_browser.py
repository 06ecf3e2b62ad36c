"""How long a person waits at a slider: from the key to the picture, in JupyterLab, in Chromium.

    python tests/bench_browser.py [PRESSES]

An empty echo (a slider whose callback copies its value into an HTML widget) is the shortest way through kernel and
browser, on this machine at this moment. What an explorer needs is counted in echoes, measured in the same page, in
turn.
"""

import itertools
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from lab import launch, open_page, run_all, serve, wait_until, write_notebook
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

# The explorer's last slider: its name in the alt text, and how many Page Ups lead from its left end to its middle.
SLIDERS = {"BitWidthExplorer": ("num_bits", 1), "StepExplorer": ("relative", 6), "ThresholdExplorer": ("fraction", 5)}
HELD = ("StepExplorer", "ThresholdExplorer")  # 65 and 50 positions: room for a held key
REPEATS, SPACING = 30, 0.033

NOTEBOOK = """
import ipywidgets as ipw
import numpy as np
from IPython.display import display
from qlib import widgets

slider, text = ipw.IntSlider(50), ipw.HTML("50")

def echo(change):
    text.value = str(change["new"])

slider.observe(echo, "value")
tensors = {{"weights": np.random.default_rng(0).normal(size={weights}).astype("float32")}}
explorers = [widgets.{names}(tensors)]
display(ipw.VBox([slider, text]), *explorers)
"""

# What a panel lives through. A picture counts when bytes and alt text are new and it is decoded and still there, that
# is, when it can be shown.
WATCH = """
panels => {
  window.watched = panels.map(panel => {
    const picture = () => panel.querySelector("img");
    const live = () => panel.querySelector("[aria-live=polite]");
    const text = () => (picture() ? picture().alt : panel.querySelector(".widget-html-content").textContent);
    const slider = [...panel.querySelectorAll(".widget-slider")].at(-1);
    const boxes = [panel, picture()?.closest(".widget-html")].filter(Boolean);
    const heights = () => boxes.map(box => box.getBoundingClientRect().height);
    const region = live();
    let last, source, spoken;
    const watch = {
      text,
      now: heights,
      readout: () => slider.querySelector(".widget-readout").textContent,
      regionKept: true,
      async ready(measuring = false) {
        slider.querySelector(".noUi-handle").focus();
        for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
        last = text();
        source = picture()?.getAttribute("src");
        spoken = live()?.textContent;
        Object.assign(watch, {keys: [], pictures: [], spoken: 0, measuring, heights: heights(), lowest: heights()});
      },
      unread() {  // the picture's place while its bytes aren't read yet, as long as that takes in some browsers
        const box = picture().parentElement;
        const html = box.innerHTML;
        const height = () => box.getBoundingClientRect().height;
        const rest = height();
        box.innerHTML = html.replace(/src="[^"]*"/, `src="data:,${Math.random()}"`);
        const share = height() / rest;
        box.innerHTML = html;
        return share;
      },
      quiet: () => performance.now() - Math.max(...watch.keys, ...watch.pictures.map(one => one.time)),
    };
    const measure = () => {
      if (watch.measuring) watch.lowest = heights().map((height, i) => Math.min(height, watch.lowest[i]));
    };
    const pressed = event => slider.contains(event.target) && watch.keys.push(performance.now());
    window.addEventListener("keydown", pressed, true);
    new MutationObserver(async () => {
      measure();
      watch.regionKept &&= live() === region;
      if (live()?.textContent !== spoken) watch.spoken++;
      spoken = live()?.textContent;
      const [img, alt] = [picture(), text()];
      if (alt === last || (img && img.getAttribute("src") === source)) return;
      [last, source] = [alt, img?.getAttribute("src")];
      try {
        await img?.decode();
      } catch {
        return;
      }
      if (!img || (img.isConnected && img.alt === alt)) watch.pictures.push({time: performance.now(), text: alt});
    }).observe(panel, {subtree: true, childList: true, attributes: true, attributeFilter: ["alt", "src"]});
    requestAnimationFrame(function frame() {
      measure();
      requestAnimationFrame(frame);
    });
    return watch;
  });
}
"""


def measure(presses: int = 40, weights: int = 10**6) -> dict:
    """`watch`, in a JupyterLab and a Chromium of its own."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as lab, launch() as browser:
        return watch(lab, browser, presses, weights)


def watch(lab: SimpleNamespace, browser: Browser, presses: int, weights: int) -> dict:
    """Press keys on an echo and on each explorer in turn, then hold one down.

    Returns
    -------
    dict
        "rows", a list of (name, value, goal). A goal in words ("<= 2") is of time, and None is no goal; every other
        goal is the value that has to come out, on any machine. And "complaints", what the console said.
    """
    page = open_page(browser)
    names = "(tensors), widgets.".join(SLIDERS)
    write_notebook(lab, "bench.ipynb", NOTEBOOK.format(weights=weights, names=names).strip())
    run_all(page, lab, "bench.ipynb")
    panels = page.locator(".jp-OutputArea-output .widget-vbox:not(.widget-vbox .widget-vbox)")
    wait_until(lambda: panels.locator("img").count() == len(SLIDERS), 20)
    panels.evaluate_all(WATCH)
    pressed = _press(page, presses)
    echo, *medians = (statistics.median(times or [float("nan")]) for times in pressed)
    rows = [("echo: key to text, ms", echo, None)]
    for name, median, times in zip(SLIDERS, medians, pressed[1:], strict=True):
        rows.append((f"{name}: key to picture, ms", median, None))
        rows.append((f"{name}: key to picture, echoes", median / echo, "<= 2"))
        rows.append((f"{name}: presses that changed picture, alt text and live region", len(times), presses))
    for name in HELD:
        rows += _held_rows(name, [_hold(page, name) for _ in range(max(1, presses // 10))], echo)
    kept = page.evaluate("watched.every(watch => watch.regionKept)")
    rows.append(("the live region is one element for life", kept, True))
    for panel, name in enumerate(SLIDERS, 1):
        share = page.evaluate("panel => watched[panel].unread()", panel)
        rows.append((f"{name}: height before the picture is read ÷ height at rest", share, 1.0))
    rows.append(("complaints in the console", len(page.complaints), 0))
    result = {"rows": rows, "complaints": list(page.complaints)}
    page.close()
    return result


def _held_rows(name: str, holds: list[SimpleNamespace], echo: float) -> list[tuple]:
    """What `_hold` saw: medians of what takes time, and the worst of what has to be."""
    spacing, pictures, wait = (
        statistics.median(getattr(hold, what) for hold in holds) for what in ("spacing", "pictures", "wait")
    )
    return [
        (f"{name}, key held: ms between the key's {REPEATS} events", spacing, None),
        (f"{name}, key held: pictures on the way", pictures, None),
        (f"{name}, key held: last key to last picture, echoes", wait / echo, "<= 3"),
        (f"{name}, key held: the last position won", all(hold.won for hold in holds), True),
        (f"{name}, key held: lowest height ÷ height at rest", min(hold.lowest for hold in holds), 1.0),
    ]


def _press(page: Page, presses: int) -> list[list[float]]:
    """ms from key to output, for the echo and each explorer: around the middle of its slider, never at its end."""
    for name, (_, page_ups) in SLIDERS.items():
        _walk(page, name, "Home", *["PageUp"] * page_ups)
    times = [[] for _ in (None, *SLIDERS)]
    for press in range(presses):
        key = "ArrowLeft" if (press + 4) // 8 % 2 else "ArrowRight"  # 4 steps up, 8 down, 8 up …
        for panel, measured in enumerate(times):
            page.evaluate("panel => watched[panel].ready()", panel)
            page.keyboard.press(key)
            answered = f"watched[{panel}].pictures.length && (watched[{panel}].spoken || {panel} === 0)"
            try:
                page.wait_for_function(answered, polling=50, timeout=20_000)
            except PlaywrightTimeoutError:
                continue
            measured.append(page.evaluate("panel => watched[panel].pictures[0].time - watched[panel].keys[0]", panel))
            page.wait_for_timeout(100)
    return times


def _hold(page: Page, name: str) -> SimpleNamespace:
    """Hold a key down at the slider's left end: what is seen on the way, and when the last picture comes."""
    _walk(page, name, "Home")
    panel = 1 + list(SLIDERS).index(name)
    page.evaluate("panel => watched[panel].ready(true)", panel)
    start = time.monotonic()
    for repeat in range(REPEATS):
        time.sleep(max(0, start + repeat * SPACING - time.monotonic()))
        page.keyboard.down("ArrowRight")  # down again without up is the repetition of a held key
    page.keyboard.up("ArrowRight")
    try:
        wait_until(lambda: _rests(page, name), 20)
    except AssertionError:
        won = False
    else:
        won = True
    seen = page.evaluate("panel => ({...watched[panel], now: watched[panel].now()})", panel)
    # The numbers may take more lines before than after, or the other way round: that is no collapse.
    rest = [min(pair) for pair in zip(seen["heights"], seen["now"], strict=True)]
    return SimpleNamespace(
        spacing=statistics.mean(later - earlier for earlier, later in itertools.pairwise(seen["keys"])),
        pictures=len(seen["pictures"]),
        wait=seen["pictures"][-1]["time"] - seen["keys"][-1] if seen["pictures"] else float("nan"),
        won=won,
        lowest=min(low / high for low, high in zip(seen["lowest"], rest, strict=True)),
    )


def _walk(page: Page, name: str, *keys: str) -> None:
    """Press keys on this explorer's slider, and wait for each picture."""
    for key in keys:
        page.evaluate("panel => watched[panel].ready()", 1 + list(SLIDERS).index(name))
        page.keyboard.press(key)
        wait_until(lambda: _rests(page, name), 20)


def _rests(page: Page, name: str) -> bool:
    """Whether picture and slider have said the same for half a second."""
    position, text, quiet = page.evaluate(
        "panel => [watched[panel].readout(), watched[panel].text(), watched[panel].quiet()]",
        1 + list(SLIDERS).index(name),
    )
    drawn = re.search(rf"\b{SLIDERS[name][0]} (\d+(\.\d+)?)", text)[1]
    decimals = len(position.partition(".")[2])
    return quiet > 500 and f"{float(drawn):.{decimals}f}" == position


def main() -> None:
    """Print the table."""
    presses = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    rows = measure(presses)["rows"]
    width = max(len(name) for name, _, _ in rows)
    for name, value, goal in rows:
        value = f"{value:.3g}" if isinstance(value, float) else value
        print(f"{name:<{width}} {value!s:>6}  {'' if goal is None else f'goal: {goal}'}".rstrip())


if __name__ == "__main__":
    main()
