"""The record of a case: a chain of entries for each audience, of which none can be changed or taken out unnoticed (A1).

    public    canonical JSON: case, audience, number, time, rule, effects, `prev`: the hash of the entry before, and
              `private`: the hash of the private part. Its own SHA-256 is the entry's hash
    private   in words for mediators, digests of what was said, a salt; sealed under the case's key, so that to destroy
              the key erases it, and nothing about it can be guessed from its hash

A chain shows that nothing in it was changed. That its end was not cut off, or the whole written anew, shows only a head
that left the machine: it is signed, and posted to the desk.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol

from policies.case import CaseId
from policies.effects import POLICY_VERSION
from policies.frozen import frozen
from policies.names import ConversationId
from policies.record import Part

Chain = tuple[CaseId, ConversationId]
_HEAD = re.compile(r"^(?P<case>\S+) (?P<audience>\S+) (?P<seq>\d+) (?P<hash>[0-9a-f]{64})$", re.MULTILINE)
_SIGNED = re.compile(
    r"(?P<heads>(?:^\S+ \S+ \d+ [0-9a-f]{64}$\n)+)^key (?P<key>\S+) signature (?P<signature>\S+)$", re.MULTILINE
)


@frozen
class Line:
    """One entry of a chain. `private` is None where the case's key was destroyed."""

    case: CaseId
    audience: ConversationId
    seq: int
    at: datetime
    public: str
    hash: str
    private: str | None

    @property
    def rule(self) -> str:
        """By which rule was decided."""
        return str(json.loads(self.public)["rule"])

    @property
    def words(self) -> str:
        """The entry as mediators read it."""
        return str(json.loads(self.private)["words"]) if self.private else "(erased)"


@frozen
class Head:
    """The last entry of a chain."""

    case: CaseId
    audience: ConversationId
    seq: int
    at: datetime
    hash: str

    def __str__(self) -> str:
        return f"{self.case} {self.audience} {self.seq} {self.hash}"


@frozen
class Signature:
    """An Ed25519 signature by the record's own key; both unpadded base64."""

    key: str
    signature: str


class Record(Protocol):
    """The chains, and the key that signs their heads."""

    async def head(self, case: CaseId, audience: ConversationId) -> Head | None:
        """The last entry of one chain."""

    async def heads(self, case: CaseId) -> tuple[Head, ...]:
        """The last entries of all chains of a case, by audience."""

    async def append(self, *lines: Line) -> None:
        """Store the entries of one decision; one number of a chain is given once."""

    async def last(self, case: CaseId, most: int) -> tuple[Line, ...]:
        """The latest entries of all chains of a case, oldest first."""

    async def sign(self, text: str) -> Signature:
        """Sign with the record's key, which is made when it is first asked for."""


def canonical(value: Mapping[str, object]) -> str:
    """The one way to write it down."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def entry(case: CaseId, part: Part, head: Head | None, *, rule: str, words: str, at: datetime) -> Line:
    """The entry that follows that head."""
    private = canonical({"words": words, "contents": list(part.contents), "salt": secrets.token_hex(16)})
    seq = head.seq + 1 if head else 1
    public = canonical(
        {
            "v": 1,
            "case": case,
            "audience": part.audience.id,
            "seq": seq,
            "at": at.isoformat(),
            "rule": rule,
            "policy": POLICY_VERSION,
            "effects": list(part.effects),
            "prev": head.hash if head else "",
            "private": _sha256(private),
        }
    )
    return Line(case, part.audience.id, seq, at, public, _sha256(public), private)


def heads_text(case: CaseId, heads: tuple[Head, ...], at: str, signature: Signature) -> str:
    """The heads as they are posted: to be kept by people, and to be read again by `posted`."""
    return (
        f"Record of case {case}, {at}. Keep this: it shows later whether anything was changed, or left out.\n"
        f"{signable(heads)}\nkey {signature.key} signature {signature.signature}"
    )


def signable(heads: Iterable[Head]) -> str:
    """What a signature of heads covers."""
    return "\n".join(map(str, heads))


@frozen
class Posted:
    """Heads as somebody kept them: chain to (number, hash), and what was signed."""

    heads: tuple[tuple[Chain, int, str], ...]
    signed: tuple[tuple[str, Signature], ...]


def posted(text: str) -> Posted:
    """The heads that stand in a text, whatever else does."""
    heads = tuple(
        ((CaseId(found["case"]), ConversationId(found["audience"])), int(found["seq"]), found["hash"])
        for found in _HEAD.finditer(text)
    )
    signed = tuple(
        (found["heads"].rstrip("\n"), Signature(found["key"], found["signature"])) for found in _SIGNED.finditer(text)
    )
    return Posted(heads, signed)


class Walk:
    """A walk along all chains, entry by entry, by case, audience and number; what is wrong, in words."""

    def __init__(self, kept: Posted | None = None) -> None:
        """`kept`: heads that left the machine."""
        self._wanted = {(chain, seq): hash_ for chain, seq, hash_ in (kept.heads if kept else ())}
        self._before: Line | None = None

    def next(self, line: Line) -> Iterator[str]:
        """The next entry."""
        before, chain = self._before, (line.case, line.audience)
        same = before is not None and (before.case, before.audience) == chain
        self._before = line
        yield from (f"{line.case} {line.audience} {line.seq}: {why}" for why in _wrong(line, before if same else None))
        if self._wanted.pop((chain, line.seq), line.hash) != line.hash:
            yield f"{line.case} {line.audience} {line.seq}: another entry than the posted head says"

    def end(self) -> Iterator[str]:
        """After the last entry."""
        for (case, audience), seq in self._wanted:
            yield f"{case} {audience} {seq}: missing, though a posted head has it"


def _wrong(line: Line, before: Line | None) -> Iterator[str]:
    expected = before.seq + 1 if before else 1
    if line.seq > expected:
        yield f"{line.seq - expected} missing before it"
    elif line.seq < expected:
        yield "it stands twice"
    if _sha256(line.public) != line.hash:
        yield "it was changed: its hash is another"
    try:
        public = json.loads(line.public)
        own = (public["case"], public["audience"], public["seq"], public["at"])
        prev, private = public["prev"], public["private"]
    except (ValueError, KeyError, TypeError):
        yield "it can't be read"
        return
    if own != (line.case, line.audience, line.seq, line.at.isoformat()):
        yield "it was moved here from elsewhere"
    if line.seq == expected and prev != (before.hash if before else ""):
        yield "it does not follow the entry before it"
    if line.private is not None and _sha256(line.private) != private:
        yield "its private part was changed"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
