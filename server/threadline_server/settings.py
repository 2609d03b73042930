"""Every option of the server, once. The field `upkeep_every_s` is the flag `--upkeep-every-s`, the
environment variable `THREADLINE_UPKEEP_EVERY_S` and the line `upkeep_every_s = 30` of a file. A flag beats
the variable, the variable the file, the file the default.

The bounds of wire, rooms and runs are declared where they are used (`Limits`, `RoomOptions`, `RunOptions`)
and become options here. Only `app` and `cli` read settings; everything below them gets plain values.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import ipaddress
import itertools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, get_type_hints
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from threadline.errors import ConfigurationError
from threadline.protocol.limits import Limits
from threadline_server.edge.options import EdgeOptions
from threadline_server.rooms.options import RoomOptions
from threadline_server.runs.options import RunOptions

ENVIRONMENT_PREFIX = "THREADLINE_"

Seconds = Annotated[float, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]

Options = TypeVar("Options")

BOUNDS = (RoomOptions, RunOptions, EdgeOptions, Limits)

ORDERED = (
    ("heartbeat_s", "idle_timeout_s", "every quiet device would count as dead"),
    ("pause_bytes", "refuse_bytes", "writers would be sent away before they are held"),
    ("max_token_bytes", "max_unauthenticated_frame_bytes", "no token of that size could arrive"),
)
"""(smaller, larger, what happens otherwise)"""


def _fields_of(declared: type) -> dict[str, Any]:
    """The numeric fields of an options dataclass as pydantic fields; their docstrings become descriptions."""
    sentences = _attribute_docstrings(declared)
    types = get_type_hints(declared)
    return {
        field.name: (types[field.name], Field(field.default, ge=0, description=sentences[field.name]))
        for field in dataclasses.fields(declared)
        if types[field.name] in (int, float)
    }


def _attribute_docstrings(declared: type) -> dict[str, str]:
    """The string that stands below each field in the source of a class, on one line."""
    body = ast.parse(inspect.getsource(declared)).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in itertools.pairwise(body.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


if TYPE_CHECKING:
    _Bounds = BaseModel
else:
    _Bounds = create_model(
        "_Bounds",
        __config__=ConfigDict(frozen=True, extra="forbid"),
        **{name: field for declared in BOUNDS for name, field in _fields_of(declared).items()},
    )


class Settings(_Bounds):
    """Checked values. Building one directly raises pydantic's ValidationError; `load` words it for people."""

    config: Path | None = Field(
        default=None, description="File of settings (TOML, one `name = value` a line)."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data: Path = Field(default=Path("data"), description="Directory of the embedded store.")
    redis: str | None = Field(
        default=None, description="Redis that nodes share, instead of the embedded store."
    )
    objects: str | None = Field(
        default=None,
        description="Where blobs and idle sessions go with --redis: a directory, or s3://bucket/prefix.",
    )
    cold_after_s: Seconds = Field(
        default=604_800.0,
        description="Move sessions idle for longer out of Redis, where --objects is given; 0 keeps them.",
        json_schema_extra={"off": 0},
    )
    durability: Literal["fsync", "process", "none"] | None = Field(
        default=None,
        description="Least that an acknowledgement must mean; start-up refuses a store that gives less.",
    )
    agent: tuple[str, ...] = Field(
        default=(), description="Agent to run here, as MODULE:AGENT; may be repeated."
    )
    auth: Literal["none", "pairing", "token"] = Field(
        default="none",
        description="none: a token is a name (loopback only); pairing: one-time codes; token: signed tokens.",
    )
    auth_secret: SecretStr | None = Field(
        default=None, description="Shared secret of tokens signed with HS256; 32 random bytes or more."
    )
    auth_keys_file: Path | None = Field(
        default=None, description="Keys of tokens: a JWK, a JWK set or a PEM key (Ed25519 or RSA)."
    )
    auth_jwks_url: str | None = Field(
        default=None, description="Where the issuer of tokens publishes its keys (https)."
    )
    auth_issuer: str = Field(default="threadline", description="What tokens must state as iss.")
    auth_audience: str = Field(default="threadline", description="What tokens must state as aud.")
    url_tokens: Literal["tickets", "any"] = Field(
        default="tickets", description="Which tokens an address may carry; any: signed ones and keys too."
    )
    operators: tuple[str, ...] = Field(
        default=(), description="User who may revoke what belongs to others, and see /admin; may be repeated."
    )
    tls_certificate: Path | None = Field(
        default=None, description="Certificate chain (PEM) to serve https and wss with; needs --tls-key."
    )
    tls_key: Path | None = Field(default=None, description="Key (PEM) of --tls-certificate.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Address or network of a proxy whose X-Forwarded-For is believed; may be repeated.",
    )
    encryption_keys_file: Path | None = Field(
        default=None, description="Master keys; given, everything people write is stored encrypted."
    )
    encryption_keys: SecretStr | None = Field(
        default=None, description="The same lines, separated by commas, for platforms without files."
    )
    encryption_service: str | None = Field(
        default=None, description="Key management service in the place of master keys, as MODULE:WRAPPING."
    )
    root_rules: str | None = Field(
        default=None, description="Rules for an application's own roots, as MODULE:ROOTS."
    )
    audit_file: Path | None = Field(
        default=None, description="File to which the audit log is appended, besides the ordinary log."
    )
    webhook_url: str | None = Field(
        default=None, description="Where to POST a signed notice when a run waits or ends."
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Shared secret that signs those notices; 16 characters or more."
    )
    public_url: str | None = Field(default=None, description="Address that devices use, behind a proxy.")
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Web origins allowed besides the server's own; may be repeated."
    )

    max_connections: Positive = Field(
        default=10_000, description="Open WebSocket connections; more are turned away."
    )
    max_request_bytes: Positive = Field(default=1_048_576, description="Largest HTTP request body.")
    expire_after_s: Seconds = Field(
        default=0.0,
        description="Delete sessions idle for longer; 0 keeps them for ever.",
        json_schema_extra={"off": 0},
    )
    upkeep_every_s: float = Field(default=30.0, gt=0, description="Time between two upkeep rounds.")
    stop_grace_s: Seconds = Field(
        default=10.0, description="Time in which a stopping node sends devices away."
    )
    start_timeout_s: float = Field(
        default=30.0, gt=0, description="How long start-up waits for an absent store."
    )

    traces_endpoint: str | None = Field(
        default=None,
        description="Where traces go (OTLP over HTTP): http://127.0.0.1:4318. Needs threadline[telemetry].",
    )
    traces_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Part of the traces that is kept, chosen by chance."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level logged."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        default="auto", description="text for people, json for machines; auto: text on a terminal."
    )

    def pick(self, kind: type[Options], **others: object) -> Options:
        """One of `BOUNDS` with the values set here; `others` are its fields that are no number."""
        return kind(**{name: getattr(self, name) for name in _fields_of(kind)}, **others)

    @property
    def room_options(self) -> RoomOptions:
        return self.pick(RoomOptions, limits=self.limits)

    @property
    def limits(self) -> Limits:
        return self.pick(Limits)

    @field_validator("redis")
    @classmethod
    def _redis_scheme(cls, url: str | None) -> str | None:
        if url is None or url.startswith(
            ("redis://", "rediss://", "redis+cluster://", "redis+sentinel://", "unix://")
        ):
            return url
        raise ValueError("must be a URL such as redis://127.0.0.1:6379/0")

    @field_validator("webhook_url")
    @classmethod
    def _webhook_scheme(cls, url: str | None) -> str | None:
        if url is None or (url.startswith(("http://", "https://")) and urlsplit(url).hostname):
            return url
        raise ValueError("must be a URL such as https://example.com/threadline")

    @field_validator("traces_endpoint")
    @classmethod
    def _traces_scheme(cls, url: str | None) -> str | None:
        if url is None or (url.startswith(("http://", "https://")) and urlsplit(url).hostname):
            return url
        raise ValueError("must be a URL such as http://127.0.0.1:4318")

    @field_validator("webhook_secret")
    @classmethod
    def _webhook_secret_length(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None or len(secret.get_secret_value()) >= 16:
            return secret
        raise ValueError("must have 16 characters or more")

    @field_validator("agent")
    @classmethod
    def _agent_shape(cls, agents: tuple[str, ...]) -> tuple[str, ...]:
        for agent in agents:
            module, colon, name = agent.partition(":")
            if not (module and colon and name):
                raise ValueError(f"must be MODULE:AGENT, for example travel:agent; {agent!r} is not")
        return agents

    @model_validator(mode="after")
    def _contradictions(self) -> Self:
        if self.redis is not None and "data" in self.model_fields_set:
            raise ValueError(
                "--redis and --data exclude each other: with --redis sessions live in Redis, with --data "
                "in that directory. Leave one of them out."
            )
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("--webhook-url and --webhook-secret go together: notices are signed.")
        self._check_objects()
        self._check_bounds()
        self._check_auth()
        self._check_encryption()
        if self.redis is not None and self.auth == "pairing":
            raise ValueError(
                "--auth pairing shows its codes at the terminal of one node, so it does not go with "
                "--redis. Leave --host at 127.0.0.1, with a proxy in front that knows who is who."
            )
        if self.auth == "none" and not is_loopback(self.host):
            raise ValueError(
                f"--auth none lets anybody in under any name, so it listens on loopback only, not on "
                f"{self.host}. Leave --host at 127.0.0.1, or choose --auth token or --auth pairing."
            )
        return self

    def _check_objects(self) -> None:
        if self.objects is not None and self.redis is None:
            raise ValueError(
                "--objects takes what is too large for Redis, and the embedded store keeps that in --data. "
                "Add --redis, or leave --objects out."
            )
        if "cold_after_s" in self.model_fields_set and self.cold_after_s and self.objects is None:
            raise ValueError("--cold-after-s moves idle sessions to --objects; give that too, or neither.")

    def _check_bounds(self) -> None:
        """Pairs of which one must be the larger; looked at when somebody changes one of them."""
        for smaller, larger, otherwise in ORDERED:
            low, high = getattr(self, smaller), getattr(self, larger)
            if {smaller, larger} & self.model_fields_set and low > high:
                raise ValueError(
                    f"{flag_of(smaller)} {low:g} is more than {flag_of(larger)} {high:g}: {otherwise}. "
                    "Lower the first or raise the second."
                )

    def _check_encryption(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("--tls-certificate and --tls-key go together; give both or none.")
        keys = ("encryption_keys_file", "encryption_keys", "encryption_service")
        given = [flag_of(name) for name in keys if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; give one.")

    def _check_auth(self) -> None:
        keys = [name for name in ("auth_secret", "auth_keys_file", "auth_jwks_url") if getattr(self, name)]
        others = sorted(self.model_fields_set & {"auth_issuer", "auth_audience", "url_tokens"})
        if self.auth != "token" and (keys or others):
            raise ValueError(
                f"{flag_of((keys + others)[0])} is for signed tokens, and --auth {self.auth} asks for none. "
                "Add --auth token, or leave it out."
            )
        if self.auth == "token" and not keys:
            raise ValueError(
                "--auth token needs keys to check tokens with: give --auth-keys-file, --auth-jwks-url, or a "
                "shared secret in THREADLINE_AUTH_SECRET."
            )
        if not (self.auth_issuer and self.auth_audience):
            raise ValueError("--auth-issuer and --auth-audience cannot be empty: tokens must state both.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ValueError(
                    f"must be an address or a network such as 10.0.0.0/8; {proxy} is not"
                ) from None
        return proxies

    @field_validator("auth_jwks_url")
    @classmethod
    def _jwks_scheme(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return url
        raise ValueError("must be an https URL: whoever can change these keys can be anybody")


def is_bound(field: str) -> bool:
    """Whether `field` is one of the bounds, which few operators change."""
    return field in _Bounds.model_fields


def is_secret(field: str) -> bool:
    """Whether the value of `field` is never shown."""
    return bool(Settings.model_fields[field].annotation == SecretStr | None)


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine only. Names other than localhost count as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def flag_of(field: str) -> str:
    return "--" + field.replace("_", "-")


def variable_of(field: str) -> str:
    return ENVIRONMENT_PREFIX + field.upper()


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave, and what they would change: a flag, a variable, or a line of a file."""

    value: object
    source: str


def load(flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Settings from flags (None and () mean not given), the environment, and the file that either names.

    Raises ConfigurationError with the fix for an unknown name, a bad value or a contradiction.
    """
    return checked(gather(flags, environment))


def checked(given: Mapping[str, Given]) -> Settings:
    """Raises ConfigurationError as `load`."""
    try:
        return Settings.model_validate({name: one.value for name, one in given.items()})
    except ValidationError as error:
        raise ConfigurationError(_in_words(error.errors(), given)) from None


def gather(flags: Mapping[str, object], environment: Mapping[str, str]) -> dict[str, Given]:
    """What was given for each field, by the strongest source; not yet checked."""
    on_line = {
        name: Given(value, flag_of(name))
        for name, value in flags.items()
        if value is not None and value != ()
    }
    above = _from_environment(environment) | on_line
    file = above.get("config")
    return above if file is None else _from_file(Path(str(file.value))) | above


def _from_file(path: Path) -> dict[str, Given]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"The file of settings {path} cannot be read ({error.strerror}). Correct --config."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The file of settings {path} is not TOML: {error}. A line is `name = value`, texts in quotes."
        ) from None
    return {_line_of(name, path): _from_line(name, value, path) for name, value in values.items()}


def _line_of(name: str, path: Path) -> str:
    if name in Settings.model_fields and name != "config":
        return name
    near = difflib.get_close_matches(name.replace("-", "_"), Settings.model_fields, n=1)
    advice = f"Did you mean {near[0]}?" if near else "`threadline config docs` lists what there is."
    raise ConfigurationError(f"{name} in {path} is no setting of this server. {advice}")


def _from_line(name: str, value: object, path: Path) -> Given:
    return Given(tuple(value) if isinstance(value, list) else value, f"{name} in {path}")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    values: dict[str, Given] = {}
    if environment.get("PORT"):
        values["port"] = Given(environment["PORT"], "PORT")
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = _field_of(variable)
            values[name] = Given(_split(text) if _is_list(name) else text, variable)
    return values


def _field_of(variable: str) -> str:
    name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
    if name in Settings.model_fields:
        return name
    known = [variable_of(field) for field in Settings.model_fields]
    near = difflib.get_close_matches(variable, known, n=1)
    advice = f"Did you mean {near[0]}?" if near else "`threadline config docs` lists what there is."
    raise ConfigurationError(f"The environment variable {variable} is no setting of this server. {advice}")


def _is_list(name: str) -> bool:
    return isinstance(Settings.model_fields[name].default, tuple)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _in_words(errors: Iterable[ErrorDetails], given: Mapping[str, Given]) -> str:
    return " ".join(_sentence(error, given) for error in errors)


def _sentence(error: ErrorDetails, given: Mapping[str, Given]) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    value = "" if is_secret(name) else f" {given[name].value!r}"
    return f"{given[name].source}{value}: {message[0].lower()}{message[1:].rstrip('.')}."
