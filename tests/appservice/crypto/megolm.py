"""What stands in clear in a Megolm message."""

from appservice.crypto.untrusted import unpadded


def message_index(ciphertext: str) -> int:
    """The message index, in clear in a Megolm message: version, then field 1 as a varint (Megolm specification)."""
    raw = unpadded(ciphertext)
    assert raw[:2] == b"\x03\x08"
    value = shift = 0
    for byte in raw[2:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value
