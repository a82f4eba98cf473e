"""requirements.lock against pyproject.toml, and how what pip-audit reports is judged."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest brings it
    import tomli as tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)(?:\[[a-z,-]+\])?==(\S+)", LOCK, re.MULTILINE))
AUDIT = runpy.run_path(str(ROOT / ".ci/audit.py"))


def needed() -> list[Requirement]:
    """Every requirement of the project and its extras, without the extras of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in project["optional-dependencies"].values() for text in extra)]
    return [one for one in map(Requirement, texts) if one.name != project["name"]]


def test_the_requirements_are_found() -> None:
    names = {one.name for one in needed()}
    assert {"torch", "av", "altair", "ray", "psycopg", "pytest", "types-PyYAML"} <= names


@pytest.mark.parametrize("requirement", needed(), ids=str)
def test_every_requirement_is_locked_at_a_version_that_fits(requirement: Requirement) -> None:
    version = PINS.get(canonicalize_name(requirement.name))
    assert version is not None, "run: make lock"
    assert requirement.specifier.contains(version), f"{version} is locked; run: make lock"


def test_every_package_is_pinned_with_a_sha256() -> None:
    lines = [line for line in LOCK.splitlines() if line and not line.startswith("#")]
    heads = [line for line in lines if not line.startswith("    --hash=sha256:")]
    assert len(heads) == len(PINS) > 100
    assert all(line.endswith("\\") for line in heads)
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line not in heads)


def test_the_lock_names_no_machine() -> None:
    assert not re.search(r"https?:|file:|index-url|find-links| @ ", LOCK)


def vulnerable(**more: object) -> dict[str, object]:
    return {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"], "aliases": []} | more]}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([], 0, "skipped"),
        ([{"name": "x", "skip_reason": "not found"}], 0, "nothing on any of the 1 packages"),
        ([{"name": "x", "version": "1", "vulns": []}], 0, "1 packages have no known vulnerability"),
        (
            [{"name": "x", "version": "1", "vulns": []}, {"name": "y", "skip_reason": ""}],
            0,
            "nothing is known of 1 more",
        ),
        ([vulnerable()], 1, "x 1: CVE-1 (fixed in: 2)"),
        ([vulnerable(fix_versions=[])], 1, "none yet"),
    ],
)
def test_what_an_audit_says(packages, code, words) -> None:  # type: ignore[no-untyped-def]
    said, exit_code = AUDIT["said"]({"dependencies": packages})
    assert words in said
    assert exit_code == code


def test_what_is_ignored_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(AUDIT["IGNORED"].values())
    monkeypatch.setitem(AUDIT["IGNORED"], "GHSA-1", "we never call it")
    assert AUDIT["said"]({"dependencies": [vulnerable(aliases=["GHSA-1"])]})[1] == 0
