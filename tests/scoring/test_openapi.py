"""What the service says of itself: a document that fits what it does, and a page whose command works by copy."""

import html
import json
import re
import subprocess
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scoring import inference_v2, openapi
from scoring.manifest import TYPES, ModelField
from scoring.model import Model
from tests.scoring.test_service import IDENTITY, KEY, served

FIELDS = {"delay": "number", "month": "number", "vip": "boolean", "carrier": "string"}


@pytest.mark.parametrize("key", ["", KEY])
def test_the_document_names_the_fields_and_its_example_is_taken(model: Model, key: str) -> None:
    def visit(http: httpx.Client) -> tuple[httpx.Response, httpx.Response]:
        http.headers["x-api-key"] = key
        about = http.get("/openapi.json")
        asked = about.json()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
        return about, http.post("/predict?probabilities=true&notes=true", json=asked)

    about, answer = served(model, visit, key=key)
    document: dict[str, Any] = about.json()
    row = document["components"]["schemas"]["Row"]
    assert {name: schema["type"] for name, schema in row["properties"].items()} == {
        name: [kind, "null"] for name, kind in FIELDS.items()
    }
    assert row["required"] == list(FIELDS)
    assert ("security" in document) is bool(key)
    assert answer.status_code == 200
    promised = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(answer.json()) == set(promised["properties"])
    assert set(answer.json()["predictions"]) <= set(promised["properties"]["predictions"]["items"]["enum"])


@pytest.mark.parametrize(("parts", "form"), [(("year", "days"), "date"), (("days", "hour"), "date-time")])
def test_a_date_is_no_text_of_any_kind(model: Model, parts: tuple[str, ...], form: str) -> None:
    about = replace(model.about, fields=(ModelField("day", "date", parts=parts),))
    row = openapi.document(about, IDENTITY, keyed=False)["components"]["schemas"]["Row"]
    assert row["properties"] == {"day": {"type": ["string", "null"], "format": form}}


def test_the_command_on_the_page_works_by_copy(model: Model) -> None:
    def visit(http: httpx.Client) -> tuple[httpx.Response, dict[str, Any]]:
        page = http.get("/docs", headers={"x-api-key": KEY})
        found = re.search(r"<pre>(.*?)</pre>", page.text, re.DOTALL)
        assert found
        done = subprocess.run(
            ["sh", "-c", html.unescape(found[1])],
            env={"KEY": KEY, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            timeout=20,
            check=True,
        )
        return page, json.loads(done.stdout)

    page, answer = served(model, visit, key=KEY)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert KEY not in page.text
    assert answer["num_samples"] == 1


def test_a_name_that_is_no_host_does_not_get_onto_the_page(model: Model) -> None:
    def visit(http: httpx.Client) -> str:
        return http.get("/docs", headers={"host": "$(id)'<b>"}).text

    assert "$(id)" not in served(model, visit)


@pytest.mark.parametrize("kind", TYPES)
def test_a_field_of_every_type_has_a_schema_and_a_tensor(kind: str) -> None:
    assert kind in openapi._TYPES
    assert kind in inference_v2._TYPES
