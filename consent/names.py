"""Names of students, readable only with the key in ``ENGAGE_CONSENT_KEY``; the key is never stored or shown."""

from __future__ import annotations

import os

from cryptography.fernet import Fernet, InvalidToken

from consent.errors import NameKeyError

KEY_VARIABLE = "ENGAGE_CONSENT_KEY"
_NEW_KEY = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


def seal(name: str) -> str:
    """The name as a Fernet token (AES-128-CBC with HMAC-SHA256), ASCII; no two tokens of one name are alike.

    Raises:
        NameKeyError: the key is missing or malformed.
    """
    return _key().encrypt(name.encode()).decode("ascii")


def unseal(token: str) -> str:
    """The name in a token.

    Raises:
        NameKeyError: the key is missing, malformed, or not the one the name was encrypted with.
    """
    try:
        return _key().decrypt(token.encode()).decode()
    except InvalidToken:
        raise NameKeyError(
            f"the key in {KEY_VARIABLE} is not the one the names on record were encrypted with;"
            " set the key that was used then"
        ) from None


def _key() -> Fernet:
    text = os.environ.get(KEY_VARIABLE, "").strip()
    if not text:
        raise NameKeyError(
            f"names are kept encrypted only, and {KEY_VARIABLE} holds no key; set it to your key, or make one with:"
            f" {_NEW_KEY}"
        )
    try:
        return Fernet(text)
    except ValueError:
        raise NameKeyError(
            f"{KEY_VARIABLE} is not a key (not shown here), which is 44 characters of URL-safe base64; set it to your"
            f" key, or make one with: {_NEW_KEY}"
        ) from None
