"""What goes wrong when a test wants it: calls (as the stand-in of a cluster has them), and what operations come to.

Never recorded: any failed operation. Its text is put together from what the client prints and from Microsoft's article
on troubleshooting; the code is the first word.
"""

from dataclasses import dataclass, field

from tests.azure.refusals import RestRefusal, too_many
from tests.kubernetes.faults import ApiFault, FaultKind

BUILD_LOG = "azureml/ImageLogs/0a0a0a0a/build.log"
TROUBLESHOOTING = "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg"


@dataclass(slots=True)
class RestFault(ApiFault):
    """A fault whose refusal has words: `code` and `message`, in the service's envelope or the resource manager's."""

    code: str = "InternalServerError"
    message: str = "An internal server error occurred. Please try again. If the issue persists, contact support."
    service: bool = True

    def refusal(self) -> RestRefusal | None:
        """What is answered instead, if anything is."""
        if self.kind is FaultKind.BUSY:
            return too_many(self.seconds)
        if self.kind is FaultKind.STATUS:
            return RestRefusal(self.status, self.code, self.message, service=self.service)
        return None


@dataclass(frozen=True, slots=True)
class ProvisioningFailure:
    """How the making of a deployment ends. `log` is what its container said, `build_log` the text of BUILD_LOG in the
    store; `after_s` comes on top of the delay."""

    code: str
    text: str
    log: tuple[str, ...] = ()
    after_s: float = 0.0
    build_log: str = ""

    @property
    def message(self) -> str:
        """As the operation has it."""
        return f"{self.code}: {self.text}"


CRASHED = ProvisioningFailure(
    "ResourceNotReady",
    "User container has crashed or terminated: Liveness probe failed: HTTP probe failed with statuscode: 502. "
    f"{TROUBLESHOOTING}#error-resourcenotready",
    (
        "Azure ML Inferencing HTTP server v1.4.0",
        "Initializing logger",
        "Traceback (most recent call last):",
        '  File "/var/azureml-app/score.py", line 1, in <module>',
        "    import flights",
        "ModuleNotFoundError: No module named 'flights'",
        "Worker failed to boot.",
    ),
)
NO_IMAGE = ProvisioningFailure(
    "ImageBuildFailure",
    "Image build failed. The build log is available in the workspace blob store 'storageaccount1' under the path "
    f"'/{BUILD_LOG}'. {TROUBLESHOOTING}#error-imagebuildfailure",
    build_log="Collecting flights==99\nERROR: No matching distribution found for flights==99\n",
)
NO_MACHINE = ProvisioningFailure(
    "OutOfCapacity",
    "The specified VM size failed to provision due to a lack of Azure Machine Learning capacity. Retry later or try "
    f"deploying to a different region. {TROUBLESHOOTING}#error-outofcapacity",
)
NO_QUOTA_LATER = ProvisioningFailure(
    "OutOfQuota", f"Not enough subscription CPU quota. {TROUBLESHOOTING}#error-outofquota"
)
NO_MODEL = ProvisioningFailure(
    "BadArgument", f"The model files could not be downloaded to the container. {TROUBLESHOOTING}#error-badargument"
)


@dataclass(slots=True)
class ProvisioningFailures:
    """Which deployments fail: by instance type, by `ENDPOINT/DEPLOYMENT`, or `*` for all."""

    set_for: dict[str, ProvisioningFailure] = field(default_factory=dict)

    def of(self, endpoint: str, deployment: str, instance_type: str) -> ProvisioningFailure | None:
        """The one that a deployment meets."""
        for name in (f"{endpoint}/{deployment}", instance_type.lower(), "*"):
            for key, failure in self.set_for.items():
                if key.lower() == name.lower():
                    return failure
        return None
