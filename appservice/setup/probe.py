"""`mediatrix registration check`: what the homeserver lacks, found by trying and not by asking for its versions.

    reached → knows our token → our namespace → room version → makes a device → takes a request for it
            → reaches us → brings a message for that device, with its key counts → recommended settings

A step that fails for good ends the check: what comes after it could only fail too. Everything is done as a user of
its own, on a device that is deleted at the end; no other account, and no room, is touched.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from typing import Final, Protocol

from appservice.matrix.client import V3
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId, UserId
from appservice.matrix.path import path_of
from appservice.matrix.rooms import ROOM_VERSION
from appservice.matrix.transaction import Transaction
from appservice.setup.config import Config
from policies.frozen import frozen

MESSAGE_TYPE: Final = "org.mediatrix.probe"
REACHED: Final = "config.yaml: homeserver.url"
"""The setting of the first finding: only while that is broken can waiting help."""
PATIENCE: Final = 10.0
"""Seconds until a message counts as not delivered; it takes a few milliseconds."""

_NOTE: Final = "probe "
_NONCE: Final = re.compile("[0-9a-f]{32}")

ANSWER: Final = 20.0
"""Seconds for one answer of the homeserver."""


class Verdict(StrEnum):
    """What a finding means."""

    FINE = "fine"
    ADVICE = "advice"
    """It works, and people are less protected than they could be."""
    BROKEN = "broken"
    """The service can't work so."""
    UNSEEN = "unseen"
    """Could not be tried."""


@frozen
class Finding:
    """One setting of the homeserver or of ours: what was seen, and what to write where."""

    setting: str
    verdict: Verdict
    seen: str
    remedy: str = ""


class Store(Protocol):
    """Where transactions go."""

    async def accept(self, transaction: Transaction) -> None:
        """Store it (see appservice.web.ports.TransactionStore)."""


class Notes(Protocol):
    """What the processes of one service write to each other."""

    def on_note(self, reader: Callable[[str], None]) -> None:
        """Call it with each note."""

    async def write_note(self, note: str) -> None:
        """Write to every process that listens just now."""


class ProbeEcho:
    """Stands before the transaction store: takes the probe's own messages out, and remembers that they came.

    A load balancer may bring them to another process than the one that asks: what nobody here awaits is passed on.
    """

    def __init__(self, store: Store, probe: UserId, notes: Notes) -> None:
        self._store = store
        self._probe = probe
        self._notes = notes
        self._awaited: dict[str, asyncio.Future[bool]] = {}
        notes.on_note(self._read)

    async def accept(self, transaction: Transaction) -> None:
        """Store what is not the probe's."""
        ours = [m for m in transaction.to_device if m.to_user == self._probe and m.type == MESSAGE_TYPE]
        await self._store.accept(
            replace(transaction, to_device=tuple(m for m in transaction.to_device if m not in ours))
            if ours
            else transaction
        )
        counted = any(count.user == self._probe for count in transaction.key_counts)
        for message in ours:
            nonce = str(message.content.get("nonce"))
            if nonce in self._awaited:
                self._came(nonce, counted)
            elif _NONCE.fullmatch(nonce):
                await self._notes.write_note(f"{_NOTE}{nonce} {counted}")

    def _read(self, note: str) -> None:
        if note.startswith(_NOTE):
            nonce, _, counted = note.removeprefix(_NOTE).partition(" ")
            self._came(nonce, counted == str(True))

    def _came(self, nonce: str, counted: bool) -> None:
        awaited = self._awaited.get(nonce)
        if awaited is not None and not awaited.done():
            awaited.set_result(counted)

    async def hear(self, nonce: str, say: Callable[[], Awaitable[None]], patience: float) -> bool | None:
        """Whether the transaction that brings `nonce` after `say` sent it has key counts, too; None if it does not
        come in `patience` seconds."""
        self._awaited[nonce] = asyncio.get_running_loop().create_future()
        try:
            await say()
            async with asyncio.timeout(patience):
                return await self._awaited[nonce]
        except TimeoutError:
            return None
        finally:
            del self._awaited[nonce]


def probe_user(config: Config) -> UserId:
    """The user that the check speaks as."""
    return UserId(f"@{config.appservice.user_prefix}probe:{config.homeserver.server_name}")


