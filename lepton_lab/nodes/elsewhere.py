"""Nodes at places that need a package of their own: MongoDB by pymongo, file systems by fsspec."""

from __future__ import annotations

import re
import warnings
from typing import Any
from urllib.parse import quote, urlencode

from lepton_lab.errors import NodeError
from lepton_lab.nodes.fsspec_node import FsspecNode
from lepton_lab.nodes.mongo_node import MongoNode
from lepton_lab.nodes.redis_clients import TIMEOUT
from lepton_lab.nodes.url import NO, Url

_COLLECTION = "shards"
_PATIENCE = {"serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS"}
_DURABLE = {"w": "majority", "journal": "true"}
_WEAKENING = {"tlsinsecure", "tlsallowinvalidcertificates", "tlsallowinvalidhostnames"}


def mongo(url: Url) -> MongoNode:
    """A node for a mongodb:// URL. Raises InvalidParameter, and NodeError without pymongo."""
    try:
        import pymongo  # noqa: PLC0415  # an optional extra
        from pymongo.errors import PyMongoError  # noqa: PLC0415  # as above
    except ImportError:
        raise NodeError(
            url.shown, "MongoDB needs pymongo: pip install 'lepton-lab[mongodb]'"
        ) from None
    database = url.path.strip("/")
    if not url.hosts or not re.fullmatch(r"[\w-]{1,63}", database):
        raise url.refuse(
            "a MongoDB's URL names a host, and behind a slash a database of letters, digits, _ and -"
        )
    options = {name: value for name, value in url.options.items() if name != "collection"}
    for name, value in options.items():
        if name.lower() in _WEAKENING and value.lower() not in NO:
            raise url.refuse("names and certificates are always checked")
    given = {name.lower() for name in options}
    patience = dict.fromkeys(_PATIENCE, str(round(TIMEOUT * 1000)))
    options |= {
        name: value for name, value in (patience | _DURABLE).items() if name.lower() not in given
    }
    account = (
        ""
        if url.user is None
        else f"{quote(url.user, safe='')}:{quote(url.password or '', safe='')}@"
    )
    address = f"{url.scheme}://{account}{url.hosts}/{database}?{urlencode(options)}"

    def connect() -> Any:
        with warnings.catch_warnings(
            action="error", category=UserWarning
        ):  # so pymongo says what it does not know
            client: Any = pymongo.MongoClient(address, connect=False)
        return client[database][url.options.get("collection", _COLLECTION)]

    try:
        connect().database.client.close()
    except (PyMongoError, ValueError, TypeError, UserWarning):
        raise url.refuse(
            "it has an option, or a value of one, that pymongo does not take"
        ) from None
    except OSError as error:
        raise url.refuse(
            f"its certificates cannot be used ({error.strerror or type(error).__name__})"
        ) from None
    return MongoNode(connect, url.shown)


def filesystem(url: Url) -> FsspecNode:
    """A node for an fsspec+…:// URL. Raises InvalidParameter, and NodeError without the packages that it needs."""
    try:
        import fsspec  # noqa: PLC0415  # an optional extra
    except ImportError:
        raise NodeError(url.shown, "it needs fsspec: pip install 'lepton-lab[fsspec]'") from None
    protocol = url.scheme.removeprefix("fsspec+")
    account = "" if url.user is None else quote(url.user, safe="")
    if url.password is not None:
        account += ":" + quote(url.password, safe="")
    address = f"{protocol}://{account}{'@' if account else ''}{url.hosts}{url.path}"
    if not (url.hosts or url.path.strip("/")):
        raise url.refuse("behind the protocol comes the place")
    try:
        mapping = fsspec.get_mapper(address, **url.options)
    except ImportError:
        raise NodeError(url.shown, f"fsspec lacks the package that speaks {protocol}") from None
    except (ValueError, TypeError):
        raise url.refuse("fsspec has no such protocol, or it does not take an option") from None
    except OSError as error:
        raise NodeError(url.shown, (error.strerror or type(error).__name__).lower()) from None
    return FsspecNode(mapping, url.shown)
