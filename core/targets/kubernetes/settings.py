"""What the Kubernetes target adds to the settings: which cluster, which image, how traffic is split."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from core.config.quantities import SettingsPart
from core.config.serving import EndpointSettings
from core.config.targets import TargetSettings
from core.domain.errors import BadInput
from core.domain.gates import DIFFERING, MIX
from core.domain.plan import Mirror, Patience, Shift, Step
from core.system.text import counted
from core.targets.kubernetes.names import meeting
from core.targets.kubernetes.shares import EXACT, planned_counts

Traffic: TypeAlias = Literal["gateway", "replicas", "selector"]
FULL = 100.0
LONGEST_LABEL = 63
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d{{1,5}})?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?@sha256:[0-9a-f]{{64}}", re.ASCII
)
PINNED = "REGISTRY/NAME@sha256:DIGEST"


def label(text: str) -> str:
    """A name that Kubernetes takes for a namespace; raises ValueError."""
    if not text:
        raise ValueError("is empty, and should be a name such as models")
    if len(text) > LONGEST_LABEL:
        raise ValueError(
            f"{text[:20]}… has {len(text)} characters, and {LONGEST_LABEL} are the most that Kubernetes takes"
        )
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} should be small letters, digits and dashes, such as models")
    return text


def host_name(text: str) -> str:
    """A name of hosts and of most objects, labels with dots between; raises ValueError."""
    if not _HOST.fullmatch(text) or len(text) > 253:
        raise ValueError(f"{text!r} should be small letters, digits, dashes and dots, such as models.example.com")
    return text


class ClusterServiceSettings(SettingsPart):
    """How callers reach the endpoint: the Service's type and its port."""

    type: Literal["LoadBalancer", "ClusterIP", "NodePort"] = "LoadBalancer"
    port: Annotated[int, Field(ge=1, le=65535)] = 80


class GatewaySettings(SettingsPart):
    """The Gateway that splits the traffic, and the host that callers name where it serves more than this endpoint."""

    name: str
    namespace: str
    host: str | None = None

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, namespace: str) -> str:
        return label(namespace)

    @field_validator("name", "host")
    @classmethod
    def _name(cls, name: str | None) -> str | None:
        return None if name is None else host_name(name)


class KubernetesSettings(TargetSettings):
    """One namespace of one cluster. `context` is the kubeconfig's and has no default: nothing is ever sent to whichever
    cluster happens to be current. `image` holds the model and is named by its digest.

    `traffic`: `gateway` splits by weight, `replicas` by how many pods each version has, `selector` moves all or none.
    """

    context: Annotated[str, Field(min_length=1)]
    namespace: str
    create_namespace: bool = False
    image: str | None = None
    pull_secret: str | None = "ecr-credentials"  # noqa: S105 - its name
    service: ClusterServiceSettings = ClusterServiceSettings()
    traffic: Traffic = "replicas"
    gateway: GatewaySettings | None = None
    disruption_budget: bool = True

    @field_validator("context")
    @classmethod
    def _seen(cls, context: str) -> str:
        if not context.isprintable() or context != context.strip():
            raise ValueError(f"{context!r} should be a context's name as 'kubectl config get-contexts' shows it")
        return context

    @field_validator("namespace")
    @classmethod
    def _namespace(cls, namespace: str) -> str:
        return label(namespace)

    @field_validator("pull_secret")
    @classmethod
    def _secret(cls, pull_secret: str | None) -> str | None:
        return None if pull_secret is None else host_name(pull_secret)

    @field_validator("image")
    @classmethod
    def _pinned(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.fullmatch(image):
            raise ValueError(f"{image!r} does not say which build; write {PINNED}, 64 hexadecimal digits")
        return image

    @model_validator(mode="after")
    def _routed(self) -> Self:
        if self.traffic == "gateway" and self.gateway is None:
            raise ValueError("traffic: gateway needs gateway.name and gateway.namespace, of a Gateway that is there")
        return self

    @property
    def patience(self) -> Patience:
        """A pod may wait for a node and its image; a cluster answers more slowly than this machine."""
        return Patience(deploy_s=300.0, shift_s=60.0, back_s=300.0, step_s=60.0, size_s=60.0, call_s=30.0)

    @property
    def tolerance(self) -> float:
        """Weights are exact to a hundredth; so many pods of so many are as near to a share as whole pods come."""
        return 5.0 if self.traffic == "replicas" else 0.01

    @property
    def shared(self) -> bool:
        """Whoever may log in to the cluster."""
        return True

    @property
    def where(self) -> str:
        """Context and namespace."""
        return f"{self.context}/{self.namespace}"

    def unmeasured(self, metric: str) -> str:
        """Two answers to one request."""
        if metric != DIFFERING:
            return ""
        return f"a gateway throws the answers to copies away; ask {MIX} against live, as shadow does here by itself"

    @property
    def packs(self) -> bool:
        """Where no image is named, each version is in one of its own."""
        return self.image is None

    @property
    def pairs(self) -> bool:
        """A gateway throws the answers to copies away; pods count what they gave."""
        return False

    @property
    def beforehand(self) -> str:
        """A version must be in an image before it is deployed, and nobody has put there what is not trained yet."""
        if self.image is not None:
            return ""
        return (
            "on Kubernetes a version needs an image; name the registry to which the release pushes it "
            "(image.repository), or call 'quarterdeck release --skip deploy', then 'image build' and 'image push', "
            "then 'release --model-uri models:/NAME/NUMBER'"
        )

    def cannot(self, step: Step) -> str:
        """Copies need a gateway, shares anything but a selector; none of them knows callers apart."""
        if isinstance(step, Mirror) and self.traffic != "gateway":
            return (
                f"kubernetes.traffic is {self.traffic}, so no request can be copied; "
                "set it to gateway, or use another strategy than shadow"
            )
        if isinstance(step, Shift) and step.percent < FULL and self.traffic == "selector":
            return (
                f"kubernetes.traffic is selector, so {step.percent:g} % can't be moved; "
                "set it to replicas or gateway, or use blue-green, which moves all at once"
            )
        if isinstance(step, Shift) and step.sticky is not None:
            return f"on Kubernetes no caller can be kept on a side; take {step.sticky.by} {step.sticky.name} out"
        return ""

    def given(self, percent: float, endpoint: EndpointSettings) -> str:
        """Where pods are the share, how many of how many, and what that comes to."""
        if self.traffic != "replicas" or not 0 < percent < FULL:
            return ""
        try:
            new, of = planned_counts(percent, endpoint, self.tolerance)
        except BadInput:
            return " wanted, which so few pods can't give"
        share = 100 * new / of
        really = "" if abs(share - percent) <= EXACT else f" wanted, {share:.0f} % given"
        return f"{really}: {new} of {counted(of, 'pod')}"

    def apart(self, names: Sequence[str]) -> str:
        """Two endpoints whose names become one label."""
        return meeting(names)


PART = KubernetesSettings
