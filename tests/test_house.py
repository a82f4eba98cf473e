"""The rules of the house (docs/architecture.md): who may import whom, and what is written once only."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LONGEST

from models.states import UNSEEN, State

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "models": (),
    "consent": (),
    "pipeline": ("models", "consent"),
    "reports": ("models.states", "pipeline.session"),
    "dashboard": ("models", "consent", "pipeline", "reports"),
}
"""What each room may import of this project besides itself; libraries are free."""

OURS = {*MAY_IMPORT, "engage", "tests", "benchmarks", "demo"}
HEAVY = ("torch", "torchvision", "ultralytics", "mediapipe", "streamlit", "cv2", "ray", "pandas")
STATE_NAMES = {*(state.value for state in State), UNSEEN}
STATE_LITERALS = STATE_NAMES | {f"p_{name}" for name in STATE_NAMES}


def imported(source: str, module: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything the module of that dotted name imports, by statement or by call."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = [*base, node.module] if node.module else base
            yield from ((node.lineno, ".".join([*origin, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            argument = node.args[0]
            if called in ("import_module", "__import__") and isinstance(argument, ast.Constant):
                yield node.lineno, str(argument.value)


def wrong_imports(source: str, module: str) -> list[str]:
    """The imports of ``module`` that the table does not allow, as ``line: name``."""
    room = module.partition(".")[0]
    allowed = (room, *MAY_IMPORT[room])
    return [
        f"{line}: {name}"
        for line, name in imported(source, module)
        if name.partition(".")[0] in OURS and not any(f"{name}.".startswith(f"{ours}.") for ours in allowed)
    ]


def spelled_states(source: str) -> list[str]:
    """String literals that are the name of a state or of its probability column; docstrings do not count."""
    tree = ast.parse(source)
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # docstrings, of modules, functions and constants alike
    return [
        f"{node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in STATE_LITERALS and id(node) not in prose
    ]


def house_modules() -> list[Path]:
    return sorted(path.relative_to(ROOT) for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


# the checkers themselves


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.states", "import pipeline"),
        ("models.states", "from pipeline.session import Session"),
        ("models.states", "from pipeline import session as s"),
        ("models.states", "from .. import consent"),
        ("models.nets.vae", "from ...consent import policy"),
        ("models.states", "def f():\n    import reports.formula"),
        ("models.states", "if TYPE_CHECKING:\n    from dashboard import app"),
        ("models.states", "import importlib; importlib.import_module('pipeline.video')"),
        ("models.states", "__import__('consent')"),
        ("consent.policy", "import models.states"),
        ("pipeline.run", "import reports"),
        ("pipeline.run", "import numpy, dashboard.app"),
        ("reports.formula", "import pipeline"),
        ("reports.formula", "from pipeline import *"),
        ("reports.formula", "from pipeline import video"),
        ("reports.formula", "from pipeline.session_writer import x"),
        ("reports.formula", "from models import registry"),
        ("dashboard.app", "import engage"),
        ("dashboard.app", "from tests import helpers"),
        ("dashboard.app", "from engage import app"),
    ],
)
def test_a_wrong_import_is_found(module: str, source: str) -> None:
    assert len(wrong_imports(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.states", ""),
        ("models.states", "from enum import Enum\nimport torch, models.errors\nfrom . import errors"),
        ("models.nets.vae", "from ..errors import ModelFileError"),
        ("models.states", "import pipelines\nfrom demography import x"),
        ("pipeline.run", "from models import registry\nfrom consent.policy import Policy"),
        ("reports.formula", "from pipeline.session import Session\nfrom models.states import State, UNSEEN"),
        (
            "reports.formula",
            "from pipeline import session\nfrom models import states\nimport pipeline.session",
        ),
        ("dashboard.app", "import consent, models, pipeline.run, reports.formula"),
        ("dashboard.app", "print('import engage')"),
    ],
)
def test_a_right_import_is_let_pass(module: str, source: str) -> None:
    assert wrong_imports(source, module) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("", 0),
        ('"""attentive"""', 0),
        ('X = 1\n"""unseen"""', 0),
        ("def f():\n    'bored'", 0),
        ("'bored and attentive'.split()", 0),
        ("x = 'bored'", 1),
        ("if state == 'unseen': pass", 1),
        ("{'taking_notes': 1, 'p_discussing': 2}", 2),
        ("state = State.BORED", 0),
    ],
)
def test_a_spelled_state_is_found(source: str, count: int) -> None:
    assert len(spelled_states(source)) == count


# the house


def test_every_room_is_looked_at() -> None:
    assert {path.parts[0] for path in house_modules()} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", house_modules(), ids=str)
def test_imports_point_down(path: Path) -> None:
    assert wrong_imports((ROOT / path).read_text(encoding="utf-8"), dotted(path)) == []


@pytest.mark.parametrize("path", [p for p in house_modules() if p != Path("models/states.py")], ids=str)
def test_states_are_spelled_in_one_place(path: Path) -> None:
    """Write ``State.BORED`` or ``UNSEEN``: a name spelled twice is a name that can drift."""
    assert spelled_states((ROOT / path).read_text(encoding="utf-8")) == []


def test_one_module_imports_mediapipe() -> None:
    importers = [
        path.as_posix()
        for path in [*house_modules(), Path("engage.py")]
        for _, name in imported((ROOT / path).read_text(encoding="utf-8"), dotted(path))
        if name.partition(".")[0] == "mediapipe"
    ]
    assert set(importers) == {"pipeline/faces.py"}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "import engage\n"
        "try:\n"
        "    engage.app(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('HEAVY', *sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY"


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / f"test_{name}.py").is_file()] == []
