"""A stranger's picture becomes the still PNG that the graph expects; runs in a child process (isolate.py)."""

import io
from pathlib import Path

import pillow_heif
from PIL import Image, ImageCms, ImageOps

from ltx2_api.errors import ErrorCode, WorkerError

from .fit import Frame, Placement, place, warnings

ALLOWED = "a JPEG, PNG, WebP, GIF or HEIC picture"

#: `ftyp` brands of HEIC pictures, ISO/IEC 23008-12 annex B and E.
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def fit_image(source: Path, target: Path, field: str, frame: Frame, max_pixels: int) -> list[str]:
    """Decode the picture in `source`, fit it to the canvas, and write it to `target` as an 8-bit RGB PNG.

    Arguments:
        source: the file as it came.
        target: the PNG to write, exactly `frame.canvas_width` x `frame.canvas_height`.
        field: the input field it came in, for messages.
        frame: the canvas and the delivered crop, in pixels.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        Warnings for the caller.

    Raises:
        WorkerError: MEDIA_REJECTED if it is not an allowed, whole picture.
    """
    picture = _upright(_decode(source, field, max_pixels))
    placement = place(picture.width, picture.height, frame)
    _lay(_flat_rgb(picture), placement, frame).save(target, "PNG", compress_level=1)
    return warnings(field, picture.width, picture.height, placement, frame)


def _decode(source: Path, field: str, max_pixels: int) -> Image.Image:
    """The first frame, wholly decoded by the one decoder that its first bytes call for."""
    with source.open("rb") as file:
        kind = _kind(file.read(64))
    if kind is None:
        raise WorkerError(ErrorCode.MEDIA_REJECTED, f"{field} must be {ALLOWED}.", field=field)
    Image.MAX_IMAGE_PIXELS = max_pixels  # the decoders' own guard, for sizes that only they get to see
    if kind == "HEIF":
        pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    try:
        picture = Image.open(source, formats=[kind])
        _check_pixels(picture, field, max_pixels)
        picture.load()
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(field, max_pixels) from error
    except (WorkerError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes a decoder may raise anything
        raise WorkerError(
            ErrorCode.MEDIA_REJECTED, f"{field} is damaged or incomplete: it must be {ALLOWED}.", field=field
        ) from error
    _check_pixels(picture, field, max_pixels)
    return picture


def _kind(head: bytes) -> str | None:
    """Pillow's name of the format that a file's first bytes announce, if it is an allowed one."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        return "HEIF"
    return None


def _check_pixels(picture: Image.Image, field: str, max_pixels: int) -> None:
    if picture.width * picture.height > max_pixels:
        raise _too_many_pixels(field, max_pixels)


def _too_many_pixels(field: str, max_pixels: int) -> WorkerError:
    return WorkerError(
        ErrorCode.MEDIA_REJECTED, f"{field} has more than {max_pixels / 1e6:g} megapixels.", field=field
    )


def _upright(picture: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; an EXIF block that cannot be read has none."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - on damaged bytes the EXIF reader may raise anything
        return picture


def _flat_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as 8-bit sRGB: transparency on black, 16 bit scaled down, an embedded profile applied."""
    if picture.mode.startswith("I"):
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        flat = Image.new("RGB", rgba.size)
        flat.paste(rgba, mask=rgba.getchannel("A"))
        return _to_srgb(flat, picture.info.get("icc_profile"))
    if picture.mode not in ("RGB", "CMYK", "L"):
        picture = picture.convert("RGB")
    return _to_srgb(picture, picture.info.get("icc_profile"))


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert from the embedded colour profile; one that does not fit the picture is not applied."""
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return converted
    return picture.convert("RGB")


def _lay(picture: Image.Image, placement: Placement, frame: Frame) -> Image.Image:
    """The canvas: the scaled picture, and its mirrored edges where it does not reach."""
    size = (placement.width, placement.height)
    scaled = picture.resize(size, Image.Resampling.LANCZOS, box=placement.box, reducing_gap=3.0)
    canvas = Image.new("RGB", (frame.canvas_width, frame.canvas_height))
    canvas.paste(scaled, (placement.left, placement.top))
    _mirror_edges(canvas, placement)
    return canvas


def _mirror_edges(canvas: Image.Image, placement: Placement) -> None:
    left, top, right, bottom = placement.left, placement.top, canvas.width, canvas.height
    if left:
        flip = Image.Transpose.FLIP_LEFT_RIGHT
        canvas.paste(canvas.crop((left, 0, 2 * left, bottom)).transpose(flip), (0, 0))
        canvas.paste(
            canvas.crop((right - 2 * left, 0, right - left, bottom)).transpose(flip), (right - left, 0)
        )
    if top:
        flip = Image.Transpose.FLIP_TOP_BOTTOM
        canvas.paste(canvas.crop((0, top, right, 2 * top)).transpose(flip), (0, 0))
        canvas.paste(
            canvas.crop((0, bottom - 2 * top, right, bottom - top)).transpose(flip), (0, bottom - top)
        )
