"""The reasons that a Redis node gives for a failure, in words of our own.

The text of a server's error, and often that of redis-py, repeats addresses and what was sent.
"""

from __future__ import annotations

import re
import ssl

import redis

from lepton_lab.nodes.redis_exchange import RedisErrorReply, UnexpectedReply
from lepton_lab.nodes.values import reason_of

WRONG_REPLY = "the server's answer is not one to this question"
_REASONS = {
    "NOAUTH": "the server wants a user and a password",
    "WRONGPASS": "the server refused the user or the password",
    "NOPERM": "the server's access list does not permit this",
    "OOM": "the server's memory is full",
    "MISCONF": "the server cannot write to its disk",
    "READONLY": "the server is a read-only replica",
    "LOADING": "the server is still loading its data",
    "CLUSTERDOWN": "the cluster has no server for this key",
    "WRONGTYPE": "the key holds something else than a value",
}


def redis_reason(error: Exception) -> str:
    """Return why a command failed, in words that repeat nothing of what was sent."""
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "no answer within the time-out"
    if isinstance(
        error,
        redis.ResponseError | RedisErrorReply | redis.AuthenticationError | redis.BusyLoadingError,
    ):
        code = error_code(error)
        return _REASONS.get(code, f"the server answered {code}")
    if isinstance(error, UnexpectedReply | redis.exceptions.InvalidResponse):
        return WRONG_REPLY
    return _system_reason(error)


def _system_reason(error: BaseException) -> str:
    """Return the reason of the OSError beneath redis-py's error.

    redis-py's own text names addresses and may quote a reply.
    """
    beneath: BaseException | None = error
    while beneath is not None:
        if isinstance(beneath, ssl.SSLCertVerificationError):
            return f"TLS: its certificate is not trusted ({beneath.verify_message.lower()})"
        if isinstance(beneath, ssl.SSLError):
            return f"TLS: {(beneath.reason or 'failed').replace('_', ' ').lower()}"
        if isinstance(beneath, OSError):
            return reason_of(beneath)
        beneath = beneath.__cause__ or beneath.__context__
    if isinstance(error, redis.ConnectionError):
        return "the connection was closed"
    return "it cannot be reached"


def error_code(error: Exception) -> str:
    """Return the code of an error reply; redis-py leaves most of them at the start of its text."""
    if isinstance(error, RedisErrorReply):
        return error.code
    known = getattr(error, "status_code", None)
    if not known and isinstance(error, redis.AuthenticationError):
        known = "WRONGPASS"
    found = re.match(r"[A-Z]{1,20}(?= |$)", known or str(error))
    return found[0] if found else "ERR"
