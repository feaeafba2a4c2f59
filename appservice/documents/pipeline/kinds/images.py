"""Pictures: decoded, and painted anew, so that nothing is left but what one sees."""

from __future__ import annotations

import io
import warnings
from typing import BinaryIO, Final

from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.kinds.made import Change, Made, Reason, Unacceptable
from policies.documents.files import Kind

_NEEDED: Final = ("transparency", "duration", "loop", "background", "disposal")
"""What of a picture's notes is part of how it looks."""
_QUALITY: Final = 90
_SRGB: Final = ImageCms.createProfile("sRGB")
_TELLING: Final = ("exif", "xmp", "comment", "Comment", "XML:com.adobe.xmp", "photoshop", "parsed_exif", "mp", "Author")
_WITHOUT_ALPHA: Final = frozenset({"RGB", "L", "CMYK", "YCbCr"})

Image.init()


def opened(kind: Kind, source: BinaryIO) -> Image.Image:
    """The picture, not yet decoded. Raises Unacceptable for one that is none, or too large."""
    Image.MAX_IMAGE_PIXELS = limits.PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = Image.open(source, formats=[kind.name])
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise Unacceptable(Reason.PIXELS) from None
        except (UnidentifiedImageError, SyntaxError, ValueError):
            raise Unacceptable(Reason.DAMAGED) from None
    if picture.width * picture.height * _frames(picture) > limits.PIXELS:
        raise Unacceptable(Reason.PIXELS)
    return picture


def make(kind: Kind, source: BinaryIO, result: BinaryIO) -> Made:
    """The same picture, upright, in the colours every screen has, without notes on where, when and with what."""
    picture = opened(kind, source)
    told = any(key in picture.info for key in _TELLING) or bool(picture.getexif())
    changes = (Change.PLACE,) if told else ()
    if _frames(picture) > 1:
        frames = [painted(kind, frame) for frame in ImageSequence.Iterator(picture)]
        durations = [int(frame.info.get("duration", 100)) for frame in frames]
        loop = picture.info.get("loop", 0)
        frames[0].save(
            result, kind.name, save_all=True, append_images=frames[1:], duration=durations, loop=loop, disposal=2
        )
    else:
        options = {"quality": _QUALITY, "optimize": True} if kind is Kind.JPEG else {}
        painted(kind, picture).save(result, kind.name, **options)
    return Made(kind, pages=1, changes=changes)


def painted(kind: Kind, picture: Image.Image) -> Image.Image:
    """A copy that has its pixels and what belongs to their look, and nothing else."""
    profile = picture.info.get("icc_profile")
    upright = ImageOps.exif_transpose(picture)
    if kind is Kind.JPEG and upright.mode not in {"L", "RGB"} and not profile:
        upright = upright.convert("RGB")
    if profile:
        upright = _in_srgb(upright, profile)
    bare = upright.copy() if upright is picture else upright
    bare.info = {key: value for key, value in upright.info.items() if key in _NEEDED}
    bare.getexif().clear()
    return bare


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Converted from the colours of its own profile; as it is where that profile is no good."""
    wanted = "RGB" if picture.mode in _WITHOUT_ALPHA else "RGBA"
    if picture.mode in {"P", "LA", "PA"}:
        picture = picture.convert("RGBA")
    try:
        changed = ImageCms.profileToProfile(
            picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, outputMode=wanted
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        changed = None
    return changed or picture.convert(wanted)


def _frames(picture: Image.Image) -> int:
    return int(getattr(picture, "n_frames", 1))
