"""The one OpenVINO of a process: made once, and signals survive networks that are gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_it_is_always_the_same() -> None:
    from models.openvino_core import openvino_core

    assert openvino_core() is openvino_core()


def test_a_signal_is_heard_after_networks_have_come_and_gone() -> None:
    """Each OpenVINO puts the stack for signals back that was there before it, whether or not that one still is."""
    code = """
import gc, os, signal
from models.body import BodyModel

models = [BodyModel() for _ in range(4)]
while models:
    del models[0]  # the oldest first: what was there before the next one is gone by then
    gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("heard", flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.stdout, done.returncode) == ("heard\n", 0), done.stderr


def test_threads_may_begin_at_the_same_moment() -> None:
    """The binding's first array is a lock that waits for Python's: two threads with it stood for ever, every time."""
    code = """
import os, sys, threading
from models.openvino_core import openvino_core

openvino_core()
import openvino

sys.setswitchinterval(1e-6)
gate = threading.Barrier(8)
threads = [threading.Thread(target=lambda: (gate.wait(), openvino.Type.f32.to_dtype())) for _ in range(8)]
for one in threads:
    one.start()
for one in threads:
    one.join()
print("all went on", flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.stdout, done.returncode) == ("all went on\n", 0), done.stderr
