"""The Olm machine of one of our identities, as the rest of the service sees it. See README.md for the flow.

A machine holds no state: every method is one step inside a unit of work that the caller opened, and does no
network call. Requests come out, answers go in, and what is expected to fail is a value.
"""

from collections.abc import Collection, Mapping, Sequence

from appservice.crypto import account, devices, inbound, key_requests, notices, olm, outbound, outgoing, to_device
from appservice.crypto.ids import DeviceId, Ed25519Key, MegolmSessionId, RequestId, RoomId, UserId
from appservice.crypto.inbound import EncryptedEvent, Reading
from appservice.crypto.notices import Notice
from appservice.crypto.outbound import (
    Audience,
    Encrypted,
    Frozen,
    NeedsDevices,
    NeedsSessions,
    NotReady,
    Preparation,
    Prepared,
)
from appservice.crypto.requests import (
    Answer,
    KeysClaim,
    KeysQuery,
    Outcome,
    OutgoingRequest,
    Postponed,
    Request,
    Settled,
    claim_of,
    query_of,
)
from appservice.crypto.rows import RequestKind, StoredDeviceList, StoredIdentity, StoredRequest
from appservice.crypto.sealing import Sealer
from appservice.crypto.sharing import RoomKey
from appservice.crypto.signing import CrossSigningSeeds
from appservice.crypto.store import CryptoStore
from appservice.crypto.to_device import ToDeviceResult
from appservice.crypto.untrusted import JsonObject, optional_text
from appservice.crypto.work import Work


class UnknownIdentityError(LookupError):
    """A machine was asked to work for an identity that was never created."""


