"""The secret that signs page tokens: from the environment, or made up by this process for itself."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Final

from domain.errors import ConfigurationError

log = logging.getLogger(__name__)

VARIABLE: Final = "SIDETOWER_PAGE_SECRET"
#: A shorter secret can be guessed.
SHORTEST: Final = 16


def page_secret(environ: Mapping[str, str]) -> bytes:
    """The secret that the environment tells; without it one that no other process knows, and the log says so.

    Raises:
        ConfigurationError: it is too short.
    """
    told = environ.get(VARIABLE, "").strip()
    if not told:
        log.info("%s is not set: page tokens are good in this process only", VARIABLE)
        return secrets.token_bytes(32)
    if len(told) < SHORTEST:
        got = f"{len(told)} characters"
        fix = (
            "Set it to a random text, the same for every process of the service, such as that of: openssl rand -hex 32"
        )
        raise ConfigurationError(VARIABLE, expected=f"at least {SHORTEST} characters", got=got, fix=fix)
    return told.encode()
