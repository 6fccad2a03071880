"""The features of a project, and the check that none of them knows the future."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from noria.core import DeclarationError
from noria.declarations import FeatureView, Project, Source, Spine, duration_text
from noria.expressions import Kind, parse
from noria.features.shares import check_groups
from noria.features.views import ViewPlan, model_kind, refuse_key_kind, view_plan


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the model.

    Attributes
    ----------
    name : str
        As in the training set, the package and the prediction log.
    kind : str
        ``"number"`` (float32; truths are 0 and 1) or ``"category"`` (text).
    view : str
        The feature view that it comes from; empty for those worked out at question time.
    text : str
        What it is, for people.
    """

    name: str
    kind: Literal["number", "category"]
    view: str
    text: str

    def to_body(self) -> dict[str, str]:
        """As plain JSON."""
        return asdict(self)


def plans_of(views: Sequence[FeatureView], schemas: Mapping[str, Mapping[str, Kind]]) -> tuple[ViewPlan, ...]:
    """Views worked out against the kinds of the sources' columns."""
    return tuple(view_plan(view, schemas[view.source.name]) for view in views)


def columns_read(spine: Spine, plans: Sequence[ViewPlan]) -> dict[str, set[str]]:
    """Source to the columns that any view or the spine reads of it."""
    texts = [spine.time or "", spine.label, known_text(spine) or "", *(text for _, text in spine.features)]
    read = {column for text in texts if text for column in parse(text).columns}
    before = set(spine.source.known_before)
    carried = {key for plan in plans for key in plan.view.keys} | {
        c for _, text in spine.features for c in parse(text).columns
    }
    found = {
        spine.source.name: (read & before)
        | (carried & before)
        | {c for text in texts[:3] if text for c in parse(text).columns}
    }
    for plan in plans:
        expressions = [
            *(t.column for t in plan.tracks),
            *(t.where for t in plan.tracks),
            *(one.expression for one in plan.lookups),
        ]
        found.setdefault(plan.view.source.name, set()).update(
            plan.view.keys,
            [plan.view.source.event_time] if plan.view.source.event_time else [],
            *(expression.columns for expression in expressions if expression is not None),
        )
    return found


