"""``aws:name#field``: AWS Secrets Manager. Who asks, and in which region, is found as by AWS's own tools."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noria.core import DeclarationError, TransientError, require
from noria.security.secret_stores.fields import field_of

_PASSES = ("ThrottlingException", "InternalServiceError", "InternalServiceErrorException", "RequestLimitExceeded")


def look_up(reference: str, base: Path) -> str:
    """A secret's current text, or one field of it where that is a JSON object.

    Raises
    ------
    DeclarationError
        There is no such secret or field, who asks may not read it, or nothing says who asks.
    TransientError
        The server does not answer.
    """
    name, _, field = reference.partition("#")
    answer = _ask(name, f"aws:{reference}")
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise DeclarationError("this secret is no text", value=f"aws:{reference}", mend="store it as SecretString")
    if not field:
        return text
    import msgspec

    try:
        held = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        held = None
    if not isinstance(held, dict):
        raise DeclarationError("this secret has no fields", value=f"aws:{reference}", mend=f"aws:{name}")
    return field_of(held, field, f"aws:{reference}")


def _ask(name: str, what: str) -> Any:
    boto3 = require("boto3", extra="aws")
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    settings = Config(connect_timeout=10, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
    try:
        with _unlogged():
            return boto3.session.Session().client("secretsmanager", config=settings).get_secret_value(SecretId=name)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _PASSES or status >= 500:
            raise TransientError(f"AWS Secrets Manager fails with {code}", value=what) from None
        if code == "ResourceNotFoundException":
            raise DeclarationError(
                "there is no such secret", value=what, mend="aws:name#field, in this region"
            ) from None
        raise DeclarationError(
            "AWS Secrets Manager refuses it", value=f"{what} ({code})",
            mend="allow secretsmanager:GetSecretValue on it to who asks",
        ) from None  # fmt: skip
    except (ConnectionError, HTTPClientError) as error:
        raise TransientError(f"AWS Secrets Manager does not answer: {type(error).__name__}", value=what) from None
    except BotoCoreError as error:
        raise DeclarationError(
            "nothing says who asks AWS, or where", value=f"{what} ({type(error).__name__})",
            mend="set AWS_REGION, and AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from None  # fmt: skip


@contextmanager
def _unlogged() -> Iterator[None]:
    """Debugging logs of the client hold what a server answers, and so the secret."""
    loggers = [logging.getLogger(name) for name in ("botocore", "boto3", "urllib3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