class OlmMachine:
    """One identity's device: its keys, its sessions with other devices, and the rooms it reads and writes."""

    def __init__(self, user_id: UserId, sealer: Sealer) -> None:
        """Cheap: machines may be made as they are needed."""
        self.user_id = user_id
        self._sealer = sealer

    # Identity

    async def create(
        self,
        tx: CryptoStore,
        *,
        display_name: str,
        now_ms: int,
        seeds: CrossSigningSeeds | None = None,
    ) -> StoredIdentity:
        """Make the identity, or return the one that is there. It is `ready` after its requests were sent.

        `seeds`: those of a backup, so that it stays the same person to everyone who knows it.
        """
        return await account.create(
            tx, self._sealer, self.user_id, display_name=display_name, seeds=seeds, now_ms=now_ms
        )

    async def renew(self, tx: CryptoStore, *, display_name: str, now_ms: int) -> StoredIdentity | None:
        """After a restore: the same person with a fresh device, and nothing left of the former one but what it could
        read. None where there is no such identity. It is `ready` after its requests were sent."""
        return await account.renew(tx, self._sealer, self.user_id, display_name=display_name, now_ms=now_ms)

    async def seeds(self, tx: CryptoStore) -> CrossSigningSeeds:
        """The cross-signing seeds, for a backup."""
        return account.open_seeds(self._sealer, (await self._work(tx, 0)).me)

    async def take_key_counts(
        self,
        tx: CryptoStore,
        *,
        one_time_keys: int | None,
        unused_fallback_types: Collection[str] | None,
        now_ms: int,
    ) -> None:
        """A transaction's counts for our device: how many `signed_curve25519` keys the homeserver still has,
        and which fallback keys are unused. None for what the transaction did not say."""
        work = await self._work(tx, now_ms, lock=True)
        await account.replenish(work, one_time_keys, unused_fallback_types)

    # Requests

    async def outgoing_requests(self, tx: CryptoStore, *, now_ms: int) -> Sequence[OutgoingRequest]:
        """What is to be sent now, in order, leased to the caller for `outgoing.LEASE_MS`.

        Commit, send each, and hand each answer to `mark_request_as_sent`. While the identity is being created
        they come one at a time: call again after each.
        """
        return await outgoing.due(await self._work(tx, now_ms, lock=True))

    async def mark_request_as_sent(self, tx: CryptoStore, request: Request, answer: Answer, *, now_ms: int) -> Outcome:
        """Take the homeserver's answer in, whatever it was. Idempotent."""
        match request:
            case OutgoingRequest():
                return await self._settle(tx, request, answer, now_ms)
            case KeysQuery() if answer.ok:
                return Settled(replaced=await devices.take_answer(tx, request, answer, now_ms))
            case KeysClaim() if answer.ok:
                work = await self._work(tx, now_ms, lock=True)
                return Settled(unreachable=await olm.take_claim(work, request, answer))
            case KeysQuery() | KeysClaim():
                return _postponed(answer)

    async def mark_request_as_unanswered(self, tx: CryptoStore, request: OutgoingRequest, *, now_ms: int) -> None:
        """There was no answer (a broken connection, a timeout): hand it out again after a short wait."""
        work = await self._work(tx, now_ms, lock=True)
        row = await tx.request(request.request_id)
        if row is not None:
            await outgoing.postpone(work, row, None)

    async def unacknowledged(self, tx: CryptoStore, request_ids: Collection[RequestId]) -> frozenset[RequestId]:
        """Those of these requests that are still waiting for their answer."""
        return await outgoing.unacknowledged(await self._work(tx, 0), request_ids)

    async def sessions_to_mend(self, tx: CryptoStore, *, now_ms: int) -> KeysClaim | None:
        """A claim for the devices whose Olm session with us broke; its answer sends each an `m.dummy`."""
        work = await self._work(tx, now_ms)
        broken = await olm.to_mend(work)
        return claim_of(broken, work.me) if broken else None

    async def stale_devices(self, tx: CryptoStore, *, limit: int = 100) -> KeysQuery | None:
        """A query for device lists that are stale, of whomever; None when there are none."""
        people = await tx.stale_people(limit)
        rows = await tx.device_lists(people)
        if not rows:
            return None
        return query_of({row.user_id: row.changed for row in rows}, (await self._work(tx, 0)).me)

    # To-device and room events

    async def receive_to_device(
        self, tx: CryptoStore, events: Sequence[JsonObject], *, now_ms: int
    ) -> Sequence[ToDeviceResult]:
        """Read to-device events addressed to our device, in order; one result each. Nothing in an event can
        make this raise, nor keep the next one from being read."""
        return await to_device.receive(await self._work(tx, now_ms, lock=True), events)

    async def request_key(
        self, tx: CryptoStore, room_id: RoomId, session_id: MegolmSessionId, sender: UserId, *, now_ms: int
    ) -> None:
        """Ask the sender's devices for a session that has not come. Becomes an outgoing request."""
        work = await self._work(tx, now_ms, lock=True)
        await key_requests.ask(work, room_id, session_id, sender)

    async def send_to_device(
        self, tx: CryptoStore, event_type: str, messages: Mapping[UserId, Mapping[DeviceId, JsonObject]], *, now_ms: int
    ) -> None:
        """Write to devices in clear, as verification does. Becomes an outgoing request."""
        work = await self._work(tx, now_ms, lock=True)
        body = {"messages": messages}
        await tx.put_requests([outgoing.new_request(work, RequestKind.TO_DEVICE, body, event_type)])

    # Writing in a room

    async def prepare(
        self,
        tx: CryptoStore,
        audience: Audience,
        *,
        now_ms: int,
        unreachable: Collection[tuple[UserId, DeviceId]] = (),
    ) -> Preparation:
        """One step towards writing: do on the network what it returns, and call again until `Prepared`.

        `unreachable` gathers the `Settled.unreachable` of the claims of this round.
        """
        return await outbound.prepare(await self._work(tx, now_ms, lock=True), audience, unreachable)

    async def encrypt_event(
        self, tx: CryptoStore, audience: Audience, event_type: str, content: JsonObject, *, now_ms: int
    ) -> Encrypted | NotReady | Frozen:
        """Encrypt for the audience. The used index is committed with whatever else the transaction holds (the
        outbox row with the ciphertext), so it must be committed before the ciphertext leaves."""
        return await outbound.encrypt(await self._work(tx, now_ms), audience, event_type, content)

    async def share_later(
        self,
        tx: CryptoStore,
        key: RoomKey,
        newcomers: Collection[UserId],
        *,
        now_ms: int,
        unreachable: Collection[tuple[UserId, DeviceId]] = (),
    ) -> NeedsDevices | NeedsSessions | Prepared:
        """One step towards giving these people the key of an event that is encrypted already: they are of its
        audience, and came in before it did, but after we had looked. Like `prepare`, until `Prepared`."""
        work = await self._work(tx, now_ms, lock=True)
        return await outbound.share_later(work, key, frozenset(newcomers), unreachable)

    async def encrypt_notice(
        self,
        tx: CryptoStore,
        audience: Audience,
        unsigned_of: UserId,
        event_type: str,
        content: JsonObject,
        *,
        now_ms: int,
        unreachable: Collection[tuple[UserId, DeviceId]] = (),
    ) -> NeedsDevices | NeedsSessions | Frozen | Notice:
        """Encrypt one harmless event for the audience and the unsigned devices of one person in it, with a session
        of its own. Like `prepare`, until it is a `Notice`; then its requests go first and the event after them."""
        work = await self._work(tx, now_ms, lock=True)
        return await notices.encrypt_notice(work, audience, unsigned_of, event_type, content, unreachable=unreachable)

    async def retire_session(self, tx: CryptoStore, room_id: RoomId, *, now_ms: int) -> None:
        """Have the room's session replaced before the next event."""
        await outbound.retire(await self._work(tx, now_ms), room_id)

    # Inside

    async def _work(self, tx: CryptoStore, now_ms: int, *, lock: bool = False) -> Work:
        me = await tx.identity(self.user_id, lock=lock)
        if me is None:
            raise UnknownIdentityError(self.user_id)
        return Work(tx, self._sealer, me, now_ms)

    async def _settle(self, tx: CryptoStore, request: OutgoingRequest, answer: Answer, now_ms: int) -> Outcome:
        work = await self._work(tx, now_ms, lock=request.kind is not RequestKind.TO_DEVICE)
        row = await tx.request(request.request_id)
        if row is None:
            return Settled()
        if not _done(row, answer):
            await outgoing.postpone(work, row, answer)
            return _postponed(answer)
        if row.kind is RequestKind.TO_DEVICE:
            await tx.acknowledge_shares(row.request_id)
        elif row.kind in {RequestKind.FIRST_KEYS, RequestKind.KEYS_UPLOAD}:
            await account.uploaded(work, row, answer)
        await tx.delete_request(row.request_id)
        return Settled()


