"""Bea at her telephone: what arrives on it, what she writes and presses, and what must have come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sandbox.seen import SeenEvent
from sandbox.stage import Place, Stage
from sandbox.whatsapp.server import CONTACTS
from sandbox.whatsapp.telephone import Bubble, Telephone

NAME: Final = "Bea"
NUMBER: Final = "+34600123456"
USER: Final = "ES.4711aB"
PROFILE: Final = "Mia, mediator 🔒"
"""Anybody can call themselves anything there, so nobody is known by it."""
_LABELS: Final = {
    "PRIVATE": "🔒 PRIVATE – only your side and the mediator read this",
    "EVERYONE": "👥 JOINT – everyone in the mediation reads this",
}


@dataclass(slots=True)
class Texter:
    """Bea. Every method raises StoryDiffers."""

    stage: Stage
    telephone: Telephone
    _expected: set[str] = field(default_factory=set)

    @property
    def unexpected(self) -> list[Bubble]:
        """What arrived and the story does not have."""
        return [one for one in self.telephone.bubbles if not one.mine and one.id not in self._expected]

    async def is_asked_to_write(self, chat: str) -> None:
        """The template arrives: the one message that may begin a conversation, without a word of the case."""
        asked = await self._gets(chat, "the message that asks her to write", lambda bubble: bubble.template)
        self.stage.show(f"📱 {NAME}'s telephone: {CONTACTS[chat]}", "", asked.text)

    async def is_told(self, place: Place, *fragments: str) -> Bubble:
        """A new message has these words. It comes from the number of that room, and says first who reads it."""

        def fits(bubble: Bubble) -> bool:
            return all(fragment in bubble.text for fragment in fragments)

        what = f"a message on {NAME}'s telephone with {', '.join(f'“{f}”' for f in fragments)}"
        told = await self._gets(place.chat or "", what, fits)
        label = _LABELS[place.name.split()[0]]
        self.stage.require(f"it begins with “{label}”", told.text.startswith(label), told.text)
        return told

    async def has_it(self, place: Place, *fragments: str) -> None:
        """Like `is_told`, in a line."""
        label = (await self.is_told(place, *fragments)).text.partition(" – ")[0]
        self.stage.aside(f"{NAME} has it by WhatsApp, marked {label}")

    def show(self, bubble: Bubble) -> None:
        """A message as it is on her telephone."""
        pressable = "".join(f"\n[ {button.title} ]" for button in bubble.buttons)
        self.stage.show(f"📱 {NAME}'s telephone: {CONTACTS[bubble.chat]}", "", f"{bubble.text}{pressable}")

    async def presses(self, bubble: Bubble, title: str) -> None:
        """She presses a button."""
        button = next((button for button in bubble.buttons if button.title == title), None)
        self.stage.require(f"a button “{title}”", button is not None, bubble)
        assert button is not None
        self.stage.show(f"📱 {NAME}'s telephone: {CONTACTS[bubble.chat]}", NAME, f"(presses) {title}")
        await self.telephone.press(bubble.id, button.id)

    async def writes(self, place: Place, words: str) -> None:
        """She writes to the number of that room."""
        chat = place.chat or ""
        self.stage.show(f"📱 {NAME}'s telephone: {CONTACTS[chat]}", NAME, words)
        await self.telephone.write(chat, words)

    async def is_heard(self, place: Place, words: str, *, known_as: str = "") -> SeenEvent:
        """Everyone in that room reads exactly her words, under the name that the mediator gave her, and the desk, which
        may know the room otherwise, is told."""
        stage = self.stage
        heard = [await stage.hears(reader, place, words) for reader in place.readers]
        stage.require("her words and nothing else", {event.body for event in heard} == {words}, heard)
        stage.require("her own ghost speaks", heard[0].sender.startswith("@_mediatrix_"), heard[0].sender)
        stage.count(heard[0], place)
        stage.show(place.title, NAME, words)
        await stage.noticed(f"{NAME} wrote in {known_as or place.name}.")
        return heard[0]

    async def _gets(self, chat: str, what: str, fits: Callable[[Bubble], bool]) -> Bubble:
        def is_new(bubble: Bubble) -> bool:
            return not bubble.mine and bubble.id not in self._expected and bubble.chat == chat and fits(bubble)

        with self.stage.expecting(what):
            try:
                found = await self.telephone.wait_for(is_new, timeout=self.stage.patience)
            except TimeoutError:
                raise TimeoutError("\n\n".join(bubble.text for bubble in self.unexpected) or "nothing") from None
        self._expected.add(found.id)
        return found
