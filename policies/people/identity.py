"""Somebody's encryption identity, as mediators are shown it, and when they may confirm a new one.

Whoever resets their identity looks, to us, exactly like somebody who took their place. Only a person who knows them can
tell, by another channel; so a mediator names the very key that was shown, and no other is believed.
"""

from __future__ import annotations

from datetime import datetime

from policies.frozen import frozen
from policies.words.phrase import phrase
from policies.words.text import moment, technical

IDENTITY_CONFIRMED = phrase(
    "Your encryption identity was reset. A mediator has made sure that it is you, so what was kept back goes on now. If"
    " you did not reset it yourself, telephone at once."
)
"""What the person is told, afterwards: before, nothing is encrypted for them."""

FINGERPRINT_LEAST = 12
"""Characters (72 bits) of a fingerprint that must be named: nobody finds another key that begins the same."""


@frozen
class Device:
    """One device. `signed`: its owner's present identity has signed it."""

    name: str
    fingerprint: str
    signed: bool


@frozen
class Identity:
    """What is known of a person's identity. Keys are public, unpadded base64."""

    trusted: str | None
    """The master key we believe in; None before the first."""
    present: str | None
    """The master key that the homeserver shows now."""
    replaced: bool
    """Whether the one stands where the other should: nothing is sent, nothing is believed."""
    since: datetime | None
    """When the present key was first seen, if it is known."""
    compared: datetime | None
    """When its emoji were last compared with the administrator's; None: never."""
    devices: tuple[Device, ...]


def grouped(key: str) -> str:
    """A key as people read it aloud: in groups of four."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def identity_text(name: str, known: Identity | None, zone: str) -> str:
    """What `!identity` shows."""
    if known is None or known.trusted is None:
        return f"{name} has shown no encryption identity yet."
    lines = [f"{name}: the identity we trust is {grouped(known.trusted)}"]
    if known.replaced:
        lines = [f"{name}’s identity was REPLACED. We trusted {grouped(known.trusted)}", *_present(name, known, zone)]
    if known.compared:
        lines.append(f"Its emoji were compared with the administrator on {moment(known.compared, zone)}.")
    lines += [f"Device {_shown(device)}" for device in known.devices] or ["No devices."]
    return "\n".join(lines)


@frozen
class Unconfirmable:
    """Why an identity can't be confirmed."""

    why: str


def to_confirm(known: Identity | None, typed: str) -> str | Unconfirmable:
    """The present key, if what was typed names it and there is something to confirm."""
    if known is None or not known.replaced:
        return Unconfirmable("There is no new identity to confirm")
    if known.present is None:
        return Unconfirmable("There is no identity at all now: it was taken away, and a new one has not come")
    wanted = "".join(typed.split())
    if len(wanted) < FINGERPRINT_LEAST:
        return Unconfirmable(f"At least {FINGERPRINT_LEAST} characters of the fingerprint are needed")
    if not known.present.startswith(wanted):
        return Unconfirmable("That is not the identity there is now; it may have been replaced again")
    return known.present


def _present(name: str, known: Identity, zone: str) -> list[str]:
    if known.present is None:
        return ["Now there is none at all."]
    since = f" (first seen {moment(known.since, zone)})" if known.since else ""
    return [
        f"Now it is {grouped(known.present)}{since}",
        f"Nothing is sent where {name} reads, and nothing of theirs is believed. Telephone {name}: did they reset it?"
        " Have them read out the session id and key from their client’s settings, and compare with the devices below."
        f" Then say: !confirm {name}: {grouped(known.present[:FINGERPRINT_LEAST])}",
    ]


def _shown(device: Device) -> str:
    state = "signed by this identity" if device.signed else "NOT signed by it"
    return f"{technical(device.name)}, {state}: {grouped(device.fingerprint)}"
