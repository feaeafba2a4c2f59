"""What the documentation of the Cloud API says of a request's shape, and of its errors. Each rule names its page."""

from typing import Any, Final

Json = dict[str, Any]

FIELDS: Final = {
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "context",
    "type",
    "text",
    "interactive",
    "template",
    "image",
    "document",
    "audio",
    "video",
    "reaction",
    "biz_opaque_callback_data",
    "recipient_identity_key_hash",
}
"""Messages API: the fields of a request."""
CALLBACK_DATA: Final = 512
TEXT: Final = 4_096
CODE: Final = 15
EMOJI: Final = 16
"""Code points of the longest emoji: a family, or the flag of a region."""
BUTTONS, BODY, TITLE, BUTTON_ID = 3, 1_024, 20, 256
CAPTION: Final = 1_024
"""Media messages: characters of a caption."""
MEDIA: Final = {
    "image": {"id", "caption"},
    "document": {"id", "caption", "filename"},
    "video": {"id", "caption"},
    "audio": {"id", "voice"},
}
"""Image, document, video and audio messages: the fields of each, for a file that was uploaded; sound has no caption."""


KINDS: Final = {"text", "interactive", "template", "reaction", *MEDIA}
"""Messages API: a request has the object that `type` names, and no other kind's."""


def wrong(body: Json) -> str | None:
    """What is wrong with a request (Messages API), in a word; None for one that is well formed."""
    if body.get("messaging_product") != "whatsapp" or set(body) - FIELDS:
        return "unknown fields"
    if body.get("recipient_type", "individual") != "individual":
        return "recipient_type"
    if not isinstance(body.get("to", ""), str) or not isinstance(body.get("recipient", ""), str):
        return "to"
    if not ("to" in body or "recipient" in body):
        return "nobody"
    if len(body.get("biz_opaque_callback_data", "")) > CALLBACK_DATA:
        return "callback data"
    quoted = body.get("context", {"message_id": "x"})
    if not isinstance(quoted, dict) or set(quoted) != {"message_id"} or not isinstance(quoted["message_id"], str):
        return "context"  # Messages API, contextual replies
    if len(KINDS & set(body)) > 1:
        return "two kinds"
    return _kind(body)


def _kind(body: Json) -> str | None:
    match body.get("type"):
        case "text":
            said = body.get("text", {}).get("body")
            return None if isinstance(said, str) and said.strip() and _units(said) <= TEXT else "text"
        case "template":
            return _template(body.get("template", {}))
        case "interactive":
            return _interactive(body.get("interactive", {}))
        case "reaction":
            return _reaction(body.get("reaction", {}), quotes="context" in body)
        case str() as kind if kind in MEDIA:
            return _medium(kind, body.get(kind, {}))
        case _:
            return "type"


def _template(wanted: Json) -> str | None:
    """A name and a language; a code of at most 15 signs in the body and on the button (authentication templates)."""
    if not isinstance(wanted.get("name"), str) or "code" not in wanted.get("language", {}):
        return "template"
    parts = wanted.get("components", [])
    given = [one for part in parts for one in part.get("parameters", [])]
    if any(one.get("type") != "text" or not isinstance(one.get("text"), str) for one in given):
        return "parameters"  # Templates, components: each parameter says of what type it is; ours are texts
    codes = [one["text"] for one in given]
    shapes = [(part.get("type"), part.get("sub_type"), part.get("index")) for part in parts]
    if parts and shapes != [("body", None, None), ("button", "url", "0")]:
        return "components"
    good = not parts or (len(codes) == 2 and len(set(codes)) == 1 and 0 < len(codes[0]) <= CODE)
    return None if good else "code"


def _interactive(inner: Json) -> str | None:
    """Interactive reply buttons: at most 3, titles of 20, ids of 256, all different; a body of 1,024."""
    if inner.get("type") != "button" or not 0 < len(inner.get("body", {}).get("text", "")) <= BODY:
        return "body"
    buttons = inner.get("action", {}).get("buttons", [])
    replies = [button.get("reply", {}) for button in buttons if button.get("type") == "reply"]
    if not 0 < len(buttons) <= BUTTONS or len(replies) != len(buttons):
        return "buttons"
    titles, ids = [reply.get("title", "") for reply in replies], [reply.get("id", "") for reply in replies]
    if len(set(titles)) < len(titles) or len(set(ids)) < len(ids):
        return "alike"
    good = all(0 < len(title) <= TITLE for title in titles) and all(0 < len(one) <= BUTTON_ID for one in ids)
    return None if good else "button"


def _medium(kind: str, inner: Json) -> str | None:
    """Media messages: a file by the id of its upload, and what may stand beside it."""
    if not isinstance(inner, dict) or set(inner) - MEDIA[kind] or not isinstance(inner.get("id"), str):
        return "medium"
    if not isinstance(inner.get("voice", True), bool):
        return "voice"  # Audio messages: `voice` is true or false
    named = [inner.get("caption", "x"), inner.get("filename", "x")]
    if not all(isinstance(one, str) and one for one in named):
        return "medium"
    return "caption" if _units(inner.get("caption", "")) > CAPTION else None


def _reaction(inner: Json, *, quotes: bool) -> str | None:
    """Reaction messages: the id of a message, and one emoji; an empty one takes the last away. Nothing else of a
    message belongs to it."""
    if not isinstance(inner, dict) or set(inner) != {"message_id", "emoji"} or quotes:
        return "reaction"
    emoji = inner["emoji"]
    plain = isinstance(emoji, str) and (emoji.isascii() or any(one.isalnum() for one in emoji))
    good = emoji == "" or (isinstance(emoji, str) and not plain and len(emoji) <= EMOJI)
    return None if good and isinstance(inner["message_id"], str) and inner["message_id"] else "reaction"


def error(status: int, code: int) -> tuple[int, Json]:
    """An answer that refuses (Error codes). Its message quotes a number, as the real ones do: nobody may log it."""
    return status, {"error": {"message": f"(#{code}) to +34600123456", "type": "OAuthException", "code": code}}


SIGNS: Final = {"image": "📷", "document": "📎", "audio": "🎤", "video": "🎬"}
"""What a telephone shows beside a file."""


def words(message: Json) -> str:
    """What a person reads of a message."""
    match message["type"]:
        case "text":
            return str(message["text"]["body"])
        case "interactive":
            return str(message["interactive"]["body"]["text"])
        case "template":
            wanted = message["template"]
            given = "".join(f": {part['parameters'][0]['text']}" for part in wanted.get("components", [])[:1])
            return f"[template {wanted['name']}{given}]"
        case "reaction":
            return str(message["reaction"]["emoji"])
        case kind:
            inner = message[kind]
            return f"{SIGNS[kind]} {inner.get('filename', '')}\n{inner.get('caption', '')}".replace(" \n", "\n").strip()


def buttons(message: Json) -> list[Json]:
    """What a person can press below a message: `id` and `title` of each."""
    inner = message.get("interactive", {})
    return [button["reply"] for button in inner.get("action", {}).get("buttons", [])]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
