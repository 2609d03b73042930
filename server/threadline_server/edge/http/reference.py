"""`/docs`: the OpenAPI description as one plain page, without scripts or anything from another host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from threadline_server.edge.http.web_page import CONTENT_SECURITY_POLICY

_HEADERS = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
_METHODS = ("get", "post", "put", "patch", "delete")

_STYLE = """:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: .9rem ui-monospace, monospace; }
h2 { border-top: 1px solid; padding-top: 1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
"""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Written:
    page: bytes
    description: bytes


class _Reference:
    """Written in a thread when it is first asked for, and kept: it takes 160 ms."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._writing = asyncio.Lock()
        self._written: _Written | None = None

    async def written(self) -> _Written:
        async with self._writing:
            if self._written is None:
                self._written = await asyncio.to_thread(_write, self._app)
            return self._written


def add_reference(app: FastAPI) -> None:
    """Serve the page at `/docs`, its machine-readable source at `/openapi.json`."""
    reference = _Reference(app)

    async def page(_: Request) -> Response:
        return HTMLResponse((await reference.written()).page, headers=_HEADERS)

    async def description(_: Request) -> Response:
        return Response((await reference.written()).description, media_type="application/json")

    async def style(_: Request) -> Response:
        return Response(_STYLE, media_type="text/css")

    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/openapi.json", description, include_in_schema=False)
    app.add_route("/docs.css", style, include_in_schema=False)


def _write(app: FastAPI) -> _Written:
    description = app.openapi()
    return _Written(render(description).encode(), bytes(JSONResponse(description).body))


def render(description: Json) -> str:
    """An OpenAPI 3 description as HTML."""
    title = f"{description['info']['title']} {description['info']['version']}"
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
            '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs.css">',
            f"<h1>{escape(title)}</h1><p>{escape(description['info'].get('description', ''))}</p>",
            '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>',
            *_operations(description),
            "<h2>Shapes</h2>",
            *_shapes(description),
            "</html>",
        ]
    )


def _operations(description: Json) -> Iterator[str]:
    for path, methods in description["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield from _operation(path, method, methods[method])


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description', operation.get('summary', '')))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        yield _table(("parameter", "in", "type", ""), map(_parameter_row, parameters))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield f"<p>Body: {_type(body['schema'])}</p>"
    yield _table(("answer", "body", ""), map(_answer_row, operation["responses"].items()))


def _parameter_row(parameter: Json) -> tuple[str, ...]:
    name = f"<code>{escape(parameter['name'])}</code>"
    return name, escape(parameter["in"]), _type(parameter["schema"]), escape(parameter.get("description", ""))


def _answer_row(answer: tuple[str, Json]) -> tuple[str, ...]:
    status, response = answer
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    return status, _type(schema) if schema else "", escape(response.get("description", ""))


def _shapes(description: Json) -> Iterator[str]:
    for name, shape in sorted(description.get("components", {}).get("schemas", {}).items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(shape.get("description", ""))}</p>'
        rows = [
            (f"<code>{escape(field)}</code>", _type(schema), escape(schema.get("description", "")))
            for field, schema in shape.get("properties", {}).items()
        ]
        yield _table(("field", "type", ""), rows)


def _table(heads: tuple[str, ...], rows: Any) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _type(schema: Json) -> str:
    """A schema in a few words; a named one as a link to its shape."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format", schema.get("type", "anything"))))
