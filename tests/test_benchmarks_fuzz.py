"""The fuzzer notices what it is there for; and a small part of its inputs, the same each time, finds nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import fuzz_child
from benchmarks.fuzz import Fuzz, figures
from benchmarks.fuzz_child import Guard, attempt
from benchmarks.fuzz_inputs import DOORS, Input, make_input
from benchmarks.fuzz_seeds import make_all
from pipeline.errors import InputError

SEED, INPUTS = 20, 120


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz").resolve() / "seeds"
    make_all(folder, vast=False)
    return folder


@pytest.fixture(scope="module")
def guard(tmp_path_factory) -> Guard:
    return Guard(tmp_path_factory.mktemp("out").resolve())  # one for all: such a hook stays until the process ends


def tried(guard: Guard, monkeypatch: pytest.MonkeyPatch, door) -> tuple[str, str]:
    monkeypatch.setitem(fuzz_child.DOORS, "names", door)
    return attempt(Input("names", Path(), ""), Path(guard.out), guard)


def raising(error: Exception):
    def door(given: Input, out: Path) -> str:
        raise error

    return door


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x is wrong; mend it"), "crash"),
        (MemoryError(), "crash"),
        (InputError(""), "no sentence"),
        (InputError("x is wrong"), "no sentence"),
        (InputError("x is wrong;\nmend it"), "no sentence"),
        (InputError(f"{'x' * 1000} is wrong; mend it"), "no sentence"),
        (InputError("x is wrong; mend it"), "refused"),
    ],
)
def test_failures_are_told_apart(guard, monkeypatch, error, kind):
    assert tried(guard, monkeypatch, raising(error))[0] == kind


@pytest.mark.parametrize(
    "act",
    [
        lambda place: place.write_text("x"),
        lambda place: place.mkdir(),
        lambda place: place.symlink_to("x"),
        lambda place: place.parent.joinpath("there").rename(place),
    ],
)
def test_what_is_done_outside_is_noticed(guard, monkeypatch, tmp_path, act):
    (tmp_path / "there").touch()

    def door(given: Input, out: Path) -> str:
        act(tmp_path / "new")
        return "read"

    assert tried(guard, monkeypatch, door)[0] == "outside"


def test_what_is_done_in_the_output_folder_is_right(guard, monkeypatch):
    def door(given: Input, out: Path) -> str:
        (out / "new").write_text("x")
        (out / "new").unlink()
        return "read"

    assert tried(guard, monkeypatch, door) == ("read", "read")


@pytest.mark.parametrize(
    ("after", "kind"), [("import time; time.sleep(60)", "hang"), ("import os; os.abort()", "dead")]
)
def test_a_process_that_hangs_or_dies_is_noticed(tmp_path, after, kind):
    code = f'print(\'{{"begin": 7, "door": "video", "about": "x"}}\', flush=True); {after}'
    fuzz = Fuzz(SEED, tmp_path, tmp_path, limit_s=2.0 if kind == "hang" else 60.0)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert fuzz._listen(child, 7, 9) == 8
        finally:
            child.kill()
    (outcome,) = fuzz.outcomes
    assert outcome.kind == kind
    assert outcome.is_finding
    assert figures(fuzz.outcomes)["video"]["findings"] == 1


def test_an_input_is_the_same_each_time(seeds, tmp_path):
    for number in range(len(DOORS)):
        made = []
        for name in ("a", "b"):
            folder = tmp_path / f"{number}{name}"
            folder.mkdir()
            given = make_input(SEED, number, seeds, folder)
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            made.append((given.about, given.text, [path.read_bytes() for path in files if path.suffix != ".parquet"]))
        assert made[0] == made[1]


def test_nothing_is_found_in_a_small_part(seeds, tmp_path):
    fuzz = Fuzz(SEED, seeds, tmp_path.resolve())
    fuzz.run(0, INPUTS)
    assert [vars(one) for one in fuzz.outcomes if one.is_finding] == []
    assert len(fuzz.outcomes) == INPUTS
    assert {one.kind for one in fuzz.outcomes} == {"read", "refused"}
    assert list(tmp_path.iterdir()) == []
