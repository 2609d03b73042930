"""Keys that look as if they held a secret. A session is read by its members, agents and keepers."""

from __future__ import annotations

import re
import warnings

_SECRET = re.compile(
    r"(?:^|[_\-. ])(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token|auth[_-]?token|"
    r"private[_-]?key|credential|ssn|card[_-]?number)s?(?:$|[_\-. ])",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"(?:ref|vault|env|secret|arn|keyring):\S", re.IGNORECASE)


class SensitiveKeyWarning(UserWarning):
    """A secret was put into a session; keep a reference to it instead, such as `vault:payments/key`."""


def warn_of(key: str, value: object) -> None:
    """Warn where a key names a secret and the value is not a reference to one."""
    if _SECRET.search(key) is None or value in (None, "", True, False):
        return
    if isinstance(value, str) and _REFERENCE.match(value):
        return
    warnings.warn(
        f"The session's key {key!r} looks like a secret, which every member of the session can read. "
        "Keep a reference instead, such as 'vault:payments/key' or 'env:PAYMENTS_KEY'.",
        SensitiveKeyWarning,
        stacklevel=4,
    )
