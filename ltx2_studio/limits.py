"""What may be uploaded, and how much of it."""

MEGABYTE = 1_000_000

#: Bytes of an upload, by what it is. The worker takes images and control videos of these sizes by default.
MOST_IMAGE_BYTES = 20 * MEGABYTE
MOST_VIDEO_BYTES = 200 * MEGABYTE
MOST_MUSIC_BYTES = 100 * MEGABYTE

#: The media type of an upload, by the suffix of its name.
TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".heic": "image/heic",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
}


def most_bytes(media_type: str) -> int:
    """How large an upload of a type may be."""
    kind = media_type.partition("/")[0]
    return {"image": MOST_IMAGE_BYTES, "audio": MOST_MUSIC_BYTES}.get(kind, MOST_VIDEO_BYTES)
