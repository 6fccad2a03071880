"""Export: a schedule as the files of other schedulers.

All of them call ``noria schedule run --once``, which asks the ledger what is due: catching up, jitter, overlap and the
hours that come twice or never are Noria's own, whatever the scheduler makes of them. Nothing of a path is ever code in
these files.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from noria.core import DeclarationError
from noria.declarations import Schedule
from noria.schedule.fields import Fields, fields_of, listed, shortest_pause

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_GITHUB_PAUSE = timedelta(minutes=5)
_LONGEST_NAME = 46
"""Letters of a name: Kubernetes takes 52, and ``noria-`` stands before it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file for another scheduler.

    Attributes
    ----------
    name : str
        As it is best called.
    text : str
        What stands in it.
    note : str
        What its user has to know.
    """

    name: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    """What is exported."""

    schedule: Schedule
    fields: Fields
    project: str
    program: Sequence[str]
    place: str
    environment: Mapping[str, str]
    image: str

    @property
    def name(self) -> str:
        return "noria-" + re.sub(r"[^a-z0-9-]+", "-", self.project.lower())[:_LONGEST_NAME].strip("-")

    @property
    def words(self) -> list[str]:
        return [*self.program, "schedule", "run", "--once", self.place]

    @property
    def about(self) -> str:
        return f"{self.project}, {self.schedule.cron} {self.schedule.zone}, by noria schedule export"


def export(
    schedule: Schedule,
    project: str,
    to: str,
    *,
    program: Sequence[str],
    place: str,
    environment: Mapping[str, str] | None = None,
    image: str = "",
) -> tuple[File, ...]:
    """The files that let another scheduler follow a schedule.

    Parameters
    ----------
    schedule : Schedule
        What is declared.
    project : str
        Its project's name.
    to : str
        One of `TARGETS`.
    program : sequence of str
        What starts ``noria`` there.
    place : str
        The project's file or folder there.
    environment : mapping of str to str, optional
        Variables that it needs there.
    image : str
        The container image that holds Noria and the project, for Kubernetes.

    Raises
    ------
    DeclarationError
        The scheduler cannot do this, or no file of it can hold such a path.
    """
    if to not in TARGETS:
        raise DeclarationError("no such scheduler", value=to, mend="one of " + ", ".join(TARGETS))
    for text in (*program, place, image, *(environment or {}).values()):
        if any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
            mend = "rename what has a line break or the like in its name"
            raise DeclarationError("no scheduler's file can hold this", value=repr(text), mend=mend)
    job = _Job(schedule, fields_of(schedule), project, program, place, environment or {}, image)
    return TARGETS[to](job)


def _cron(job: _Job) -> tuple[File, ...]:
    variables = [f"{name}={value}" for name, value in job.environment.items()]
    command = shlex.join([*(["env", *variables] if variables else []), *job.words]).replace("%", "\\%")
    lines = [f"# {job.about}", f"CRON_TZ={job.schedule.zone}", f"{job.fields.cron} {command}"]
    if job.schedule.catch_up != "none":
        lines.append(f"@reboot {command}")
    note = "add it to a crontab of its own user; a cron that does not know CRON_TZ (Debian's) goes by its own zone"
    return (File(f"{job.name}.crontab", "\n".join(lines) + "\n", note),)


def _systemd(job: _Job) -> tuple[File, ...]:
    settings = [f"Environment={_unit_word(f'{name}={value}')}" for name, value in job.environment.items()]
    service = [
        f"# {job.about}", "[Unit]", f"Description=Noria: bring {job.project} up to date",
        "Wants=network-online.target", "After=network-online.target", "",
        "[Service]", "Type=oneshot", *settings,
        "ExecStart=" + " ".join(map(_command_word, job.words)),
    ]  # fmt: skip
    timer = [
        f"# {job.about}", "[Unit]", f"Description=Noria: when {job.project} is due", "",
        "[Timer]", *(f"OnCalendar={line}" for line in _calendar(job)), "AccuracySec=1s",
        f"Persistent={'false' if job.schedule.catch_up == 'none' else 'true'}", "",
        "[Install]", "WantedBy=timers.target",
    ]  # fmt: skip
    note = f"put both into ~/.config/systemd/user/ and: systemctl --user enable --now {job.name}.timer"
    return (
        File(f"{job.name}.service", "\n".join(service) + "\n", note),
        File(f"{job.name}.timer", "\n".join(timer) + "\n"),
    )


def _calendar(job: _Job) -> list[str]:
    """The calendar expressions of systemd, which takes day and weekday for "and": two of them say "or"."""
    fields = job.fields
    weekdays = ",".join(_WEEKDAYS[day] for day in fields.weekdays)

    def line(weekdays: str, days: Sequence[int]) -> str:
        date = f"*-{listed(fields.months, '..')}-{listed(days, '..')}"
        time = f"{listed(fields.hours, '..')}:{listed(fields.minutes, '..')}:00"
        return f"{weekdays} {date} {time} {job.schedule.zone}".strip()

    if fields.either and fields.days and weekdays:
        return [line("", fields.days), line(weekdays, ())]
    return [line(weekdays, fields.days)]


def _unit_word(text: str) -> str:
    """A word in a unit file: quoted, without meaning for systemd."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _command_word(text: str) -> str:
    """A word of a command line, where systemd also puts variables in."""
    return _unit_word(text).replace("$", "$$")