def _done(row: StoredRequest, answer: Answer) -> bool:
    """Whether the homeserver is where the request wanted it: a name that is ours already is registered."""
    registered = answer.status == 400 and optional_text(answer.content, "errcode") == "M_USER_IN_USE"
    return answer.ok or (row.kind is RequestKind.REGISTER and registered)


def _postponed(answer: Answer) -> Postponed:
    return Postponed(answer.status, optional_text(answer.content, "errcode") or "")


# What all our identities share


async def decrypt_events(tx: CryptoStore, sealer: Sealer, events: Sequence[EncryptedEvent]) -> Sequence[Reading]:
    """Decrypt room events with whichever of our identities holds the session; one result each, in order."""
    return await inbound.decrypt_events(tx, sealer, events)


async def old_devices_changed(tx: CryptoStore, *, before_ms: int, limit: int = 100) -> None:
    """Have lists that were last asked for before that moment asked for again: a server forgets to tell of some
    changes (`device_lists.left` is never sent)."""
    await tx.mark_changed(await tx.old_people(before_ms, limit))


async def people(tx: CryptoStore, user_ids: Collection[UserId]) -> Sequence[StoredDeviceList]:
    """What is known of these people: their pin and their devices. Begins to keep the lists of new ones."""
    known = await tx.device_lists(user_ids)
    if len(known) == len(set(user_ids)):
        return known
    await tx.track(user_ids)
    return await tx.device_lists(user_ids)


async def confirm_identity(tx: CryptoStore, user_id: UserId, master_key: Ed25519Key) -> bool:
    """Believe in a replaced identity from now on, after a person has confirmed this very master key. False
    when it has been replaced again since."""
    return await devices.confirm_identity(tx, user_id, master_key)
