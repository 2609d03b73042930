"""Objects in a bucket that speaks the S3 API, through obstore (bindings of Rust's object_store).

Region, endpoint and credentials come from the environment as every S3 client reads them: AWS_REGION,
AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the machine's role.
"""

from __future__ import annotations

from datetime import timedelta

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from threadline.errors import ConfigurationError, StoreError

REQUEST_S = 30
RETRY_S = 20


class S3Objects:
    """`url` is `s3://bucket/prefix`; `allow_http` for a server on this machine or network."""

    def __init__(self, url: str, *, allow_http: bool = True) -> None:
        self.url = url
        try:
            self._store = S3Store.from_url(
                url,
                client_options={"allow_http": allow_http, "timeout": timedelta(seconds=REQUEST_S)},
                retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=RETRY_S)},
            )
        except (BaseError, ValueError) as error:
            raise ConfigurationError(
                f"{url} cannot be used as an object store ({error}). Write s3://bucket/prefix and set "
                "AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            ) from error

    async def put(self, key: str, data: bytes) -> None:
        try:
            await obstore.put_async(self._store, key, data)
        except BaseError as error:
            raise self._failed("write", key, error) from error

    async def get(self, key: str) -> bytes | None:
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise self._failed("read", key, error) from error

    async def delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, [key])
        except FileNotFoundError:
            return
        except BaseError as error:
            raise self._failed("delete", key, error) from error

    async def delete_under(self, prefix: str) -> None:
        try:
            async for found in obstore.list(self._store, prefix):
                await obstore.delete_async(self._store, [entry["path"] for entry in found])
        except BaseError as error:
            raise self._failed("delete", prefix, error) from error

    def _failed(self, what: str, key: str, error: BaseError) -> StoreError:
        return StoreError(f"The object store {self.url} could not {what} {key}: {error}")
