"""Support tickets that nobody ever wrote: a seeded generator. Good for trying things, not for conclusions."""

import numpy as np
import pandas as pd

TARGET = "priority"
ROWS = 6_000
MISSING = {"customer_sentiment": 0.08, "error_rate_pct": 0.04, "days_since_release": 0.03}
"""Shares of values that were never filled in, as in a real desk."""

AREAS = {"billing": 0.6, "login": 0.5, "api": 0.4, "reports": -0.2, "mobile": 0.0, "settings": -0.5}
SENTIMENTS = {"calm": -0.4, "neutral": 0.0, "annoyed": 0.3, "angry": 0.8}
TIERS = {"free": -0.5, "team": 0.0, "business": 0.3, "enterprise": 0.7}
CHANNELS = ("portal", "email", "chat", "phone")
REGIONS = ("americas", "europe", "asia", "africa", "oceania")
CODES = {
    "plan_tier": tuple(TIERS),
    "region": REGIONS,
    "customer_sentiment": tuple(SENTIMENTS),
    "product_area": tuple(AREAS),
    "channel": CHANNELS,
}
"""What a number in these columns stands for: its place here, from 0."""
FIRST = ("org_users", "past_30d_tickets", "customers_affected", "error_rate_pct", "downtime_min")
"""The columns that stand first, in this order."""
CUTS = (0.50, 0.82)
"""Where low ends and where high begins, as shares of all tickets."""


def tickets(rows: int | None, random_state: int) -> pd.DataFrame:
    """Synthetic tickets with 24 features, all of them numbers, and a priority that follows from most of them, with
    some noise. A row that is sent without names begins as `FIRST` does."""
    count = rows or ROWS
    draw = np.random.default_rng(random_state)
    table = pd.concat([_customer(count, draw), _incident(count, draw), _ticket(count, draw)], axis=1)
    table = table[[*FIRST, *(name for name in table.columns if name not in FIRST)]]
    urgency = _urgency(table) + draw.normal(0, 0.22, count)
    low, high = np.quantile(urgency, CUTS)
    priority = np.select([urgency < low, urgency < high], ["low", "medium"], "high")
    for name, known in CODES.items():
        table[name] = table[name].map({text: code for code, text in enumerate(known)}).astype(int)
    flags = table.select_dtypes("bool").columns
    table[flags] = table[flags].astype(int)
    for name, share in MISSING.items():
        table[name] = table[name].mask(draw.random(count) < share)
    table[TARGET] = priority
    return table


def _customer(count: int, draw: np.random.Generator) -> pd.DataFrame:
    """Who asks."""
    return pd.DataFrame(
        {
            "org_users": np.ceil(draw.lognormal(4, 1.3, count)).astype(int),
            "plan_tier": draw.choice(list(TIERS), count, p=[0.25, 0.35, 0.25, 0.15]),
            "region": draw.choice(REGIONS, count, p=[0.4, 0.3, 0.2, 0.05, 0.05]),
            "account_age_days": draw.integers(1, 3000, count),
            "past_30d_tickets": draw.poisson(3, count),
            "past_60d_incidents": draw.poisson(0.8, count),
        }
    )


def _incident(count: int, draw: np.random.Generator) -> pd.DataFrame:
    """What happened: in half of the tickets nothing is down."""
    down = draw.random(count) < 0.5
    return pd.DataFrame(
        {
            "customers_affected": np.where(down, np.ceil(draw.lognormal(3, 1.5, count)), 0).astype(int),
            "error_rate_pct": np.round(np.where(down, draw.gamma(2, 8, count), draw.gamma(1, 0.5, count)), 2),
            "downtime_min": np.where(down, np.ceil(draw.gamma(1.5, 30, count)), 0).astype(int),
            "latency_increase_pct": np.round(draw.gamma(1.2, 20, count), 1),
            "regions_affected": np.where(down, draw.integers(1, 5, count), 0),
            "failed_logins": draw.poisson(np.where(down, 12, 2)),
            "payment_impact_flag": draw.random(count) < np.where(down, 0.25, 0.05),
            "security_incident_flag": draw.random(count) < 0.05,
            "data_loss_flag": draw.random(count) < np.where(down, 0.08, 0.01),
            "has_runbook": draw.random(count) < 0.6,
        }
    )


def _ticket(count: int, draw: np.random.Generator) -> pd.DataFrame:
    """How it was asked."""
    return pd.DataFrame(
        {
            "customer_sentiment": draw.choice(list(SENTIMENTS), count, p=[0.2, 0.4, 0.25, 0.15]),
            "product_area": draw.choice(list(AREAS), count),
            "channel": draw.choice(CHANNELS, count, p=[0.4, 0.35, 0.15, 0.1]),
            "hour_opened": draw.integers(0, 24, count),
            "weekday_opened": draw.integers(1, 8, count),
            "description_words": np.ceil(draw.gamma(2, 60, count)).astype(int),
            "attachments": draw.poisson(0.7, count),
            "days_since_release": draw.integers(0, 90, count).astype(float),
        }
    )


def _urgency(table: pd.DataFrame) -> pd.Series:
    """What a sensible desk would make of a ticket; the unit is arbitrary."""
    urgency: pd.Series = (
        2.0 * table["security_incident_flag"]
        + 1.8 * table["data_loss_flag"]
        + 1.4 * table["payment_impact_flag"]
        + 0.35 * np.log1p(table["customers_affected"])
        + 0.30 * np.log1p(table["downtime_min"])
        + 0.03 * table["error_rate_pct"]
        + 0.12 * np.log1p(table["org_users"])
        + 0.15 * table["past_60d_incidents"]
        - 0.4 * table["has_runbook"]
        + table["plan_tier"].map(TIERS)
        + 0.6 * table["customer_sentiment"].map(SENTIMENTS)
        + 0.6 * table["product_area"].map(AREAS)
    )
    return urgency
