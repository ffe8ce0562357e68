"""One ConfigMap, read and replaced through an API server that may answer anything, or nothing.

Kubernetes' own client finds the server and logs in. It would repeat a request three times and read an answer of any
size, so each request here is sent once, and its answer is read to a maximum size within a maximum time.
"""

import json
from pathlib import Path
from typing import Any

from pipeline import bounds
from pipeline.body import read_body
from pipeline.errors import TemporaryError, cut

REQUEST_TIMEOUT_SECONDS = 5.0
"""Maximum wait for the API server to connect, for its headers, and for the rest of its answer. The lease lasts three
times as long: one request that fails does not cost it."""
_PATH = "/api/v1/namespaces/{namespace}/configmaps/{name}"
_HINTS = {403: ". The Role must allow get, update and patch on it", 404: ". Apply config/030-checkpoint.yaml"}


class ConfigMapUnavailable(TemporaryError):
    """The ConfigMap cannot be read or written at the moment."""


class ConfigMapConflict(TemporaryError):
    """The ConfigMap was written after it was read."""


class ConfigMapClient:
    """Access to the ConfigMap *name*, by its JSON object. Both methods raise `ConfigMapUnavailable`."""

    def __init__(self, name: str, api: Any = None, namespace: str | None = None) -> None:
        """Use *api*, a `kubernetes.client.CoreV1Api`. The default is the pod's own cluster, else KUBECONFIG's."""
        self._name = name
        self._api = api
        self._namespace = namespace

    def read(self) -> dict[str, Any]:
        """Return the object."""
        return self._call("read", "GET", None)

    def replace(self, content: dict[str, Any]) -> dict[str, Any]:
        """Replace the object by *content* and return the new one. Also raises `ConfigMapConflict`."""
        return self._call("update", "PUT", content)

    def _call(self, verb: str, method: str, content: dict[str, Any] | None) -> dict[str, Any]:
        try:
            status, body = self._request(method, content)
            if not 200 <= status < 300:
                message = f"{verb} ConfigMap {self._name}: {status} {cut(_reason(body))}"
                raise (
                    ConfigMapConflict(message)
                    if status == 409
                    else ConfigMapUnavailable(message + _HINTS.get(status, ""))
                )
            return self._checked(json.loads(body))
        except (ConfigMapUnavailable, ConfigMapConflict):
            raise
        except Exception as error:  # whatever the client makes of an answer, this attempt failed
            reason = cut(str(error)) or type(error).__name__
            raise ConfigMapUnavailable(f"{verb} ConfigMap {self._name}: {reason}") from error

    def _request(self, method: str, content: dict[str, Any] | None) -> tuple[int, bytes]:
        """Return status and body."""
        api, namespace = self._connect()
        request = api.api_client.param_serialize(
            method=method,
            resource_path=_PATH,
            path_params={"namespace": namespace, "name": self._name},
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            body=content,
            auth_settings=["BearerToken"],
        )
        response = api.api_client.call_api(*request, _request_timeout=REQUEST_TIMEOUT_SECONDS).response
        try:
            return response.status, read_body(response, bounds.CONFIG_MAP_BYTES, REQUEST_TIMEOUT_SECONDS)
        finally:
            response.close()

    def _checked(self, content: Any) -> dict[str, Any]:
        """Return *content* if it is this ConfigMap. Raises `ValueError` otherwise."""
        metadata = content.get("metadata") if isinstance(content, dict) else None
        if not isinstance(metadata, dict):
            raise ValueError(f"the response is not a ConfigMap: {cut(str(content)[:1000], 100)}")
        if metadata.get("name") != self._name or not metadata.get("resourceVersion"):
            raise ValueError(f"the response is of {cut(str(metadata.get('name'))[:1000], 100)!r}, or has no version")
        data = content.get("data") or {}
        if not (isinstance(data, dict) and all(isinstance(text, str) for text in data.values())):
            raise ValueError("the response has data that are not text")
        return {**content, "data": data}

    def _connect(self) -> tuple[Any, str]:
        from kubernetes import client, config  # noqa: PLC0415 - half a second that only this store needs

        if self._api is None:
            configuration = client.Configuration()
            configuration.retries = False  # three more attempts would outlast the lease
            try:
                config.load_incluster_config(client_configuration=configuration)
                self._namespace = (
                    self._namespace
                    or Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text().strip()
                )
            except config.ConfigException:
                try:
                    config.load_kube_config(client_configuration=configuration)
                    _, active = config.list_kube_config_contexts()
                    self._namespace = self._namespace or active["context"].get("namespace")
                except config.ConfigException as error:
                    raise ConfigMapUnavailable(
                        f"CHECKPOINT=configmap:{self._name} needs a cluster: neither a service account nor "
                        "KUBECONFIG is usable. Outside a cluster set CHECKPOINT=file:PATH"
                    ) from error
            self._api = client.CoreV1Api(client.ApiClient(configuration))
        return self._api, self._namespace or "default"


def _reason(body: bytes) -> str:
    """Return the message of an error's *body*, or its beginning."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return body[:300].decode("utf-8", "replace")
