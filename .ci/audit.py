"""Look the packages of requirements.lock up among known vulnerabilities, with pip-audit in an environment of its own.

The exit code is 1 where one is known that is not in ``IGNORED``. Where the data cannot be reached the reason is said
and the exit code is 0: a machine without a network can still run everything else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
IGNORED: dict[str, str] = {}
"""Id of a vulnerability -> why it does not reach this software; look at each again when the lock is renewed."""


def judged(report: dict[str, Any]) -> tuple[list[str], int, int]:
    """(one line for each vulnerability, packages looked up, packages of which nothing is known) of pip-audit's JSON."""
    lines, skipped = [], 0
    packages = report["dependencies"]
    for package in packages:
        if "skip_reason" in package:
            skipped += 1
        for one in package.get("vulns", ()):
            if not IGNORED.keys() & {one["id"], *one.get("aliases", ())}:
                better = ", ".join(one.get("fix_versions") or ["none yet"])
                lines.append(f"{package['name']} {package['version']}: {one['id']} (fixed in: {better})")
    return lines, len(packages) - skipped, skipped


def said(report: dict[str, Any]) -> tuple[str, int]:
    """What to print, and the exit code."""
    lines, known, unknown = judged(report)
    if lines:
        return "\n".join(["audit: known vulnerabilities; raise the version and renew requirements.lock:", *lines]), 1
    if not known:
        return f"audit: skipped: the data on vulnerabilities has nothing on any of the {unknown} packages here", 0
    rest = f"; nothing is known of {unknown} more" if unknown else ""
    return f"audit: {known} packages have no known vulnerability{rest}", 0


def main() -> int:
    """Run pip-audit and say what it found, or why it could not."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pip-audit>=2.7"]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            print("audit: skipped: pip-audit cannot be installed here")
            return 0
        command = [python, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        print(f"audit: skipped: the data on vulnerabilities cannot be reached ({last[:200]})")
        return 0
    words, code = said(report)
    print(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
