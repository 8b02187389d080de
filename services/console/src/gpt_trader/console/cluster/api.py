"""Secrets through the API server, with the rights of this pod's ServiceAccount; plain HTTPS, no client library."""

import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gpt_trader.console.cluster.credentials import Content

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts token, authority and namespace."""
MADE_BY = "gpt-trader-bootstrap"
"""Label value of everything made here: Helm does not know it, so an uninstall leaves it."""

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class ApiRefused(Exception):
    """The API server did not do what it was asked; the message names the Secret and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSecrets:
    """The Secrets of one release: each is named `<prefix>-<short name>`."""

    session: aiohttp.ClientSession
    api: str
    namespace: str
    release: str
    prefix: str

    async def held(self, short: str) -> Content | None:
        """Return what a Secret holds, None if there is none."""
        async with self.session.get(f"{self._all()}/{self.prefix}-{short}") as answer:
            if answer.status == 404:
                return None
            return decoded((await self._body(answer, short)).get("data") or {})

    async def create(self, short: str, content: Content) -> None:
        """Make a Secret that nobody made; raises ApiRefused if somebody did meanwhile."""
        manifest = secret_manifest(self.release, f"{self.prefix}-{short}", content)
        async with self.session.post(self._all(), json=manifest) as answer:
            await self._body(answer, short)

    async def change(self, short: str, content: Content) -> None:
        """Set the given keys of a Secret that exists; other keys stay."""
        patch = {"data": encoded(content)}
        kind = {"Content-Type": "application/merge-patch+json"}
        async with self.session.patch(f"{self._all()}/{self.prefix}-{short}", json=patch, headers=kind) as answer:
            await self._body(answer, short)

    def _all(self) -> str:
        return f"{self.api}/api/v1/namespaces/{self.namespace}/secrets"

    async def _body(self, answer: aiohttp.ClientResponse, short: str) -> Mapping[str, Any]:
        body: Mapping[str, Any] = await answer.json(content_type=None)
        if answer.status >= 400:
            raise ApiRefused(f"Secret {self.prefix}-{short}: {answer.status} {body.get('message')}")
        return body


@asynccontextmanager
async def release_secrets(api: str, release: str, prefix: str) -> AsyncIterator[ReleaseSecrets]:
    """Open the API server as this pod; raises OSError when no ServiceAccount is mounted."""
    context = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}"}
    namespace = (ACCOUNT / "namespace").read_text().strip()
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=_TIMEOUT) as session:
        yield ReleaseSecrets(session=session, api=api, namespace=namespace, release=release, prefix=prefix)


def secret_manifest(release: str, name: str, content: Content) -> Mapping[str, Any]:
    """Return a Secret as the API takes it, and as `kubectl apply` does."""
    labels = {
        "app.kubernetes.io/name": "gpt-trader",
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/managed-by": MADE_BY,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "labels": labels},
        "data": encoded(content),
    }


def encoded(content: Content) -> Mapping[str, str]:
    """Return the values as the API carries them."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}


def decoded(values: Mapping[str, str]) -> Content:
    """Return the values that the API carries."""
    return {key: base64.b64decode(value).decode() for key, value in values.items()}
