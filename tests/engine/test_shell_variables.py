"""What a release takes along of the shell that it was begun in."""

import contextlib
from pathlib import Path

import pytest

from core.config.serving import ReleaseSettings
from core.domain.errors import BadInput
from core.engine import shell_variables
from tests.work.scene import settings


def test_the_variables_that_settings_name_go_along_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"query": "select 1", "url_env": "ROWS_URL"}
    chosen = settings(tmp_path, "sql", sql=query)
    for name, value in (
        ("ROWS_URL", "postgresql://ada:s3cret@db/rows"),
        ("MLFLOW_TRACKING_URI", "m"),
        ("EDITOR", "vi"),
    ):
        monkeypatch.setenv(name, value)
    shell_variables.keep(chosen, "r1")
    for name in ("ROWS_URL", "MLFLOW_TRACKING_URI", "EDITOR"):
        monkeypatch.delenv(name)
    found = shell_variables.environ(chosen, "r1")
    assert found["ROWS_URL"] == "postgresql://ada:s3cret@db/rows"
    assert found["MLFLOW_TRACKING_URI"] == "m"
    assert "EDITOR" not in found


@pytest.mark.parametrize(("key", "refused"), [("schlüssel", True), ("a\nb", True), ("s3cret\n", False), ("", False)])
def test_a_key_that_no_request_carries_is_said_before_a_release_begins_and_not_repeated(
    tmp_path: Path, key: str, refused: bool
) -> None:
    chosen = settings(tmp_path)
    chosen = chosen.model_copy(update={"endpoint": chosen.endpoint.model_copy(update={"key_env": "LATE_KEY"})})
    expected = pytest.raises(BadInput, match="the variable LATE_KEY holds a key that HTTP can't carry")
    with expected if refused else contextlib.nullcontext() as caught:
        shell_variables.check(chosen, {"LATE_KEY": key})
    if caught is not None:
        assert key not in str(caught.value)


@pytest.mark.parametrize(("reads_rows", "refused"), [(True, True), (False, False)])
def test_a_database_whose_variable_is_not_set_is_said_before_a_release_that_reads_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads_rows: bool, refused: bool
) -> None:
    chosen = settings(tmp_path, "sql", sql={"query": "select 1", "url_env": "ROWS_URL"})
    monkeypatch.delenv("ROWS_URL", raising=False)
    expected = pytest.raises(BadInput, match=r"^data\.sql\.url_env: the variable ROWS_URL is not set")
    with expected if refused else contextlib.nullcontext():
        shell_variables.keep(chosen, "r1", reads_rows)
    monkeypatch.setenv("ROWS_URL", "sqlite:///rows.db")
    shell_variables.keep(chosen, "r1", reads_rows)


def test_the_token_of_a_gates_source_goes_along_and_one_that_is_not_set_is_said_before_a_release_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"kind": "json", "url": "http://shop/", "query": "sold", "token_env": "SHOP_TOKEN"}
    gate = {"metric": "sold", "limit": 1.0, "source": asked}
    plain = settings(tmp_path, "flights")
    chosen = plain.model_copy(update={"release": ReleaseSettings.model_validate({"gates": [gate]})})
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with pytest.raises(BadInput, match=r"^release\.gates: the variable SHOP_TOKEN is not set; set it to the token of"):
        shell_variables.keep(chosen, "r1")
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    shell_variables.keep(chosen, "r1")
    monkeypatch.delenv("SHOP_TOKEN")
    assert shell_variables.environ(chosen, "r1")["SHOP_TOKEN"] == "s3cret"


def test_a_shell_lends_its_file_for_one_that_is_gone_and_what_else_it_has_otherwise_is_named_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, first, second = settings(tmp_path, "flights"), tmp_path / "first.pem", tmp_path / "second.pem"
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    first.touch()
    second.touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(first))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s3cret")
    shell_variables.keep(chosen, "r1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(second))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "other")
    assert shell_variables.lend(chosen, "r1") == {}
    assert shell_variables.lacking(chosen, "r1") == ""
    assert shell_variables.environ(chosen, "r1")["REQUESTS_CA_BUNDLE"] == str(first)
    assert shell_variables.differing(chosen, "r1") == ("AZURE_CLIENT_SECRET", "REQUESTS_CA_BUNDLE")
    first.unlink()
    assert (
        shell_variables.lacking(chosen, "r1") == f"REQUESTS_CA_BUNDLE as r1 was begun with names {first}, which is gone"
    )
    assert shell_variables.environ(chosen, "r1")["REQUESTS_CA_BUNDLE"] == str(second)
    assert shell_variables.lend(chosen, "r1") == {"REQUESTS_CA_BUNDLE": str(first)}
    assert shell_variables.lacking(chosen, "r1") == ""
    # By now it is kept, for who drives in another shell.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    found = shell_variables.environ(chosen, "r1")
    assert (found["REQUESTS_CA_BUNDLE"], found["AZURE_CLIENT_SECRET"]) == (str(second), "s3cret")
