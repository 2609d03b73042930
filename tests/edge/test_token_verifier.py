"""Tokens that are taken, and the many that are not."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from joserfc.jwk import OctKey, OKPKey, RSAKey
from tests.signing import SECRET, claims_of, keys_of_each_kind, sign, token_of, unsigned

from threadline.errors import ConfigurationError, Unauthorized
from threadline_server.edge import token_verifier
from threadline_server.edge.authentication import Principal
from threadline_server.edge.token_keys import TokenKey, TokenKeys, key_of_secret, parse_keys, read_keys
from threadline_server.edge.token_verifier import Demands, TokenVerifier

KEYS = keys_of_each_kind()
PUBLISHED = json.dumps(
    {
        "keys": [
            {**KEYS["EdDSA"].as_dict(private=False), "kid": "ed"},
            {**KEYS["RS256"].as_dict(private=False), "kid": "rsa"},
            {**KEYS["HS256"].as_dict(private=True), "kid": "shared"},
        ]
    }
)


def verifier(keys: TokenKeys | None = None) -> TokenVerifier:
    demands = Demands("threadline", "threadline", 86_400)
    return TokenVerifier(keys or parse_keys(PUBLISHED, "the test"), demands, time.time)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("algorithm", "key", "kid"),
    [
        ("HS256", "HS256", "shared"),
        ("EdDSA", "EdDSA", "ed"),
        ("Ed25519", "EdDSA", "ed"),
        ("RS256", "RS256", "rsa"),
    ],
)
async def test_what_is_signed_with_a_known_key_is_taken(algorithm: str, key: str, kid: str) -> None:
    claims = claims_of("ada", name="Ada", jti="t-1", device="phone", aud=["other", "threadline"])
    token = sign(claims, KEYS[key], algorithm, kid=kid)
    assert await verifier().verify(token) == Principal(
        "ada",  # type: ignore[arg-type]
        "Ada",
        token="t-1",
        device_id="phone",
        issued_s=claims["iat"],
        expires_s=claims["exp"],
    )


@pytest.mark.asyncio
async def test_a_token_without_a_key_id_is_taken_where_one_key_fits() -> None:
    assert (await verifier(TokenKeys([key_of_secret(SECRET)])).verify(token_of("ada"))).user == "ada"


@pytest.mark.asyncio
async def test_a_token_that_was_taken_is_checked_again_in_all_but_its_signature() -> None:
    """With a clock of the test, and a key that goes."""
    now_s = time.time()
    keys = Published(parse_keys(PUBLISHED, "the test"))
    checked = TokenVerifier(keys, Demands("threadline", "threadline", 86_400), lambda: now_s)
    claims = claims_of("ada")
    token = sign(claims, KEYS["HS256"], "HS256", kid="shared")
    assert await checked.verify(token) == await checked.verify(token)
    with pytest.raises(Unauthorized):
        await checked.verify(token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"))
    now_s = claims["exp"] + 1
    with pytest.raises(Unauthorized, match="expired"):
        await checked.verify(token)
    now_s = claims["iat"]
    keys.known = TokenKeys([])
    with pytest.raises(Unauthorized, match="not known"):
        await checked.verify(token)
    other = key_of_secret(SECRET[::-1])
    keys.known = TokenKeys([TokenKey("shared", other.algorithm, other.key)])
    with pytest.raises(Unauthorized, match="signature"):
        await checked.verify(token)


@pytest.mark.asyncio
async def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_verifier, "KEPT_TOKENS", 2)
    checked = verifier()
    tokens = [sign(claims_of(user), KEYS["HS256"], "HS256", kid="shared") for user in ("ada", "bob", "eve")]
    for token, user in zip(tokens * 2, ("ada", "bob", "eve") * 2, strict=True):
        assert (await checked.verify(token)).user == user


class Published:
    """Keys that an issuer publishes, and changes."""

    def __init__(self, known: TokenKeys) -> None:
        self.known = known

    async def find(self, key_id: str | None, algorithm: str) -> TokenKey:
        return await self.known.find(key_id, algorithm)


@pytest.mark.asyncio
async def test_keys_change_by_their_ids() -> None:
    old, new = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    both = json.dumps({"keys": [{**old.as_dict(), "kid": "1"}, {**new.as_dict(), "kid": "2"}]})
    both_keys, new_keys = (
        parse_keys(both, "both"),
        parse_keys(json.dumps({**new.as_dict(), "kid": "2"}), "new"),
    )
    by_old, by_new = (sign(claims_of("ada"), key, "EdDSA", kid=kid) for key, kid in ((old, "1"), (new, "2")))
    for keys, token in ((both_keys, by_old), (both_keys, by_new), (new_keys, by_new)):
        assert (await verifier(keys).verify(token)).user == "ada"
    with pytest.raises(Unauthorized):
        await verifier(new_keys).verify(by_old)
    with pytest.raises(Unauthorized):
        await verifier(both_keys).verify(sign(claims_of("ada"), new, "EdDSA"))


def rsa_public_bytes() -> bytes:
    return KEYS["RS256"].as_pem(private=False)  # type: ignore[union-attr]


def confused(kid: str) -> str:
    """HS256 with the public key of RS256 as the secret."""
    head, claims, _ = unsigned({"alg": "HS256", "kid": kid, "typ": "JWT"}, claims_of("eve")).split(".")
    digest = hmac.new(rsa_public_bytes(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return unsigned({"alg": "HS256", "kid": kid, "typ": "JWT"}, claims_of("eve"), digest)


def shared(claims: dict[str, object], **header: object) -> str:
    return sign(claims, KEYS["HS256"], "HS256", kid="shared", **header)


def tampered() -> str:
    head, _, signature = shared(claims_of("ada")).split(".")
    return ".".join((head, shared(claims_of("eve")).split(".")[1], signature))


def from_now(seconds: int) -> int:
    return int(time.time()) + seconds


BAD: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "ada",
    "five parts": lambda: "a.b.c.d.e",
    "no JSON": lambda: "!!!.???.!!!",
    "alg none": lambda: unsigned({"alg": "none"}, claims_of("eve")),
    "alg None": lambda: unsigned({"alg": "None", "kid": "shared"}, claims_of("eve")),
    "no alg": lambda: unsigned({"kid": "shared"}, claims_of("eve")),
    "a signature cut off": lambda: shared(claims_of("eve")).rpartition(".")[0] + ".",
    "other claims under a good signature": tampered,
    "another key": lambda: sign(claims_of("eve"), OctKey.generate_key(256), "HS256", kid="shared"),
    "an unknown key": lambda: sign(claims_of("eve"), KEYS["HS256"], "HS256", kid="of-mine"),
    "HS512": lambda: unsigned({"alg": "HS512", "kid": "shared"}, claims_of("eve"), b"x" * 64),
    "the public key as a secret": lambda: confused("rsa"),
    "the public key as a secret, no kid": lambda: confused("shared"),
    "a key brought along": lambda: shared(claims_of("eve"), jwk=KEYS["EdDSA"].as_dict(private=False)),
    "an address of keys": lambda: shared(claims_of("eve"), jku="https://evil.example/keys"),
    "a kid that is a path": lambda: sign(claims_of("eve"), KEYS["HS256"], "HS256", kid="../../dev/null"),
    "a type of token for other things": lambda: shared(claims_of("eve"), typ="logout+jwt"),
    "no exp": lambda: shared(claims_of("eve", exp=None)),
    "exp in the past": lambda: shared(claims_of("eve", exp=from_now(-1))),
    "exp far away": lambda: shared(claims_of("eve", exp=from_now(10 * 365 * 86_400))),
    "exp as text": lambda: shared(claims_of("eve", exp=str(from_now(60)))),
    "exp as truth": lambda: shared(claims_of("eve", exp=True)),
    "exp without end": lambda: shared(claims_of("eve", exp=float("inf"))),
    "no iat": lambda: shared(claims_of("eve", iat=None)),
    "iat in the future": lambda: shared(claims_of("eve", iat=from_now(600))),
    "nbf in the future": lambda: shared(claims_of("eve", nbf=from_now(600))),
    "no aud": lambda: shared(claims_of("eve", aud=None)),
    "another aud": lambda: shared(claims_of("eve", aud="billing")),
    "an aud that only begins alike": lambda: shared(claims_of("eve", aud="threadline-staging")),
    "no iss": lambda: shared(claims_of("eve", iss=None)),
    "another iss": lambda: shared(claims_of("eve", iss="https://evil.example")),
    "no sub": lambda: shared(claims_of("eve", sub=None)),
    "the server's name": lambda: shared(claims_of("server:")),
    "an agent's name": lambda: shared(claims_of("agent:travel")),
    "a sub that is no name": lambda: shared(claims_of("eve/../ada")),
    "a sub that is no text": lambda: shared(claims_of("eve", sub=["ada"])),
    "far too long": lambda: shared(claims_of("eve", name="x" * 9000)),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BAD)
async def test_bad_tokens_are_refused_and_not_repeated(name: str) -> None:
    token = BAD[name]()
    with pytest.raises(Unauthorized) as caught:
        await verifier().verify(token)
    assert not token or len(token) < 10 or token not in caught.value.message


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a set of JSON web keys"),
        ('{"keys": []}', "holds no key"),
        ('{"keys": [1]}', "not a set of JSON web keys"),
        (json.dumps({"kty": "oct", "k": "c2hvcnQ"}), "at least 32 bytes"),
        (json.dumps({"keys": [{**KEYS["EdDSA"].as_dict(), "kid": "x"}] * 2}), "two keys alike"),
        (json.dumps({**KEYS["EdDSA"].as_dict(), "use": "enc"}), "holds no key"),
    ],
    ids=lambda text: "keys" if "{" in text else text,
)
def test_keys_that_are_no_use_are_named(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse_keys(text, "the file")


@pytest.mark.parametrize("secret", ["short", "a" * 64, "changeme" * 8, "my-password-is-good-enough-12345678"])
def test_weak_secrets_are_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="token_urlsafe"):
        key_of_secret(secret)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_short_rsa_keys_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="2048"):
        parse_keys(json.dumps(RSAKey.generate_key(1024).as_dict()), "the file")


def test_keys_are_read_from_pem_files(tmp_path: Path) -> None:
    for number, key in enumerate((KEYS["EdDSA"], KEYS["RS256"])):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(key.as_pem(private=True))  # type: ignore[union-attr]
        signing = read_keys(path).signing
        assert signing is not None
        assert signing.algorithm in ("EdDSA", "RS256")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_keys(tmp_path / "none")
