"""Values on their way into a document and out of it.

In: JSON, Pydantic models, dataclasses and enums become plain JSON, or `NotSerializable` names the path that
cannot. Out: whatever a foreign peer has put into a document (NaN, bytes, integers of 64 bits, `undefined`)
becomes JSON that `json.dumps` accepts, the same in Python and TypeScript.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from threadline.errors import NotSerializable

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
T = TypeVar("T")

MAX_SAFE_INTEGER = 2**53 - 1  # beyond it, JavaScript rounds
MAX_DEPTH = 64
BYTES_PREFIX = "base64:"


def to_json(value: object, path: str = "") -> JSON:
    """`value` as plain JSON, copied. Raises NotSerializable with the path of what a document cannot hold."""
    return _to_json(value, path, 0)


def _to_json(value: object, path: str, depth: int) -> JSON:
    if depth > MAX_DEPTH:
        raise NotSerializable(f"{path or '/'}: nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _to_json(value.value, path, depth)
    if isinstance(value, str):
        return _checked_text(value, path)
    if isinstance(value, int | float):
        return _checked_number(value, path)
    if isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return _to_json(_dumped(value, path), path, depth)
    if isinstance(value, Mapping):
        return {_checked_key(k, path): _to_json(v, f"{path}/{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(v, f"{path}/{i}", depth + 1) for i, v in enumerate(value)]
    raise NotSerializable(f"{path or '/'}: a {type(value).__name__} cannot be stored in a session")


def _dumped(value: object, path: str) -> object:
    """A model or dataclass as its JSON fields; computed fields are left out, since they are computed again
    on load.
    """
    try:
        if isinstance(value, BaseModel):
            computed = set(type(value).model_computed_fields)
            return value.model_dump(mode="json", exclude=computed or None)
        return TypeAdapter(type(value)).dump_python(value, mode="json")
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise NotSerializable(f"{path or '/'}: {error}") from error


def _checked_text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotSerializable(f"{path or '/'}: text with half of a surrogate pair") from error
    return str(value)


def _checked_key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise NotSerializable(f"{path or '/'}: the key {key!r} is not a string")
    return _checked_text(key.value if isinstance(key, Enum) else key, path)


def _checked_number(value: int | float, path: str) -> int | float:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotSerializable(f"{path or '/'}: {value} is not a JSON number")
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        raise NotSerializable(f"{path or '/'}: integers past 2^53 lose digits in browsers; store it as text")
    return int(value) if isinstance(value, int) else float(value)


def plain(value: object) -> JSON:
    """A value found in a document as JSON: never raises, never gives NaN, bytes or an unknown object.

    Whole floats within 2^53 become integers, because Yjs knows only one kind of number. NaN, infinities and
    shared types inside a value become None; bytes become `base64:...`.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, float):
        return _plain_float(value)
    if isinstance(value, int):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return BYTES_PREFIX + base64.b64encode(bytes(value)).decode()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None


def _plain_float(value: float) -> JSON:
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value


def same(left: JSON, right: JSON) -> bool:
    """Equality of JSON values, in which `True` is not `1` and `1.0` is `1`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


def load_as(value: JSON, as_type: type[T]) -> T | JSON:
    """`value` as an instance of `as_type` (Pydantic model, dataclass, any type Pydantic can validate).

    Data that does not fit the type is given back raw, so that a reader of an older shape still sees what is
    stored.
    """
    if value is None:
        return None
    try:
        if isinstance(as_type, type) and issubclass(as_type, BaseModel):
            return cast(T, as_type.model_validate(value))
        return TypeAdapter(as_type).validate_python(value)
    except ValidationError:
        return value


def text_of(value: object, default: str = "") -> str:
    """`value` if it is a string, otherwise `default`."""
    return value if isinstance(value, str) else default


def number_of(value: object, default: int = 0) -> int:
    """`value` as a whole number if it is a finite number, otherwise `default`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return int(value) if math.isfinite(value) else default


def mapping_of(value: object) -> dict[str, JSON]:
    """`value` if it is a JSON object, otherwise an empty one."""
    return cast("dict[str, JSON]", value) if isinstance(value, dict) else {}


def strings_of(value: object) -> tuple[str, ...]:
    """The strings of a JSON list; anything else is left out."""
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