def features_of(project: Project, schemas: Mapping[str, Mapping[str, Kind]]) -> tuple[Feature, ...]:
    """All features in the model's order, once it is sure that none knows the future.

    Parameters
    ----------
    project : Project
        The declarations.
    schemas : mapping of str to mapping of str to Kind
        Source to its columns' kinds, derived columns included.

    Raises
    ------
    DeclarationError
        A feature reads what is not known when the question is asked, two have one name, or one cannot be computed.
    """
    plans = plans_of(project.features, schemas)
    _check_spine(project, schemas[project.spine.source.name])
    _check_times(project, schemas[project.spine.source.name])
    check_groups(project, schemas[project.spine.source.name])
    for view in project.features:
        _check_view(project, view, schemas)
    kinds = request_kinds(project.spine, plans, schemas[project.spine.source.name])
    for name, text in project.spine.features:
        kind = _known_at_question(project, f"features.{name}", text, kinds)
        if kind not in ("bool", "int", "float", "string", "null"):
            raise project.spine.refuse(
                "a feature is a number, a truth or a text", field=f"features.{name}", value=f"{text} is {kind}"
            )
    found = listed(project.spine, plans, schemas[project.spine.source.name])
    names = [feature.name for feature in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise project.refuse(
            "two features have the same name", field="features", value=repeated[0], mend="rename a view, or give name=…"
        )
    if not found:
        raise project.refuse(
            "there are no features", field="features", mend="add a FeatureView, or features of the spine"
        )
    return found


def listed(spine: Spine, plans: Sequence[ViewPlan], spine_schema: Mapping[str, Kind]) -> tuple[Feature, ...]:
    """All features in the model's order: the views' windows, their lookups, the spine's own."""
    kinds = request_kinds(spine, plans, spine_schema)
    found = [Feature(one.name, "number", plan.view.name, one.text) for plan in plans for one in plan.windowed]
    found += [
        Feature(one.name, model_kind(one.kind), plan.view.name, f"{one.expression.text} of {plan.view.source.name}")
        for plan in plans
        for one in plan.lookups
    ]
    found += [Feature(name, model_kind(parse(text).kind(kinds)), "", text) for name, text in spine.features]
    return tuple(found)


def request_kinds(spine: Spine, plans: Sequence[ViewPlan], spine_schema: Mapping[str, Kind]) -> dict[str, Kind]:
    """What the spine's features may read: what a request carries, and the fetched features."""
    kinds = {name: spine_schema[name] for name in spine.source.known_before if name in spine_schema}
    for plan in plans:
        kinds |= dict.fromkeys((one.name for one in plan.windowed), "float")
        kinds |= {one.name: "string" if one.kind == "string" else "float" for one in plan.lookups}
    return kinds


def _known_at_question(project: Project, field: str, text: str, kinds: Mapping[str, Kind]) -> Kind:
    spine = project.spine
    expression = parse(text, place=f"{spine.written_at}, Spine, {field}")
    for column in sorted(expression.columns):
        if column not in kinds:
            raise _unknown_yet(project, field, column, text, kinds)
    return expression.kind(kinds)


def _unknown_yet(project: Project, field: str, column: str, text: str, kinds: Mapping[str, Kind]) -> DeclarationError:
    spine = project.spine
    near = difflib.get_close_matches(column, kinds, n=1)
    if spine.time is None:
        return spine.refuse(
            f"a request does not carry {column}",
            field=field,
            value=text,
            mend=f"did you mean '{near[0]}'?" if near else f"name it in known_before of Source '{spine.source.name}'",
        )
    return spine.refuse(
        f"{column} is known only {_when(spine.source)}, but the question is asked at {spine.time}",
        field=field,
        value=text,
        mend=(f"did you mean '{near[0]}'? Or " if near else "")
        + "aggregate it in a FeatureView, which sees only what is past; if it "
        f"is known before, say so in known_before of Source '{spine.source.name}'",
    )


def _when(source: Source) -> str:
    if source.event_time is None:
        return "with its row"
    return f"at '{source.event_time}'" + (f" + {duration_text(source.lag)}" if source.lag else "")


def _check_spine(project: Project, schema: Mapping[str, Kind]) -> None:
    spine, source = project.spine, project.spine.source
    for name in source.known_before:
        if name not in schema:
            near = difflib.get_close_matches(name, schema, n=1)
            raise source.refuse(
                "there is no such column",
                field="known_before",
                value=name,
                mend=f"did you mean '{near[0]}'?" if near else None,
            )
    if (kind := parse(spine.label, place=f"{spine.written_at}, Spine, label").kind(schema)) not in ("bool", "int"):
        raise spine.refuse("the label of a binary task is a truth", field="label", value=f"{spine.label} is {kind}")
    read = parse(spine.label).columns
    roots = {root for column in read for root in _roots(source, column)}
    # What is made of the answer and of what is known (delivered > promised) is no leak; what is made of known alone is.
    leaked = sorted(read & set(source.known_before)) or (sorted(roots) if roots <= set(source.known_before) else [])
    if leaked:
        raise spine.refuse(
            "the answer is made from what a request carries",
            field="label",
            value=leaked[0],
            mend="take it out of known_before",
        )


def _check_times(project: Project, schema: Mapping[str, Kind]) -> None:
    spine, source = project.spine, project.spine.source
    if spine.time is None:
        if spine.known is not None:
            raise spine.refuse(
                "known says when an answer is known, and the spine has no time",
                field="known",
                value=spine.known,
                mend="give Spine time=…, or leave known out",
            )
        return
    known: dict[str, Kind] = {name: schema[name] for name in source.known_before}
    if _known_at_question(project, "time", spine.time, known) != "timestamp":
        raise spine.refuse("the time of the question is not a timestamp", field="time", value=spine.time)
    if (text := known_text(spine)) is None:
        raise spine.refuse(
            "nothing says when the answer is known",
            field="known",
            mend=f"give it, or give Source '{source.name}' an event_time",
        )
    if parse(text, place=f"{spine.written_at}, Spine, known").kind(schema) != "timestamp":
        raise spine.refuse("when the answer is known is not a timestamp", field="known", value=text)


def known_text(spine: Spine) -> str | None:
    """The row expression of when the answer is known; None for a spine without time."""
    source = spine.source
    if spine.time is None:
        return None
    if spine.known is not None:
        return spine.known
    if source.event_time is None:
        return None
    return f"\"{source.event_time}\" + INTERVAL '{source.lag}' MICROSECOND"


def _check_view(project: Project, view: FeatureView, schemas: Mapping[str, Mapping[str, Kind]]) -> None:
    for key in view.keys:
        if key not in project.spine.source.known_before:
            raise view.refuse(
                f"a request does not carry the key '{key}'",
                field="keys",
                value=key,
                mend=f"name it in known_before of Source '{project.spine.source.name}', if it is known by then",
            )
        refuse_key_kind(view, key, schemas[project.spine.source.name][key])
    source = view.source
    if view.aggregates and project.spine.time is None:
        raise view.refuse(
            "what was before a question is not known where the spine has no time",
            field="aggregates",
            mend="give Spine time=…, or look columns up in a source without event time",
        )
    if source.event_time is None and source.known_before and source != project.spine.source:
        raise source.refuse(
            "known_before says nothing here: the source has no event time, so all of it is known before",
            field="known_before",
            value=", ".join(source.known_before),
            mend="leave it out, or give the source an event_time",
        )
    if source.event_time is None:
        if source == project.spine.source and view.columns:
            raise view.refuse(
                "it looks up the rows that are to be predicted", field="columns", mend="give the source an event time"
            )
        return
    roots = _roots(source, source.event_time)
    if not roots <= set(source.known_before):
        return
    # The event time can be worked out in advance: then nothing that is known later may enter at it.
    for declared in view.aggregates:
        for text in filter(None, (declared.column, declared.where)):
            late = sorted(
                name for column in parse(text).columns for name in _roots(source, column) - set(source.known_before)
            )
            if late:
                raise view.refuse(
                    f"'{source.event_time}' is known before the event, so {late[0]} would be seen before it happened",
                    field="aggregates",
                    value=text,
                    mend="take an event time that is worked out from what is known only after the event",
                )


def _roots(source: Source, column: str) -> set[str]:
    """The columns that a derived one is made from in the end; a column that is known before stands for itself."""
    derived = dict(source.columns)
    if column in source.known_before or column not in derived:
        return {column}
    return {root for part in parse(derived[column]).columns for root in _roots(source, part)}
