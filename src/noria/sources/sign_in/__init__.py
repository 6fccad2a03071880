"""Signing in: how a server knows who asks. A kind is one file, with a class and the function that users call."""

from noria.sources.sign_in.api_key import ApiKey, api_key
from noria.sources.sign_in.basic import Basic, basic
from noria.sources.sign_in.bearer import Bearer, bearer
from noria.sources.sign_in.http import HttpSignIn
from noria.sources.sign_in.mutual_tls import MutualTls, mutual_tls
from noria.sources.sign_in.oauth2 import OAuth2, oauth2

__all__ = [
    "ApiKey",
    "Basic",
    "Bearer",
    "HttpSignIn",
    "MutualTls",
    "OAuth2",
    "api_key",
    "basic",
    "bearer",
    "mutual_tls",
    "oauth2",
]
