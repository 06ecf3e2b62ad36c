"""One list of versions: constraints.txt pins everything, and every way to install uses it."""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]


def pins_here() -> dict[str, str]:
    """The pinned version of each project, for this system and this Python."""
    here = [pin for pin in CONSTRAINTS if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in here}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = [line for group in [PROJECT["dependencies"], *extras.values()] for line in group]
    return [Requirement(line) for line in lines if not line.startswith("qlib[")]  # one extra includes another


def test_constraints_pin_exact_versions_and_no_address():
    assert all(re.fullmatch(r"==[^*,+]+", str(pin.specifier)) and pin.url is None for pin in CONSTRAINTS)
    assert len(pins_here()) > 100


def test_every_direct_requirement_has_a_pin_inside_its_range():
    for requirement in requirements():
        pinned = pins_here()[canonicalize_name(requirement.name)].removeprefix("==")
        assert requirement.specifier.contains(pinned), requirement


def test_pins_cover_the_three_systems():
    """What only one system needs carries a marker; nothing else may depend on where `make pins` ran."""
    for system in ("win32", "darwin", "linux"):
        environment = {"sys_platform": system, "os_name": "nt" if system == "win32" else "posix"}
        pinned = {
            canonicalize_name(pin.name) for pin in CONSTRAINTS if pin.marker is None or pin.marker.evaluate(environment)
        }
        assert {canonicalize_name(requirement.name) for requirement in requirements()} <= pinned
        assert ("pywinpty" in pinned) == (system == "win32") and ("appnope" in pinned) == (system == "darwin")


def test_what_is_installed_is_what_is_pinned():
    tools = {"pip", "setuptools", "uv", "qlib", "wheel"}  # bring the rest here; not part of the workbook
    pins = pins_here()
    for distribution in distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name in pins and name not in tools:
            # contains, because a build may add a local label that no pin can ask for: torch 2.13.0+cpu is 2.13.0
            assert SpecifierSet(pins[name]).contains(distribution.version, prereleases=True), name
    installed = {canonicalize_name(distribution.metadata["Name"]) for distribution in distributions()}
    assert {canonicalize_name(requirement.name) for requirement in requirements()} <= installed


def test_conda_installs_the_same_pins():
    lines = [line.strip() for line in (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[lines.index("- pip:") :] == ["- pip:", "- -c constraints.txt", "- -e ."]
    (python,) = [line.removeprefix("- python=") for line in lines if line.startswith("- python=")]
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python)
    conda = [line for line in lines[: lines.index("- pip:")] if line.startswith("- ")]
    assert conda == ["- conda-forge", f"- python={python}", "- pip"]  # no second list of versions


def test_make_installs_the_same_pins():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if "pip install" in line and "uv" not in line]
    assert len(installs) == 4 and all("-c constraints.txt" in line for line in installs)


def test_readme_names_every_lesson():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for lesson in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"(notebooks/{lesson.name})" in readme
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target
