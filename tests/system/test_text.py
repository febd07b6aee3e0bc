"""Text of strangers, made safe."""

import pytest
from hypothesis import given, strategies as st

from core.system.text import clean, clean_line, counted, in_digits, size


@pytest.mark.parametrize(
    ("given_text", "safe"),
    [
        ("plain, ünïcode ✔ and 日本", "plain, ünïcode ✔ and 日本"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title that never ends", ""),
        ("a\x00b\x07c", "a�b�c"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\x9b31mred", "�31mred"),
        ("broken \ud800 half", "broken � half"),
    ],
)
def test_what_a_terminal_would_obey_goes(given_text: str, safe: str) -> None:
    assert clean(given_text) == safe


@given(st.text())
def test_what_is_clean_stays_as_it_is_and_can_be_written(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(ord(sign) < 32 and sign not in "\t\n" for sign in once)
    once.encode()


def test_it_is_cut_where_it_is_long() -> None:
    assert clean("x" * 5000, 100) == "x" * 99 + "…"
    assert clean_line(" a \n\t b ") == "a b"


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (38_400, "38 kB"), (1_234_000, "1.2 MB"), (2.5e9, "2.5 GB")],
)
def test_bytes_in_a_unit_that_shows_them(count: float, said: str) -> None:
    assert size(count) == said


def test_one_is_no_plural() -> None:
    assert [counted(n, "replica") for n in (0, 1, 2)] == ["0 replicas", "1 replica", "2 replicas"]


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (12643.4, 4, "12643"),
        (-12643.4, 4, "-12643"),
        (1264.34, 4, "1264"),
        (0.00002, 4, "0.00002"),
        (0.0, 4, "0"),
        (25.0, 6, "25"),
        (5e7, 6, "50000000"),
        (0.123456, 3, "0.123"),
    ],
)
def test_a_figure_has_no_exponent(value: float, digits: int, said: str) -> None:
    assert in_digits(value, digits) == said
