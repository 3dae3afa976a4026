"""Webhooks: what ended, as a signed POST to the operator's URL, in the form of standardwebhooks.com."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, gaierror
from typing import Any

import anyio
import httpx

from service import __version__
from service.answers import utc_text
from service.database import DeliveryRow
from service.errors import InvalidInput, NotFound, ServiceUnreachable

TIMEOUT_S = 10.0
"""For all of a delivery: finding the address, connecting, sending, and the head of the answer."""
_UNICAST = IPv6Network("2000::/3")
"""All that is assigned to hosts of the Internet."""


class Webhook:
    """Posts what ended to one URL, signed by HMAC-SHA256.

    The host's name is looked up once for each delivery, and the connection goes to an address that was checked.
    Redirects are failures, proxies are not used, and of the answer only its head is read.

    Parameters
    ----------
    url : of the receiver. It may contain a secret: messages name its host alone.
    secret : the key of the signature, in base64, perhaps after ``whsec_``.
    allow_private : whether addresses are allowed that the Internet does not reach.
    describe : by the noun of an event: what the API says about an object of it, or `NotFound`.
    """

    def __init__(
        self, url: str, secret: str, *, allow_private: bool, describe: Mapping[str, Callable[[str], Mapping[str, Any]]]
    ):
        self._url = httpx.URL(url)
        # Of a name in other letters, as the DNS and certificates have it.
        self._host = self._url.raw_host.decode("ascii")
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._allow_private = allow_private
        self._describe = describe
        self._tls = httpx.create_ssl_context()

    def send(self, row: DeliveryRow) -> None:
        """Post one, and wait for the answer.

        Raise `InvalidInput` if the host has no address that is allowed, and `ServiceUnreachable` unless there was an
        answer of 200 to 299 in time.
        """
        try:
            status = anyio.run(self._post, *self._message(row))
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            what = "not found" if isinstance(error, gaierror) else type(error).__name__
            raise ServiceUnreachable(f"The webhook's receiver {self._host} did not answer ({what}).") from error
        if not 200 <= status < 300:
            raise ServiceUnreachable(f"The webhook's receiver {self._host} answered {status}.")

    def _message(self, row: DeliveryRow) -> tuple[bytes, dict[str, str]]:
        """Return body and headers. The id is the same at each attempt, and in no other message."""
        noun, _, _ = row.event.partition(".")
        try:
            data = self._describe[noun](row.object_id)
        except NotFound:  # it was deleted
            data = {"id": row.object_id}
        body = json.dumps({"type": row.event, "timestamp": utc_text(row.created_at), "data": data}).encode()
        id_, now_s = f"{row.event}-{row.object_id}", str(int(time.time()))
        signed = hmac.digest(self._key, b".".join((id_.encode(), now_s.encode(), body)), hashlib.sha256)
        return body, {
            "content-type": "application/json",
            "host": self._url.netloc.decode("ascii"),
            "user-agent": f"inkling/{__version__}",
            "webhook-id": id_,
            "webhook-timestamp": now_s,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode('ascii')}",
        }

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        extensions = {"sni_hostname": self._host}  # the certificate is that of the name, not of the address
        with anyio.fail_after(TIMEOUT_S):
            addresses = await self._addresses()
            async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=TIMEOUT_S) as client:
                for address in addresses:
                    url = self._url.copy_with(host=str(address))
                    try:
                        sent = client.stream("POST", url, content=body, headers=headers, extensions=extensions)
                        async with sent as answer:
                            return answer.status_code
                    except httpx.ConnectError as error:
                        unreached = error
        raise unreached

    async def _addresses(self) -> Sequence[IPv4Address | IPv6Address]:
        found = await anyio.getaddrinfo(self._host, self._url.port, type=SOCK_STREAM)
        addresses = list(dict.fromkeys(ip_address(place[0]) for *_, place in found))
        allowed = [address for address in addresses if self._allow_private or is_public(address)]
        if not allowed:
            raise InvalidInput(
                f"The webhook's receiver {self._host} has no public address, so nothing is sent to it "
                f"({', '.join(map(str, addresses))}). --webhook-allow-private allows such addresses."
            )
        return allowed


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to one host of the Internet, and is no other address in disguise (6to4, Teredo)."""
    if isinstance(address, IPv6Address):
        return address in _UNICAST and address.is_global and not (address.sixtofour or address.teredo)
    return address.is_global and not address.is_multicast
