"""What goes wrong outside, in words: without the answers of servers, which may repeat who asked."""

from __future__ import annotations

import re

from noria.core import NoriaError, ResourceError, TransientError, without_secrets

_FULL = ("No space left", "File too large", "quota exceeded")
_PASSING = ("timed out", "error sending request", "Connection", "500 ", "502 ", "503 ", "504 ", "SlowDown", "429 ")
_REFUSED = ("403 ", "Forbidden", "AccessDenied", "401 ", "Credential", "credential")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def unwritable(place: str, error: Exception) -> NoriaError:
    """The error of a lake that did not take, or give, what it was asked for."""
    text = _COLOUR.sub("", str(error)).strip()
    if any(word in text for word in _FULL):
        return ResourceError("the disk is full", place=place, mend="free some space and run again: no version is lost")
    first = without_secrets(text.splitlines()[0]) if text else type(error).__name__
    if "S3" in first or "object store" in first.lower():
        if any(word in text for word in _REFUSED):
            return ResourceError("the object store does not let this user in", place=place,
                                 mend="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")  # fmt: skip
        if "404 Not Found" in text or "NoSuchBucket" in text:
            return ResourceError("there is no such bucket", place=place, mend="make it; Noria makes none")
        if any(word in text for word in _PASSING):
            return TransientError("the object store does not answer", place=place, mend="is AWS_ENDPOINT_URL right?")
    return ResourceError("the lake cannot be written", place=place, value=first, mend="let this user write there")
