"""The Python that a peer runs in: ours, or a virtual environment of its own where its pins clash with ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent / "build" / "benchmarks"


def python_with(*requirements: str) -> Path:
    """The interpreter of a virtual environment with these requirements; made once, under ``build/``."""
    name = hashlib.blake2b("\n".join(sorted(requirements)).encode(), digest_size=6).hexdigest()
    folder = ROOT / name
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {', '.join(requirements)}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        ready.touch()
    return python
