"""Loading beside: what is not there first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline import warm

ROOT = Path(__file__).resolve().parents[1]


def test_what_cannot_be_loaded_does_not_keep_the_rest(monkeypatch, tmp_path):
    (tmp_path / "broken_one.py").write_text("raise RuntimeError('no')")
    (tmp_path / "sound_one.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(warm, "LATE", ("no_such_module",))
    warm.load_beside(["broken_one", "sound_one"]).join(30)
    assert "sound_one" in sys.modules
    assert "broken_one" not in sys.modules


def test_what_is_loaded_beside_is_what_tables_need_late():
    """Else the names are out of date, and an analysis waits for them after all. PyTorch's compiler is not among it: it
    takes longer to load than all that is fitted."""
    code = (
        "import sys, numpy as np; from pipeline.warm import LATE, load_beside; import pipeline.analyse\n"
        "print([name in sys.modules for name in LATE]); load_beside().join(); seen = set(sys.modules)\n"
        "from models.transitions import _chain_class; _chain_class(); from models.scorer import Scorer\n"
        "Scorer(seed=0).fit(np.random.default_rng(0).normal(size=(80, 8)))\n"
        "print(sorted(name for name in set(sys.modules) - seen if name.startswith(('sklearn', 'scipy'))))\n"
        "print('torch' in seen, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines() == ["[False, False]", "[]", "True False"], done.stderr
