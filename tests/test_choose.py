"""qlib.choose: each combination of inputs gets a recommendation that keeps to them; figures are rows of results."""

import itertools
import json
import re

import nbformat
import pytest
from baseline import NOTEBOOKS
from hypothesis import given
from hypothesis import strategies as st

from qlib.choose import DATA, DEVICES, TECHNIQUES, measured, measured_on, recommend
from qlib.frontier import collect
from qlib.results import RESULTS

BUDGETS = (1, 1_079, 1_080, 5_000, 10_000, 20_000, 60_000, 120_000, 235_000, 240_000, 500_000, 2_000_000)
LOSSES = (0.0, 0.001, 0.005, 0.02, 0.2)
ALL = list(itertools.product(DEVICES, BUDGETS, DATA, (False, True), LOSSES))
REFERENCE = 0.9882  # 9,882 of 10,000: lesson 04, section 3


def ask(device, budget, data, training, max_loss):
    return recommend(device=device, budget=budget, data=data, training=training, max_loss=max_loss)


def rows(lesson, method):
    """The rows of a method, read from the file itself."""
    text = (RESULTS / f"{lesson}.json").read_text(encoding="utf-8")
    return [row for row in json.loads(text)["results"] if row["method"] == method]


def test_every_combination_keeps_to_what_was_asked():
    for device, budget, data, training, max_loss in ALL:
        for step in ask(device, budget, data, training, max_loss).steps:
            technique = step.technique
            assert device in technique.devices
            assert step.bytes <= budget
            assert REFERENCE - step.accuracy <= max_loss + 1e-9
            assert training or not technique.training
            assert technique.data == "none" or data == DATA[2] or (technique.data == DATA[1] and data == DATA[1])


def test_every_combination_gets_an_answer():
    """Steps, or what would have to give way; and each technique is a candidate or ruled out with a reason."""
    for case in ALL:
        advice = ask(*case)
        assert bool(advice.steps) != bool(advice.instead)
        on_device = set(measured_on(case[0]))
        assert all(step.technique.name not in advice.ruled_out for step in advice.steps)
        assert set(advice.ruled_out) >= {t.name for t in TECHNIQUES} - on_device
        assert all(len(why) > 8 for why in advice.ruled_out.values())


def test_what_fits_is_never_kept_back():
    """No step only if no technique passes; worked out again, from the rows, without the code under test."""
    for device, budget, data, training, max_loss in ALL:
        fits = False
        for t in TECHNIQUES:
            found = rows_of[t.name]
            size = sum(row["gzip" if device == "browser" else "bytes"] for row in found) / len(found)
            right = sum(row["right"] for row in found) / len(found) / 10_000
            able = DATA.index(t.data) <= DATA.index(data) and (training or not t.training) and device in t.devices
            fits |= able and round(size) <= budget and REFERENCE - right <= max_loss + 1e-9
        assert bool(ask(device, budget, data, training, max_loss).steps) == fits


rows_of = {t.name: rows(t.lesson, t.method) for t in TECHNIQUES}


def test_the_first_step_is_the_least_work_and_each_next_one_is_worth_its_own():
    """Smaller by a tenth, or smaller and more accurate by what 10,000 images can show."""
    order = [t.name for t in TECHNIQUES]
    for case in ALL:
        advice = ask(*case)
        places = [order.index(step.technique.name) for step in advice.steps]
        sizes = [step.bytes for step in advice.steps]
        assert places == sorted(places) and sizes == sorted(set(sizes), reverse=True)
        able = [n for n in measured_on(case[0]) if n not in advice.ruled_out]
        assert [step.technique.name for step in advice.steps[:1]] == able[:1]
        for before, step in itertools.pairwise(advice.steps):
            assert step.bytes <= 0.9 * before.bytes or step.accuracy - before.accuracy >= 0.003
        if able:  # no more than a tenth is left to save after the last step
            assert 0.9 * advice.steps[-1].bytes <= min(measured_on(case[0])[n].bytes for n in able)


@given(st.sampled_from(ALL), st.sampled_from(BUDGETS), st.sampled_from(LOSSES))
def test_more_of_anything_never_takes_the_answer_away(case, budget, loss):
    device, least, data, training, max_loss = case
    if ask(*case).steps:
        assert ask(device, max(least, budget), data, training, max_loss).steps
        assert ask(device, least, data, training, max(max_loss, loss)).steps
        assert ask(device, least, DATA[2], True, max_loss).steps