async def check(config: Config, echo: ProbeEcho | None, *, patience: float = PATIENCE) -> tuple[Finding, ...]:
    """Try everything, in order. `echo` is the running service's own ear; without it delivery can't be tried.

    Never raises: a homeserver that does not answer is a finding. `patience` in seconds, for a message to arrive.
    """
    url, token = config.homeserver.url, config.appservice.registration.as_token.get_secret_value()
    async with Homeserver(url, token, timeout=ANSWER) as ours, Homeserver(url, None, timeout=ANSWER) as stranger:
        probe = _Probe(ours, stranger, config, echo, patience)
        try:
            return tuple([finding async for finding in probe.run()])
        finally:
            await probe.clean_up()


class _Probe:
    def __init__(
        self, ours: Homeserver, stranger: Homeserver, config: Config, echo: ProbeEcho | None, patience: float
    ) -> None:
        self._matrix = ours
        self._stranger = stranger
        self._config = config
        self._echo = echo
        self._patience = patience
        self._user = probe_user(config)
        self._device = DeviceId(f"PROBE{secrets.token_hex(8)}")
        self._registration = config.appservice.registration

    async def run(self) -> AsyncIterator[Finding]:
        for step in (
            self._reached,
            self._token,
            self._namespace,
            self._room_version,
            self._device_made,
            self._device_used,
            self._reaches_us,
            self._delivers,
        ):
            finding = await step()
            yield finding
            if finding.verdict is Verdict.BROKEN:
                return
        for advise in (self._presence, self._previews, self._open_registration, self._profiles):
            yield await advise()

    async def clean_up(self) -> None:
        try:
            await self._matrix.accounts.delete_device(self._user, self._device)
        except MatrixError:
            return  # it was never made

    async def _reached(self) -> Finding:
        setting, url = REACHED, self._config.homeserver.url
        try:
            await self._stranger.accounts.versions()
        except MatrixError as error:
            return _broken(setting, f"no Matrix homeserver answers at {url}: {error.errcode}", "correct the URL")
        return _fine(setting, f"a homeserver answers at {url}")

    async def _token(self) -> Finding:
        setting = "homeserver.yaml: app_service_config_files"
        remedy = "list our registration.yaml there, as it is now, and restart the homeserver"
        try:
            ours = (await self._matrix.accounts.whoami())["user_id"]
        except MatrixError as error:
            return _broken(setting, f"the homeserver does not know our as_token: {error.errcode}", remedy)
        name = str(ours).partition(":")[2]
        if name != self._config.homeserver.server_name:
            seen = f"the homeserver calls itself {name}"
            return _broken("config.yaml: homeserver.server_name", seen, f"write {name}")
        if ours != f"@{self._registration.sender_localpart}:{name}":
            return _broken(setting, "the homeserver read another registration.yaml of ours", remedy)
        return _fine(setting, "the homeserver knows our as_token")

    async def _namespace(self) -> Finding:
        setting = "registration.yaml: namespaces.users"
        try:
            await self._matrix.accounts.register(self._user.removeprefix("@").partition(":")[0])
            await self._matrix.accounts.whoami(self._user)
        except MatrixError as error:
            seen = f"we may not speak as {self._user}: {error.errcode}"
            return _broken(setting, seen, "correct the regex there, and restart the homeserver")
        return _fine(setting, "our users can be made and spoken for")

    async def _room_version(self) -> Finding:
        setting = "the homeserver's version"
        try:
            answer = await self._matrix.call("GET", f"{V3}/capabilities", as_user=self._user)
        except MatrixError as error:
            return _broken(setting, f"it does not tell its capabilities: {error.errcode}", "update the homeserver")
        offered = answer.get("capabilities", {}).get("m.room_versions", {}).get("available", {})
        if ROOM_VERSION not in offered:
            return _broken(setting, f"it makes no rooms of version {ROOM_VERSION}", "update the homeserver")
        return _fine(setting, f"it makes rooms of version {ROOM_VERSION}")

    async def _device_made(self) -> Finding:
        setting = "registration.yaml: io.element.msc4190"
        try:
            await self._matrix.accounts.put_device(self._user, self._device, "Mediatrix check")
        except MatrixError as error:
            remedy = "set it to true in the file that the homeserver reads, and restart it; if it is, update it"
            return _broken(setting, f"no device can be made: {error.errcode}", remedy)
        return _fine(setting, "devices can be made")

    async def _device_used(self) -> Finding:
        setting, remedy = "the homeserver's version", "update it: it needs MSC4326 (Matrix 1.17)"
        try:
            answer = await self._matrix.accounts.whoami(self._user, self._device)
        except MatrixError as error:
            return _broken(setting, f"a request can't name a device: {error.errcode}", remedy)
        if answer.get("device_id") != self._device:
            return _broken(setting, "a request can't name a device", remedy)
        return _fine(setting, "requests can name a device")

    async def _reaches_us(self) -> Finding:
        setting = "registration.yaml: url"
        try:
            await self._matrix.accounts.ping(self._registration.id, secrets.token_hex(8))
        except MatrixError as error:
            return self._unreached(setting, error)
        return _fine(setting, "the homeserver reaches us, and shows the right hs_token")

    def _unreached(self, setting: str, error: MatrixError) -> Finding:
        url = self._registration.url
        match error.errcode:
            case "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT" if self._echo is None:
                seen = f"nothing answers the homeserver at {url}; is the service running?"
                return Finding(setting, Verdict.UNSEEN, seen, "start the service, then check again")
            case "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT":
                remedy = "write the URL at which the homeserver reaches this machine, and restart the homeserver"
                return _broken(setting, f"the homeserver does not reach us at {url}", remedy)
            case "M_BAD_STATUS":
                remedy = "let both programs read the same registration.yaml, and restart the homeserver"
                return _broken("registration.yaml: hs_token", f"who answers at {url} refuses the hs_token", remedy)
            case _:
                return _broken(setting, f"the homeserver could not ping us: {error.errcode}", "update the homeserver")

    async def _delivers(self) -> Finding:
        setting = "homeserver.yaml: experimental_features.msc2409_to_device_messages_enabled"
        if self._echo is None:
            return Finding(setting, Verdict.UNSEEN, "only the running service can hear what is delivered")
        nonce = secrets.token_hex(16)

        async def say() -> None:
            await self._matrix.accounts.send_to_device(
                MESSAGE_TYPE,
                {self._user: {self._device: {"nonce": nonce}}},
                nonce,
                as_user=self._user,
                device=self._device,
            )

        try:
            heard = await self._echo.hear(nonce, say, self._patience)
        except MatrixError as error:
            return _broken(setting, f"a message can't be sent to a device: {error.errcode}", "update the homeserver")
        if heard is None:
            remedy = "set it to true, and receive_ephemeral in registration.yaml too; restart the homeserver"
            return _broken(setting, "messages for our devices do not arrive", remedy)
        if not heard:
            remedy = "set it to true, and org.matrix.msc3202 in registration.yaml too; restart the homeserver"
            where = "homeserver.yaml: experimental_features.msc3202_transaction_extensions"
            return _broken(where, "transactions come without key counts", remedy)
        return _fine(setting, "messages for our devices arrive, with key counts")

    async def _presence(self) -> Finding:
        setting, path = "homeserver.yaml: presence.enabled", path_of(V3, "presence", self._user, "status")
        try:
            await self._matrix.call("PUT", path, {"presence": "online"}, as_user=self._user)
            shown = (await self._matrix.call("GET", path, as_user=self._user)).get("presence")
            await self._matrix.call("PUT", path, {"presence": "offline"}, as_user=self._user)
        except MatrixError:
            shown = None
        if shown == "online":
            return _advice(setting, "people see when somebody is online", "set it to false")
        return _fine(setting, "presence is off")

    async def _previews(self) -> Finding:
        setting = "homeserver.yaml: url_preview_enabled"
        query = {"url": "http://127.0.0.1/"}  # never fetched: Synapse refuses loopback
        try:
            await self._matrix.call("GET", "/_matrix/client/v1/media/preview_url", as_user=self._user, query=query)
        except MatrixError as error:
            if error.errcode == "M_UNRECOGNIZED" or error.transient:
                return _fine(setting, "links are not fetched for previews")
        return _advice(setting, "the homeserver fetches links that people write", "set it to false")

    async def _open_registration(self) -> Finding:
        setting = "homeserver.yaml: enable_registration"
        try:
            await self._stranger.call("POST", f"{V3}/register", as_user=None)
        except MatrixError as error:
            if error.status != 401:
                return _fine(setting, "strangers can't make accounts")
        return _advice(setting, "strangers can make accounts", "set it to false")

    async def _profiles(self) -> Finding:
        setting = "homeserver.yaml: require_auth_for_profile_requests"
        try:
            await self._stranger.call("GET", path_of(V3, "profile", self._user), as_user=None)
        except MatrixError as error:
            if error.status in {401, 403}:
                return _fine(setting, "strangers can't look people up")
        return _advice(setting, "strangers can look people up", "set it to true")


def _fine(setting: str, seen: str) -> Finding:
    return Finding(setting, Verdict.FINE, seen)


def _advice(setting: str, seen: str, remedy: str) -> Finding:
    return Finding(setting, Verdict.ADVICE, seen, remedy)


def _broken(setting: str, seen: str, remedy: str) -> Finding:
    return Finding(setting, Verdict.BROKEN, seen, remedy)
