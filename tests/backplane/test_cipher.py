"""One data key: what it seals, and that it rests where it is not needed."""

from __future__ import annotations

import os

from threadline_server.backplane.cipher import CIPHER_KEY_BYTES, Cipher, ReadyCiphers

CONTEXT = b"trip"


def test_the_ciphers_that_were_made_ready_last_stay_so() -> None:
    ready = ReadyCiphers(2)
    ciphers = [Cipher(os.urandom(CIPHER_KEY_BYTES), ready) for _ in range(4)]
    sealed = [cipher.seal(b"plain", CONTEXT) for cipher in ciphers]
    assert [cipher._gcm is not None for cipher in ciphers] == [False, False, True, True]
    assert ciphers[0].open(sealed[0], CONTEXT) == b"plain"
    assert [cipher._gcm is not None for cipher in ciphers] == [True, False, False, True]


def test_one_that_rested_seals_as_before() -> None:
    cipher = Cipher(os.urandom(CIPHER_KEY_BYTES))
    before = cipher.seal(b"plain", CONTEXT)
    cipher.rest()
    assert cipher.seal(b"plain", CONTEXT) == before


def test_a_key_that_is_only_kept_is_not_made_ready() -> None:
    cipher = Cipher(os.urandom(CIPHER_KEY_BYTES))
    assert cipher.open(b"never sealed", CONTEXT) == b"never sealed"
    assert cipher.seal_text("", CONTEXT) == ""
    assert cipher._gcm is None