def test_what_would_have_to_give_way_suffices():
    """Each change that is named is enough: asked for again with it, there is a step."""
    for device, budget, data, training, max_loss in ALL:
        for way in ask(device, budget, data, training, max_loss).instead:
            if found := re.match(r"a budget of ([\d,]+) bytes", way):
                changed = (device, int(found[1].replace(",", "")), data, training, max_loss)
            elif found := re.match(r"a loss of ([\d.]+) points", way):
                changed = (device, budget, data, training, float(found[1]) / 100 + 5e-5)
            elif way.startswith("time to train"):
                changed = (device, budget, data, True, max_loss)
            else:
                assert way.startswith((DATA[1], f"a {DATA[2]}"))
                changed = (device, budget, DATA[1] if way.startswith(DATA[1]) else DATA[2], training, max_loss)
            assert ask(*changed).steps, way


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_the_figures_are_those_of_the_rows(technique):
    found = rows(technique.lesson, technique.method)
    step = measured()[technique.name]
    assert found and step.bytes == round(sum(row["bytes"] for row in found) / len(found))
    assert step.accuracy == pytest.approx(sum(row["right"] for row in found) / len(found) / 10_000)
    assert f"{step.bytes:,} bytes" in step.reason and technique.where in step.reason


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_the_section_that_explains_it_is_there(technique):
    lesson, section = re.fullmatch(r"lesson (\w+), section (\d+)", technique.where).groups()
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    assert f"## {section}. " in path.read_text(encoding="utf-8")
    assert technique.data in DATA and set(technique.devices) <= set(DEVICES)
    assert technique.why.endswith(".") and not re.search(r"\d{3}", technique.why)  # figures come from the rows


def test_the_techniques_are_told_apart_by_name_and_row():
    assert len({t.name for t in TECHNIQUES}) == len({(t.lesson, t.method) for t in TECHNIQUES}) == len(TECHNIQUES)
    assert all(any(device in t.devices for t in TECHNIQUES) for device in DEVICES)


def test_no_step_saves_a_little_for_much():
    """Half the filters: 2 % fewer bytes than int8, for 4.72 points. QAT: 1 % fewer than training on, no gain."""
    chip = dict(device="microcontroller", max_loss=0.05)
    one = recommend(budget=240_000, data="images without labels", training=False, **chip)
    assert [step.technique.method for step in one.steps] == ["int8"]
    most = recommend(budget=240_000, data="labelled training set", training=True, **chip)
    methods = [step.technique.method for step in most.steps]
    assert methods[:2] == ["int8", "control, 1 stage"] and "QAT" not in methods
    none = recommend(budget=100_000, data="images without labels", training=False, **chip)
    assert none.instead[0] == "a budget of 236,120 bytes (int8, calibrated (LiteRT))"


def test_by_hand():
    """The three of the lesson: a chip of 256 KiB flash, and less and less at hand."""
    chip = dict(device="microcontroller", budget=262_144, max_loss=0.005)
    assert recommend(data="none", training=False, **chip).steps == ()
    one = recommend(data="images without labels", training=False, **chip)
    assert [step.technique.method for step in one.steps] == ["int8"]
    most = recommend(data="labelled training set", training=True, **chip)
    assert most.steps[0].technique.method == "int8" and most.steps[-1].technique.method == "tiny, 3 bits"
    assert most.ruled_out["Deep Compression"] == "not for a microcontroller"
    assert one.ruled_out["a tiny network in 3 bits"] == "needs a labelled training set"


def test_a_browser_downloads_what_gzip_makes_of_a_file():
    for name, step in measured_on("browser").items():
        found = rows_of[name]
        assert step.bytes == round(sum(row["gzip"] for row in found) / len(found))


@pytest.mark.parametrize(
    "change, says",
    [
        (
            dict(device="toaster"),
            "device: expected one of ['phone', 'microcontroller', 'server', 'browser'], got 'toaster'",
        ),
        (dict(data="labels"), "data: expected one of ['none', 'images without labels', 'labelled training set'], got"),
        (dict(budget=0), "budget: expected"),
        (dict(budget=1.5), "budget: expected"),
        (dict(training=1), "training: expected True or False, got 1"),
        (dict(max_loss=-0.1), "max_loss: expected a share from 0 to 1, got -0.1"),
        (dict(max_loss=5), "max_loss: expected a share from 0 to 1, got 5"),
        (dict(max_loss=True), "max_loss: expected a share from 0 to 1, got True"),
        (dict(max_loss=float("nan")), "max_loss: expected a share from 0 to 1, got nan"),
    ],
)
def test_bad_arguments_are_refused(change, says):
    good = dict(device="phone", budget=1000, data="none", training=False, max_loss=0.01)
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        recommend(**good | change)


# ------------------------------------------------------------------- the glossary of lesson 08


def glossary():
    notebook = nbformat.read(NOTEBOOKS / "08_faq.ipynb", as_version=4)
    (text,) = (cell.source for cell in notebook.cells if cell.id == "glossary")
    return re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| \[(\w+)\]\((\w+)\.ipynb\), (\d+) \|$", text, re.M)


def test_the_glossary_is_in_order_and_has_both_languages():
    terms = [row[0] for row in glossary()]
    assert len(terms) >= 50 and len(set(terms)) == len(terms)
    assert terms == sorted(terms, key=str.casefold)
    assert all(re.search(r"[\u4e00-\u9fff]", row[1]) for row in glossary())


def test_each_term_leads_to_a_section_that_is_there():
    for term, _, _, lesson, stem, section in glossary():
        assert stem.startswith(f"{lesson}_"), term
        assert f"## {section}. " in (NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"), term


def test_each_time_is_that_of_the_frontier():
    """`collect` reads the same rows by itself."""
    times = {(point.lesson, point.method): point.time for point in collect()}
    for step in measured().values():
        assert step.time == times[step.technique.lesson.partition("-")[0], step.technique.method]
    assert measured()["a tiny network in 3 bits"].time is not None
