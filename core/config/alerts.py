"""The settings of alerts: which rules hold in an environment, and who is told."""

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Annotated, Literal, Self, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.alerts.rules import RULES, Does, Measure, Rule
from core.config.quantities import Seconds, SettingsPart, listed, timed

RuleName: TypeAlias = Literal[
    "smoke",
    "errors",
    "errors-lasting",
    "availability",
    "availability-lasting",
    "no-requests",
    "latency",
    "burn-fast",
    "burn-slow",
    "burn-budget",
]
RULE_NAMES: tuple[RuleName, ...] = get_args(RuleName)
ReceiverKind: TypeAlias = Literal["webhook", "slack", "teams", "pagerduty", "email", "github", "azure"]
TopicName: TypeAlias = Literal["release", "alert", "page", "ticket"]
TAKES: Mapping[str, tuple[TopicName, ...]] = {
    "pagerduty": ("page",),
    "github": ("ticket",),
    "azure": ("ticket",),
}
"""What a kind of receiver is told of where nothing is said; any other is told of everything."""
TICKETS = ("github", "azure")
_VARIABLE = re.compile(r"^[A-Z_][A-Z0-9_]*$")


def _off(value: object) -> object:
    """`errors: false` turns a rule off."""
    return {"enabled": value} if isinstance(value, bool) else value


class RuleSettings(SettingsPart):
    """What is changed of one rule; what is not said stays as the rule has it."""

    enabled: bool | None = None
    limit: Annotated[float, Field(ge=0)] | None = None
    for_s: Seconds | None = None
    does: Literal["tell", "ticket", "page", "rollback", "gradual rollback"] | None = None
    window_s: Annotated[float, Field(gt=0, le=900)] | None = None
    at_least: Annotated[int, Field(ge=0)] | None = None
    long_s: Annotated[float, Field(gt=0, le=3 * 86400)] | None = None
    short_s: Annotated[float, Field(gt=0, le=3 * 86400)] | None = None
    escalate_s: Annotated[float, Field(gt=0)] | None = None
    shares: Annotated[tuple[Annotated[float, Field(gt=0, lt=100)], ...], BeforeValidator(listed)] | None = None
    pause_s: Seconds | None = None

    @field_validator("shares")
    @classmethod
    def _falling(cls, shares: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shares is not None and list(shares) != sorted(set(shares), reverse=True):
            raise ValueError("shares fall, such as [50] or [75, 50, 25]")
        return shares


class ReceiverSettings(SettingsPart):
    """Who is told, and how. What is secret is named by a variable, never written here.

    `url_env` holds a webhook's address, `token_env` a token or PagerDuty's routing key; `url` is the address of a
    service that is not at its usual place. `repository` is OWNER/NAME, or ORGANISATION/PROJECT at Azure Boards.
    With `answers` whoever reads it may answer a question by a link, where `AnswerSettings` say at which address.
    """

    kind: ReceiverKind
    takes: Annotated[tuple[TopicName, ...], BeforeValidator(listed)] | None = None
    url_env: str | None = None
    token_env: str | None = None
    url: str | None = None
    repository: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")] | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca: str | None = None
    user_env: str | None = None
    password_env: str | None = None
    sender: str | None = None
    to: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    answers: bool = True
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0

    @field_validator("url_env", "token_env", "user_env", "password_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        # A secret pasted here by mistake is not repeated: this line goes to screens and logs.
        if name is not None and not _VARIABLE.match(name):
            raise ValueError("should be the name of a variable, such as OPS_WEBHOOK, never what it holds")
        if name is not None and name.startswith("QUARTERDECK_"):
            raise ValueError(f"{name} would be read as a setting; call it otherwise")
        return name

    @field_validator("url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).password:
            raise ValueError("holds a password; name a variable in token_env instead")
        return url

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {
            "pagerduty": ("token_env",),
            "email": ("host", "sender", "to"),
            "github": ("token_env", "repository"),
            "azure": ("token_env", "repository"),
        }.get(self.kind, ("url_env",))
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise ValueError(f"{self.kind} needs {' and '.join(missing)}")
        if self.tls == "none" and self.password_env:
            raise ValueError("tls: none would send the password in the clear; take starttls or tls")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that it needs, by name."""
        named = (self.url_env, self.token_env, self.user_env, self.password_env)
        return tuple(name for name in named if name is not None)

    @property
    def told_of(self) -> tuple[TopicName, ...]:
        """What it is told of."""
        return self.takes if self.takes is not None else TAKES.get(self.kind, get_args(TopicName))


class AnswerSettings(SettingsPart):
    """Where links in messages answer a question: `url` is what people open, at `host` and `port` the watch listens.

    A question of a release without a terminal waits for `wait_s`.
    """

    url: str
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8470
    wait_s: Annotated[float, BeforeValidator(timed), Field(ge=60, le=7 * 86400)] = 3600.0

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("is no address; write https://HOST/PATH") from None
        if not host or parts.username or parts.query or parts.fragment or not (url.isascii() and url.isprintable()):
            raise ValueError("should be https://HOST/PATH, without a password, ? and #")
        # Whoever sees a link may answer.
        if parts.scheme != "https" and not (parts.scheme == "http" and _this_machine(host)):
            raise ValueError("should begin with https://; plain http is for this machine alone")
        return url.rstrip("/")


def _this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class AlertSettings(SettingsPart):
    """Which rules hold here, how often the watch looks, who is told, and where whoever is told can answer."""

    look_s: Annotated[float, Field(ge=0.2, le=60)] = 5.0
    objective: Annotated[float, Field(gt=0, lt=100)] = 99.9
    rules: Mapping[RuleName, Annotated[RuleSettings, BeforeValidator(_off)]] = Field(default_factory=dict)
    receivers: Mapping[str, ReceiverSettings] = Field(default_factory=dict)
    answers: AnswerSettings | None = None

    @property
    def answerable(self) -> bool:
        """Whether somebody who is told that a release waits can answer by a link."""
        return any("release" in told.told_of and self.answered_by(name) for name, told in self.receivers.items())

    def answered_by(self, receiver: str) -> AnswerSettings | None:
        """Where those who read a receiver's messages may answer, if they may. Too many read a ticket."""
        told = self.receivers.get(receiver)
        return self.answers if told is not None and told.answers and told.kind not in TICKETS else None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for name, rule in self.rules.items():
            short, long = rule.short_s or _default(name).short_s, rule.long_s or _default(name).long_s
            if short > long:
                raise ValueError(f"rules.{name}: short_s {short:g} is above long_s {long:g}")
        return self


def _default(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def rules(settings: AlertSettings, production: bool) -> tuple[Rule, ...]:
    """The rules that hold. That nobody asks for anything is news in production, and where the file names it."""
    found = []
    for rule in RULES:
        own = settings.rules.get(rule.name, RuleSettings())  # type: ignore[call-overload]
        usual = production or rule.measure is not Measure.REQUESTS
        named = rule.name in settings.rules
        if not (own.enabled if own.enabled is not None else usual or named):
            continue
        found.append(_changed(rule, own))
    return tuple(found)


def _changed(rule: Rule, own: RuleSettings) -> Rule:
    changes = {name: value for name, value in own.model_dump(exclude={"enabled"}).items() if value is not None}
    if "does" in changes:
        changes["does"] = Does(str(changes["does"]))
    return replace(rule, **changes)
