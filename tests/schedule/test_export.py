"""What is exported is what the other scheduler reads, as its own parser says; and nothing of a path is code in it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core import UTC, DeclarationError
from noria.declarations import Schedule
from noria.schedule import TARGETS, export, times_after
from noria.schedule.fields import fields_of

GOLDEN = Path(__file__).parent / "golden"
BERLIN = Schedule("0 6 * * 1-5", zone="Europe/Berlin")
NASTY = [
    "/a b/p.py", "/a'b/p.py", '/a"b/p.py', "/$(touch hit)/p.py", "/`touch hit`/p.py", "/a%b%%c/p.py",
    "/a\\b/p.py", "/{{ 7*7 }}/{% x %}.py", "/${{ github.token }}/p.py", "/$HOME/$$/${HOME}/p.py",
    "/ü/日本/😀\x85\u2028/p.py", "/a;touch hit/p.py",
    "/a#b/ #c/p.py", "/a: b/- c/p.py", "/'''\"\"\"/p.py", "/%h/%n/p.py", "/~/*/p.py", "/a|b&c/p.py",
]  # fmt: skip


def exported(to, place="/srv/flights/project.py", schedule=BERLIN, **given):
    program = given.pop("program", ["/opt/noria/bin/noria"])
    return export(schedule, "flights", to, program=program, place=place, image="registry.test/flights:1", **given)


@pytest.mark.parametrize("to", TARGETS)
def test_the_files_are_these(to):
    for file in exported(to, environment={"NORIA_WORKSPACE": "/var/lib/flights"}):
        path = GOLDEN / f"{file.name}.golden"
        if os.environ.get("WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
        assert file.text == path.read_text(encoding="utf-8")


@pytest.fixture
def tools(tmp_path):
    """A folder with a program that writes down its arguments."""
    program = tmp_path / "bin" / "noria"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"open({str(tmp_path / 'called')!r}, 'w').write(json.dumps([sys.argv[1:], os.environ.get('PROJECT', '')]))\n"
    )
    program.chmod(0o755)
    return tmp_path


def called(folder):
    return json.loads((folder / "called").read_text())


@pytest.mark.parametrize("place", NASTY)
def test_cron_runs_the_very_words(tools, place):
    [file] = exported("cron", place, program=[str(tools / "bin" / "noria")])
    line = file.text.split("\n")[2]
    assert line.startswith("0 6 * * 1-5 ")
    command = line.split(maxsplit=5)[5]
    assert not re.search(r"(?<!\\)%", command)  # cron makes a line break of it
    subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], check=True, cwd=tools)
    assert called(tools)[0] == ["schedule", "run", "--once", place]
    assert not (tools / "hit").exists()


@pytest.mark.parametrize("place", NASTY)
def test_airflow_runs_the_very_words(place):
    [file] = exported("airflow", place, environment={"NORIA_WORKSPACE": place})
    compile(file.text, file.name, "exec")
    [words] = [
        node.value for node in ast.walk(ast.parse(file.text))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "words"
    ]  # fmt: skip
    assert ast.literal_eval(words) == ["/opt/noria/bin/noria", "schedule", "run", "--once", place]


def expanded(text):
    """As Kubernetes puts variables into commands: none is left to put in."""
    assert not re.sub(r"\$\$", "", text).count("$")
    return text.replace("$$", "$")


@pytest.mark.parametrize("place", NASTY)
def test_kubernetes_runs_the_very_words(place):
    [file] = exported("kubernetes", place)
    form = yaml.safe_load(file.text)
    assert form["spec"]["timeZone"] == "Europe/Berlin"
    [container] = form["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert [expanded(word) for word in container["command"]][-1] == place
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", form["metadata"]["name"])


@pytest.mark.parametrize("place", NASTY)
def test_github_runs_the_very_words(tools, place):
    [file] = exported("github", place)
    form = yaml.safe_load(file.text)
    assert form[True]["schedule"] == [{"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}]
    job = form["jobs"]["noria"]
    # GitHub's own step: expressions become values.
    project = re.sub(r"\$\{\{ '(\$\{\{)' \}\}", r"\1", job["env"]["PROJECT"])
    assert project == place
    assert "${{" not in job["env"]["PROJECT"].replace("${{ '${{' }}", "")
    [step] = [step["run"] for step in job["steps"] if "noria schedule" in step.get("run", "")]
    environment = {"PATH": f"{tools / 'bin'}:{os.environ['PATH']}", "PROJECT": project}
    subprocess.run(["/bin/bash", "-e", "-c", step], check=True, cwd=tools, env=environment)
    assert called(tools) == [["schedule", "run", "--once", place], place]
    assert not (tools / "hit").exists()


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not os.environ.get("CI"), reason="systemd-analyze is not installed"
)


@needs_systemd
def test_systemd_takes_the_units(tmp_path):
    program = tmp_path / "noria"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for n, place in enumerate(NASTY):
        for file in exported("systemd", place, program=[str(program)], environment={"NORIA_WORKSPACE": place}):
            (tmp_path / f"noria-{n}{Path(file.name).suffix}").write_text(file.text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, tmp_path.glob("*.*"))],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "noria-" in line]
    assert complaints == []


@needs_systemd
@pytest.mark.parametrize(
    "cron",
    ["0 6 * * 1-5", "*/5 * * * *", "0 0 13 * 5", "0 0 L * *", "0 0 LW * *", "15 3 * * MON#1", "0 0 * * 5L",
     "0 0 29 2 *", "5,10 */3 1-7 1,6 *", "0 0 */2 * MON", "0 12 1 * 0-6", "59 23 31 12 7"],
)  # fmt: skip
def test_systemd_wakes_at_every_due_time(cron):
    schedule = Schedule(cron)
    start = datetime(2025, 1, 30, tzinfo=UTC)
    due = list(islice(times_after(schedule, start), 6))
    woken = set()
    [_, timer] = exported("systemd", schedule=schedule)
    for line in timer.text.splitlines():
        if line.startswith("OnCalendar="):
            expression = line.partition("=")[2]
            words = ["systemd-analyze", "calendar", "--iterations=300", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC"]
            told = subprocess.run([*words, expression], capture_output=True, text=True, check=True).stdout
            woken |= {
                datetime.strptime(time, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                for time in re.findall(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", told)
            }
    assert set(due) <= woken


needs_crontab = pytest.mark.skipif(
    shutil.which("crontab") is None and not os.environ.get("CI"), reason="cron is not installed"
)


@needs_crontab
@pytest.mark.parametrize("place", NASTY)
def test_cron_takes_the_table(tmp_path, place):
    [file] = exported("cron", place)
    (tmp_path / "crontab").write_text(file.text)
    done = subprocess.run(["crontab", "-n", tmp_path / "crontab"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@given(
    st.tuples(
        st.sampled_from(["0", "*/20", "7,8"]),
        st.sampled_from(["*", "3", "*/7"]),
        st.sampled_from(["*", "*/2", "L", "LW", "1-31", "9,30"]),
        st.sampled_from(["*", "2-4"]),
        st.sampled_from(["*", "0-7", "MON#5", "6L", "7", "*/3", "1-5"]),
    )
)
@settings(max_examples=60, deadline=None)
def test_the_numbers_hold_every_due_time(fields):
    schedule = Schedule(" ".join(fields))
    start = datetime(2025, 2, 1, tzinfo=UTC)
    due = list(islice(times_after(schedule, start), 8))
    wide = fields_of(schedule).cron
    assert re.fullmatch(r"[0-9,* -]+", wide)
    # Other schedulers read a restricted day and a restricted weekday as "or", whatever stars stand before.
    woken = set(takewhile(lambda time: time <= due[-1] + timedelta(1), times_after(Schedule(wide), start)))
    assert set(due) <= woken


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("place", ["/a\nb", "/a\rb", "/a\0b", "/a\x1bb", "/\udcff", "/a\x7f"])
def test_what_no_file_can_hold_is_refused(to, place):
    with pytest.raises(DeclarationError, match="no scheduler's file can hold"):
        exported(to, place)
    with pytest.raises(DeclarationError, match="no scheduler's file can hold"):
        exported(to, environment={"NORIA_WORKSPACE": place})


def test_what_a_scheduler_cannot_do_is_refused():
    with pytest.raises(DeclarationError, match="five minutes"):
        exported("github", schedule=Schedule("* * * * *"))
    with pytest.raises(DeclarationError, match="runs images"):
        export(BERLIN, "p", "kubernetes", program=["noria"], place="/p")
    with pytest.raises(DeclarationError, match="no such scheduler") as caught:
        exported("luigi")
    assert caught.value.mend == "one of cron, systemd, airflow, kubernetes, github"


def test_nobody_is_woken_at_start_up_where_nothing_is_caught_up():
    never = Schedule("0 6 * * *", catch_up="none")
    assert "@reboot" not in exported("cron", schedule=never)[0].text
    assert "Persistent=false" in exported("systemd", schedule=never)[1].text
    assert "@reboot" in exported("cron")[0].text


def test_long_and_odd_names_become_names_there():
    for name in ("A_b-C", "x" * 200, "a-", "A_"):
        [file] = export(BERLIN, name, "kubernetes", program=["noria"], place="/p", image="i")
        found = yaml.safe_load(file.text)["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", found)
