"""What octant searches: text, images and audio, by reference, and decoded once, where an encoder needs it."""

from octant.media.dataurl import data_url
from octant.media.describe import Description, describe, fingerprint
from octant.media.kinds import DEFAULT_LIMITS, Audio, Image, Limits, Media, Modality, Text
from octant.media.parts import Frame, Page, Region, Span
from octant.media.picture import decode_image, thumbnail
from octant.media.sound import decode_audio

__all__ = [
    "DEFAULT_LIMITS",
    "Audio",
    "Description",
    "Frame",
    "Image",
    "Limits",
    "Media",
    "Modality",
    "Page",
    "Region",
    "Span",
    "Text",
    "data_url",
    "decode_audio",
    "decode_image",
    "describe",
    "fingerprint",
    "thumbnail",
]
