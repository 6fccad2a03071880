import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

FAKE = Path(__file__).parent.parent / "run"
CODE = """
import sys, contextlib
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from fake_life import PROJECT, graph, workspace_in
from noria.cli.progress import progress_of
from noria.ledger import open_ledger
from noria.plan import plan_steps
from noria.run import execute
workspace = workspace_in(Path(sys.argv[2]))
with contextlib.closing(open_ledger(workspace.ledger)) as ledger:
    plan = plan_steps(PROJECT, graph(1, 0.3), workspace, ledger)
    with progress_of(plan) as progress:
        execute(plan, workspace, ledger, progress=progress)
"""


def shown(folder, *, terminal, **environment):
    """What a run shows on standard error."""
    command = [sys.executable, "-c", CODE, str(FAKE), str(folder)]
    given = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | environment
    if not terminal:
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True, env=given).stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stderr=theirs, env=given) as process:
        os.close(theirs)
        data = b""
        try:
            while part := os.read(ours, 65536):
                data += part
        except OSError:  # the terminal is gone with its last process
            pass
    os.close(ours)
    assert process.returncode == 0
    return data.decode()


@pytest.mark.parametrize(
    ("terminal", "environment"), [(False, {}), (True, {"NO_COLOR": "1"}), (True, {"TERM": "dumb"})]
)
def test_plain_lines_without_a_terminal_or_colour(tmp_path, terminal, environment):
    text = shown(tmp_path, terminal=terminal, **environment)
    assert "\x1b" not in text
    lines = text.replace("\r", "").splitlines()
    assert lines[0].startswith("a started: first run")
    assert [line for line in lines if line.startswith("[6/6] f finished: ")]


def test_a_live_table_on_a_terminal(tmp_path):
    text = shown(tmp_path, terminal=True)
    assert "\x1b[" in text
    assert "4 waiting" in text
    assert "✓" in text
