"""What differs between two contracts, in lines that people read."""

from __future__ import annotations

from noria.contracts.exchange.python import rule_source
from noria.declarations import Contract


def contract_differences(before: Contract, after: Contract, *, rules: bool = True) -> list[str]:
    """What the second says otherwise than the first: ``-`` is gone, ``+`` is new.

    Parameters
    ----------
    before, after : Contract
        What is compared.
    rules : bool
        Compare rules, too; without, only key, columns and types: what is guessed from data is no rule yet.

    Examples
    --------
    >>> from noria.contracts import not_null
    >>> before = Contract(key="id", types={"id": "int"})
    >>> contract_differences(before, Contract(types={"id": "string"}, rules=[not_null("id")]))
    ['- key: id', '- id: int', '+ id: string', '+ not_null("id")']
    """
    found = []
    if before.key != after.key:
        found += [f"{sign} key: {', '.join(one.key)}" for sign, one in (("-", before), ("+", after)) if one.key]
    for column in dict.fromkeys((*before.types, *after.types)):
        one, two = before.types.get(column), after.types.get(column)
        if one != two:
            found += [f"- {column}: {one}"] * (one is not None) + [f"+ {column}: {two}"] * (two is not None)
    if not rules:
        return found
    for name in type(before).model_fields:
        if name not in ("key", "types", "rules") and getattr(before, name) != getattr(after, name):
            found += [f"- {name}: {getattr(before, name)}", f"+ {name}: {getattr(after, name)}"]
    gone = [rule for rule in before.rules if rule not in after.rules]
    new = [rule for rule in after.rules if rule not in before.rules]
    return [*found, *(f"- {rule_source(rule, prefix='')}" for rule in gone),
            *(f"+ {rule_source(rule, prefix='')}" for rule in new)]  # fmt: skip
