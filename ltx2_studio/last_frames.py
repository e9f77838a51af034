"""The last frame of a video as a start image: fetched, cut out, and put into the bucket."""

import tempfile
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

import requests

from ltx2_api.reply import VideoResult
from ltx2_client.errors import BadDownload
from ltx2_client.last_frame import last_frame

from .fetching import FetchFailed, fetch
from .ports import Links
from .problems import ProblemError, no_uploads

#: Bytes of a video that is opened here; a minute of 1080p at 48 fps has a quarter of them.
MOST_BYTES = 500_000_000
TIMEOUT = 30.0


def put(links: Links, account: str, generation: str, job_id: str, reply: VideoResult) -> str:
    """Put a video's last frame where uploads lie; the same name each time.

    Returns:
        What to name it by in a job.

    Raises:
        ProblemError: there is no video any more, it cannot be opened, or there is no bucket.
    """
    link = links.video(job_id, reply, None)
    try:
        with tempfile.TemporaryDirectory(prefix="last-frame-") as folder:
            clip = Path(folder) / "clip.mp4"
            fetch(str(link), clip, MOST_BYTES)
            picture = last_frame(clip)
        digest = sha256(picture).hexdigest()
        place = links.upload(f"{account}/last-frame-{generation}.png", len(picture), digest)
        if place is None:
            raise no_uploads()
        requests.put(place.put_url, picture, headers=place.headers, timeout=TIMEOUT).raise_for_status()
    except (requests.RequestException, FetchFailed, BadDownload):
        raise ProblemError(
            HTTPStatus.BAD_GATEWAY, "no_last_frame", "The video cannot be opened now: try it again."
        ) from None
    return place.url
