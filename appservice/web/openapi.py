"""The OpenAPI 3.1 document of the provisioning API, made from the models that check its requests."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from appservice.web.schema import ErrorBody
from policies.frozen import frozen

Json = dict[str, Any]

API_VERSION: Final = "1.0.0"
"""Of the API, not of the product: a caller's code stays right while the first number does."""


@frozen
class Endpoint:
    """One operation: what it takes and what it answers with when it succeeds."""

    method: str
    path: str
    operation: str
    summary: str
    status: HTTPStatus
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    idempotent: bool = False
    """Whether it heeds an Idempotency-Key header."""


def document(endpoints: Sequence[Endpoint], public_base_url: str) -> Json:
    """The whole document."""
    models = {model for each in endpoints for model in (each.answer, each.body) if model is not None} | {ErrorBody}
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Json] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mediatrix provisioning API", "version": API_VERSION},
        "servers": [{"url": public_base_url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> Json:
    operation: Json = {
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "parameters": list(_parameters(endpoint)),
        "responses": {
            str(endpoint.status.value): {"description": endpoint.status.phrase, "content": _content(endpoint.answer)},
            "default": {"description": "Not carried out", "content": _content(ErrorBody)},
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body)}
    return operation


def _parameters(endpoint: Endpoint) -> Iterable[Json]:
    if "{case}" in endpoint.path:
        yield {"name": "case", "in": "path", "required": True, "schema": {"type": "string"}}
    if endpoint.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "the same key again answers as before and does nothing more",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        }


def _content(model: type[BaseModel]) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
