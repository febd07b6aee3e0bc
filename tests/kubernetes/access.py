"""Who asks, and what they may: tokens, rules of users, and denials that a test sets."""

from dataclasses import dataclass, field

from tests.kubernetes.errors import ApiError
from tests.kubernetes.kinds import ApiResource, Json

ANONYMOUS = "system:anonymous"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Verbs on resources (`pods`, `pods/log`, `deployments`), in one namespace or in all; `*` is any."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    namespace: str = "*"

    def covers(self, verb: str, resource: str, namespace: str) -> bool:
        """Is this asked for by the rule?"""
        return (
            ("*" in self.verbs or verb in self.verbs)
            and ("*" in self.resources or resource in self.resources)
            and self.namespace in {"*", namespace}
        )


ALL = AccessRule(("*",), ("*",))


@dataclass(slots=True)
class Access:
    """The users by token. `denied` holds against everybody; without `anonymous` no token is a 401."""

    users: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[AccessRule]] = field(default_factory=dict)
    denied: list[AccessRule] = field(default_factory=list)
    anonymous: bool = True

    def user(self, token: str, name: str, *rules: AccessRule) -> None:
        """Let somebody in with a token."""
        self.users[token] = name
        self.rules[name] = list(rules)

    def expire(self, token: str) -> None:
        """A token is none any longer: 401 from now on."""
        self.users.pop(token, None)

    def who(self, authorization: str) -> str:
        """The user behind a header, or 401."""
        token = authorization.removeprefix("Bearer ").strip()
        if token in self.users:
            return self.users[token]
        if token or not self.anonymous:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return ANONYMOUS

    def allowed(self, user: str, verb: str, resource: str, namespace: str) -> bool:
        """May this user do that?"""
        if any(rule.covers(verb, resource, namespace) for rule in self.denied):
            return False
        return any(rule.covers(verb, resource, namespace) for rule in self.rules.get(user, ()))

    def check(self, user: str, verb: str, of: ApiResource, sub: str, namespace: str, name: str) -> None:
        """Refuse with a 403 what is not allowed."""
        resource = f"{of.plural}/{sub}" if sub else of.plural
        if self.allowed(user, verb, resource, namespace):
            return
        named = f'{of.qualified} "{name}"' if name else of.qualified
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = f'User "{user}" cannot {verb} resource "{resource}" in API group "{of.group}" {where}'
        raise ApiError(403, "Forbidden", f"{named} is forbidden: {why}", of.details(name or None))

    def reviewed(self, user: str, body: Json) -> Json:
        """A SelfSubjectAccessReview, answered."""
        spec = body.get("spec") or {}
        asked = spec.get("resourceAttributes")
        kept = {key: value for key, value in (asked or {}).items() if value}
        if asked is None:
            allowed = spec.get("nonResourceAttributes", {}).get("verb") == "get"
        else:
            resource = "/".join(filter(None, (asked.get("resource"), asked.get("subresource"))))
            allowed = self.allowed(user, asked.get("verb", ""), resource, asked.get("namespace", ""))
        answered = {"resourceAttributes": kept} if asked is not None else spec
        head = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
        return {**head, "spec": answered, "status": {"allowed": allowed}}