def _airflow(job: _Job) -> tuple[File, ...]:
    environment = f"os.environ | {dict(job.environment)!r}" if job.environment else "None"
    imports = "import os\nimport subprocess\n" if job.environment else "import subprocess\n"
    text = f"""# {job.about}
{imports}from datetime import datetime, timezone

from airflow.sdk import DAG, task
from airflow.timetables.trigger import CronTriggerTimetable

with DAG(
    dag_id={job.name!r},
    schedule=CronTriggerTimetable({job.fields.cron!r}, timezone={job.schedule.zone!r}),
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["noria"],
):

    @task
    def bring_up_to_date():
        words = {job.words!r}
        subprocess.run(words, env={environment}, check=True)

    bring_up_to_date()
"""
    note = "put it among the DAGs of an Airflow 3; its worker has to have Noria, the project and the workspace"
    return (File(f"{job.name.replace('-', '_')}.py", text, note),)


def _kubernetes(job: _Job) -> tuple[File, ...]:
    if not job.image:
        mend = "--image REGISTRY/NAME:TAG, an image with Noria and the project in it"
        raise DeclarationError("Kubernetes runs images", mend=mend)
    variables = {"NORIA_WORKSPACE": "/var/lib/noria", **job.environment}
    given = [f"{' ' * 16}- {{name: {name}, value: {_yaml(_expanded(value))}}}" for name, value in variables.items()]
    text = f"""# {job.about}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {job.name}
spec:
  schedule: {_yaml(job.fields.cron)}
  timeZone: {_yaml(job.schedule.zone)}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {120 if job.schedule.catch_up == "none" else 86400}
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: noria
              image: {_yaml(job.image)}
              command: [{", ".join(map(_yaml, map(_expanded, job.words)))}]
              env:
{chr(10).join(given)}
              volumeMounts:
                - {{name: workspace, mountPath: {_yaml(variables["NORIA_WORKSPACE"])}}}
          volumes:
            - name: workspace
              persistentVolumeClaim: {{claimName: {job.name}}}
"""
    note = f"the workspace lies on the persistent volume claim {job.name}, which has to be there"
    return (File(f"{job.name}.yaml", text, note),)


def _expanded(text: str) -> str:
    """Kubernetes puts variables into commands: ``$(NAME)``; ``$$(NAME)`` is that text."""
    return text.replace("$", "$$")


def _github(job: _Job) -> tuple[File, ...]:
    if (pause := shortest_pause(job.schedule)) < _GITHUB_PAUSE:
        raise job.schedule.refuse(
            "GitHub starts a workflow every five minutes at most", field="cron", value=f"every {pause}"
        )
    zone = "" if job.schedule.zone == "UTC" else f"\n      timezone: {_yaml(job.schedule.zone)}"
    variables = {**job.environment, "PROJECT": job.place}
    text = f"""# {job.about}
name: {job.name}
on:
  workflow_dispatch:
  schedule:
    - cron: {_yaml(job.fields.cron)}{zone}
concurrency:
  group: {job.name}
permissions:
  contents: read
jobs:
  noria:
    runs-on: ubuntu-latest
    env:
{chr(10).join(f"      {name}: {_yaml(_no_expression(value))}" for name, value in variables.items())}
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with:
          python-version: "3.12"
      - run: pip install -e '.[schedule]'
      - uses: actions/cache/restore@v4
        with:
          path: .noria-workspace
          key: {job.name}-${{{{ github.run_id }}}}
          restore-keys: {job.name}-
      - run: NORIA_WORKSPACE="$PWD/.noria-workspace" noria schedule run --once "$PROJECT"
      - uses: actions/cache/save@v4
        if: always()
        with:
          path: .noria-workspace
          key: {job.name}-${{{{ github.run_id }}}}
"""
    note = "put it into .github/workflows/; the workspace is kept in the repository's cache between runs"
    return (File(f"{job.name}.yml", text, note),)


def _no_expression(text: str) -> str:
    """``${{`` would be an expression of GitHub's; this gives it as text."""
    return text.replace("${{", "${{ '${{' }}")


def _yaml(text: str) -> str:
    """A text in double quotes, as YAML has it."""

    def letter(one: str) -> str:
        return "\\" + one if one in '"\\' else one if one.isprintable() else f"\\U{ord(one):08x}"

    return '"' + "".join(map(letter, text)) + '"'


TARGETS: Mapping[str, Callable[[_Job], tuple[File, ...]]] = {
    "cron": _cron,
    "systemd": _systemd,
    "airflow": _airflow,
    "kubernetes": _kubernetes,
    "github": _github,
}
"""Schedulers that a schedule can be exported to."""
