"""Objects for tests, as small as they may be."""

from tests.kubernetes.kinds import Json

IMAGE = "registry.example/late:1"


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Json:
    """A ConfigMap."""
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, replicas: int = 1, image: str = IMAGE, cpu: str = "50m") -> Json:
    """A Deployment whose pods are labelled with its name."""
    labels = {"app": name}
    server: Json = {"name": "server", "image": image, "resources": {"requests": {"cpu": cpu}}}
    server["ports"] = [{"name": "http", "containerPort": 8000}]
    pod = {"containers": [server], "terminationGracePeriodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str, app: str, port: int = 80, **spec: object) -> Json:
    """A Service before the pods of a Deployment."""
    ports = [{"name": "http", "port": port, "targetPort": "http"}]
    body = {"selector": {"app": app}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def autoscaler(name: str, low: int, high: int, target: str = "") -> Json:
    """One that holds a Deployment's CPU at 60 %."""
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target or name},
        "minReplicas": low,
        "maxReplicas": high,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}}
    return {**head, "spec": spec}
