"""Any name becomes a DNS label, and two that become one are told apart or refused."""

import re

import pytest
from hypothesis import given, strategies as st

from core.domain.plan import SLOTS
from core.targets.kubernetes.names import LONGEST, dns_label, key_name, meeting, slot_name

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""RFC 1035, which a Service's name keeps to."""


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("late", "late"),
        ("customer_churn_model", "customer-churn-model"),
        ("Customer Churn (v2)", "customer-churn-v2"),
        ("vente d'été", "vente-d-ete"),
        ("3d", "model-3d"),
        ("-late-", "late"),
        ("流失", "model-2eef8cf1"),
        ("x" * 58, "x" * 48 + "-5ef8b2e5"),
    ],
)
def test_a_name_becomes_a_label(name: str, label: str) -> None:
    assert dns_label(name) == label


@given(st.text(max_size=300))
def test_any_name_becomes_a_valid_label_with_room_for_a_slot(name: str) -> None:
    label = dns_label(name)
    assert len(label) <= LONGEST
    for called in (label, key_name(label), *(slot_name(label, slot) for slot in SLOTS)):
        assert LABEL.fullmatch(called)
        assert len(called) <= 63
    assert dns_label(label) == label


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert dns_label("x" * 100 + "a") != dns_label("x" * 100 + "b")


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["late", "early"], ""),
        (["late", "late"], ""),
        (["late_model", "late-model"], "late_model and late-model would both have a late-model in the cluster"),
        (["late", "late-blue"], "late and late-blue would both have a late-blue"),
        (["late-green", "late"], "late-green and late would both have a late-green"),
        (["late_key", "late"], "late_key and late would both have a late-key"),
    ],
)
def test_names_that_meet_are_both_named(names: list[str], line: str) -> None:
    assert meeting(names).startswith(line)
    assert bool(meeting(names)) == bool(line)
