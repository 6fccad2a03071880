"""Step: a pure function with a content key, and what it is given and gives back.

A room's ``steps.py`` turns declarations into steps; `noria.plan` joins and orders them; `noria.run` executes them, each
in a process of its own, so that time, processor seconds and memory are metered exactly and a crash ends one step only.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noria.core import Clock, WallClock, code_key, content_key
from noria.workspace import Workspace


def file_of(workspace: Workspace, reference: str) -> Path:
    """The path of a ``file:`` reference."""
    return workspace.root / reference.removeprefix("file:")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step leaves: references to what it made, and facts about it; kept in the ledger as JSON.

    Attributes
    ----------
    outputs : mapping of str to str
        A name to a reference: ``table:flights@3``, ``file:<path in the workspace>``, ``model:late@<version>``.
    facts : mapping
        Plain JSON: counts, scores, names. What later steps, the summary and the report read.
    events : sequence of mappings
        What else the ledger shall be told, once, when the step has ended: ``{"kind", "subject", "inputs", "outputs",
        "body"}`` each. Not part of what later steps read.
    """

    outputs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a running step is given.

    Attributes
    ----------
    workspace : Workspace
        Where state lives.
    key : str
        The content key of this step.
    inputs : mapping of str to Outcome
        What the steps that it named left, by step name.
    run : str
        The run that it belongs to, for the ledger.
    clock : Clock
        Where now comes from.
    say : callable
        Tells the user how far the step is, in a few words; never required.
    """

    workspace: Workspace
    key: str
    inputs: Mapping[str, Outcome]
    run: str = ""
    clock: Clock = field(default_factory=WallClock)
    say: Callable[[str], None] = lambda text: None

    @property
    def scratch(self) -> Path:
        """A folder of this key's own that survives a kill, so that long work can go on; removed when the step ends."""
        folder = self.workspace.scratch / self.key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def folder(self) -> Path:
        """Where this step's files end up, once `publish` has put them there."""
        return self.workspace.artifacts / self.key

    def publish(self, made: Path) -> Path:
        """Move a folder of finished files to `folder` in one atomic rename; what an earlier try left is replaced."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for file in made.rglob("*"):
            if file.is_file():
                with open(file, "rb") as handle:
                    os.fsync(handle.fileno())
        if self.folder.exists():
            shutil.rmtree(self.folder)
        os.replace(made, self.folder)
        return self.folder

    def reference(self, path: Path) -> str:
        """The reference of a file in the workspace, as it stands in `Outcome.outputs`."""
        return f"file:{path.relative_to(self.workspace.root)}"

    def path(self, reference: str) -> Path:
        """The path of a ``file:`` reference."""
        return file_of(self.workspace, reference)


@dataclass(frozen=True, slots=True)
class Step:
    """A pure function of content.

    Attributes
    ----------
    name : str
        ``kind`` or ``kind:subject``, unique in the graph: ``ingest:flights``, ``train``.
    function : callable
        Does the work; picklable (a module-level function, or a `functools.partial` of one). The source text that it
        reaches, see `noria.core.code_key`, is part of the key.
    declaration : object
        What it is made from: declarations and plain values. Part of the key.
    inputs : tuple of str
        Names of the steps whose outcomes it reads. Their keys are part of its key.
    fingerprint : str
        What the outside world says that it reads (files' digests); part of the key.
    reads : str
        The fingerprint in words for ``noria plan``: ``"1 file, 7.2 MB"``.
    tags : mapping
        What its cost is charged to, beside the project's tags.
    looks : int, optional
        Of a step whose result only running it tells, such as a read of a server: how long in microseconds what it found
        counts as new. Steps that read it are keyed by what it left, not by its key. None for all others.
    tells : bool
        Of a step that looks, that its fingerprint says whether there is anything new.
    """

    name: str
    function: Callable[[StepContext], Outcome]
    declaration: object
    inputs: tuple[str, ...] = ()
    fingerprint: str = ""
    reads: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    looks: int | None = None
    tells: bool = False

    def key(self, input_keys: Mapping[str, str]) -> str:
        """The content key, given the keys of its inputs."""
        return content_key(self.name, *self.parts(input_keys).values())

    def parts(self, input_keys: Mapping[str, str]) -> dict[str, str]:
        """What the key is made of, one hash each: so that a plan can say which of them changed."""
        return {
            "code": code_key(self.function, self.declaration),
            "declaration": content_key(self.declaration),
            "data": self.fingerprint,
            "inputs": content_key([input_keys[name] for name in self.inputs]),
        }
