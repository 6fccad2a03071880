"""``vault:mount/path#field``: a key-value store (version 2) of HashiCorp Vault or OpenBao, through their HTTP API.

Where it is and who asks says the environment, as for their own tools: ``VAULT_ADDR``, ``VAULT_TOKEN``, or
``VAULT_ROLE_ID`` and ``VAULT_SECRET_ID`` for an AppRole, ``VAULT_NAMESPACE``, ``VAULT_CACERT``; or ``BAO_…``.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

from noria.core import DeclarationError, TransientError, is_in_the_clear, redacted, require
from noria.security.secret_stores.fields import field_of

TIMEOUT = 10.0
MOST_BYTES = 1 << 20


def look_up(reference: str, base: Path) -> str:
    """A field of a secret's current version.

    Raises
    ------
    DeclarationError
        There is no such secret or field, who asks may not read it, or the environment does not say who asks.
    TransientError
        The server does not answer, or is sealed.
    """
    path, _, field = reference.partition("#")
    mount, slash, name = path.strip("/").partition("/")
    if not (mount and slash and name) or ".." in path.split("/"):
        raise DeclarationError("a vault has mounts and paths", value=f"vault:{reference}",
                               mend="vault:mount/path#field, such as vault:secret/shop#password")  # fmt: skip
    answer = _ask("GET", f"{quote(mount)}/data/{quote(name)}", f"vault:{reference}", token=_token())
    held = answer.get("data", {}).get("data") if isinstance(answer.get("data"), dict) else None
    if not isinstance(held, dict):
        raise DeclarationError("no key-value store of version 2 answers there", value=f"vault:{reference}",
                               mend="vault:mount/path#field: the mount's own name comes first")  # fmt: skip
    return field_of(held, field, f"vault:{reference}")


def _setting(name: str) -> str:
    return os.environ.get(f"VAULT_{name}") or os.environ.get(f"BAO_{name}") or ""


def _token() -> str:
    if token := _setting("TOKEN"):
        return token
    role, secret = _setting("ROLE_ID"), _setting("SECRET_ID")
    if not (role and secret):
        raise DeclarationError(
            "nothing says who asks the vault", mend="set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"
        )
    mount = quote(_setting("AUTH_PATH") or "approle")
    answer = _ask("POST", f"auth/{mount}/login", "VAULT_ROLE_ID", json={"role_id": role, "secret_id": secret})
    return str(answer["auth"]["client_token"])


def _ask(method: str, path: str, what: str, *, token: str = "", json: Any = None) -> dict[str, Any]:
    httpx2 = require("httpx2", extra="vault")
    address = _address()
    headers = {"X-Vault-Request": "true"}
    if token:
        headers["X-Vault-Token"] = token
    if namespace := _setting("NAMESPACE"):
        headers["X-Vault-Namespace"] = namespace
    try:
        with (
            httpx2.Client(verify=_trusted(), timeout=TIMEOUT, headers=headers, follow_redirects=False) as client,
            client.stream(method, f"{address}/v1/{path}", json=json) as response,
        ):
            content = _bounded(response)
    except httpx2.InvalidURL:
        raise DeclarationError("VAULT_ADDR is no URL", value=redacted(address), mend="https://vault:8200") from None
    except httpx2.HTTPError as error:
        raise TransientError(
            f"the vault does not answer: {type(error).__name__}",
            place=redacted(address),
            mend="is VAULT_ADDR right, and its certificate trusted (VAULT_CACERT)?",
        ) from None
    return _answer(response.status_code, content, what, redacted(address))


def _address() -> str:
    address = _setting("ADDR").rstrip("/")
    if not address:
        raise DeclarationError("nothing says where the vault is", mend="set VAULT_ADDR=https://vault:8200")
    if is_in_the_clear(address):
        raise DeclarationError(
            "secrets would travel in the clear", place="VAULT_ADDR", value=redacted(address), mend="an https:// URL"
        )
    return address


def _trusted() -> ssl.SSLContext:
    file = _setting("CACERT")
    try:
        return ssl.create_default_context(cafile=file or None)
    except OSError as error:
        raise DeclarationError(
            "no certificates can be read", place="VAULT_CACERT", value=error.strerror, mend="a PEM file"
        ) from None


def _bounded(response: Any) -> bytes:
    content = b""
    for chunk in response.iter_bytes(1 << 16):
        content += chunk
        if len(content) > MOST_BYTES:
            raise DeclarationError("the vault's answer is too large for a secret", mend="1 MiB at most")
    return content


def _answer(status: int, content: bytes, what: str, place: str) -> dict[str, Any]:
    import msgspec

    if status == 503:
        raise TransientError("the vault is sealed or in maintenance", place=place, mend="unseal it")
    if status == 429 or status >= 500:
        raise TransientError(f"the vault fails with {status}", place=place)
    if status == 404:
        raise DeclarationError("there is no such secret", place=place, value=what, mend="vault:mount/path#field")
    if status in (400, 401, 403):
        raise DeclarationError(
            "the vault refuses it", place=place, value=f"{what} ({status})",
            mend="is the token or the AppRole still valid, and does its policy let it read this path?",
        )  # fmt: skip
    if 300 <= status < 400:
        raise DeclarationError("the vault sends elsewhere", place=place, value=status,
                               mend="set VAULT_ADDR to the active server")  # fmt: skip
    try:
        answer = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise DeclarationError("no vault answers there", place=place, mend="set VAULT_ADDR=https://vault:8200")
    return answer
