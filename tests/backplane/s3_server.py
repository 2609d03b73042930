"""A server that speaks as much of the S3 API as object stores' clients need: put, get, delete, list."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

LISTED_AT_ONCE = 100


class Bucket:
    """objects: what was put, by key. `refuse` makes every request fail."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuse = False
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def log_message(self, *args: object) -> None:
        return

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self) -> None:
        body = self._body()
        if self.bucket.refuse:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        self.bucket.objects[self._key()] = body
        self._answer(200, ETag='"1"')

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            self._list(query)
            return
        data = self.bucket.objects.get(self._key())
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            modified = "Sat, 21 Nov 2026 08:00:00 GMT"
            self._answer(200, data, ETag='"1"', Last_Modified=modified)

    def _list(self, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", [""])[0]
        keys = [key for key in sorted(self.bucket.objects) if key.startswith(prefix) and key > after]
        page = keys[:LISTED_AT_ONCE]
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-21T08:00:00.000Z</LastModified>"
            f'<ETag>"1"</ETag><Size>{len(self.bucket.objects[key])}</Size></Contents>'
            for key in page
        )
        more = len(keys) > len(page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        body = f"<ListBucketResult>{truncated}{token}{entries}</ListBucketResult>"
        self._answer(200, body.encode(), Content_Type="application/xml")

    def do_DELETE(self) -> None:
        self.bucket.objects.pop(self._key(), None)
        self._answer(204)

    def do_POST(self) -> None:
        tree = ElementTree.fromstring(self._body())
        keys = [node.text or "" for node in tree.iter() if node.tag.endswith("Key")]
        for key in keys:
            self.bucket.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode(), Content_Type="application/xml")


@contextmanager
def s3_bucket() -> Iterator[Bucket]:
    """A bucket behind a server on this machine."""
    bucket = Bucket()
    handler = type("Handler", (_Handler,), {"bucket": bucket})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
