"""A bucket with what scripted workers deliver: real clips, in a real S3 protocol."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import av
from mypy_boto3_s3 import S3Client
from pydantic import SecretStr

from local.runpod import Job, Script, sampling
from ltx2_client import Bucket
from ltx2_studio.bucket_links import BucketLinks
from tests.film import small_clips
from tests.storage.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.studio.small_studio import VIDEO


def links(url: str) -> BucketLinks:
    """Links into the bucket of a test's S3 server."""
    return BucketLinks(Bucket(url, BUCKET, SecretStr(ACCESS_KEY), SecretStr(SECRET_KEY)))


@dataclass
class Deliveries:
    """A scripted worker's videos: every job gets the same clip, in the bucket and in its reply.

    Attributes:
        seconds: that a job takes; nothing is said in the first fifth of it.
    """

    s3: S3Client
    folder: Path
    seconds: float = 0.4
    clip: Path = field(init=False)
    poster: bytes = field(init=False)

    def __post_init__(self) -> None:
        wave = small_clips.speech(1)
        self.clip = small_clips.write(self.folder / "clip.mp4", 24, wave, size=(448, 256))
        self.poster = _first_frame(self.clip)

    def script(self, **more: object) -> Callable[[Job], Script]:
        """What a worker does with a job.

        Arguments:
            more: what its reply has besides.
        """

        def deliver(job: Job) -> Script:
            whole = self.clip.read_bytes()
            self.s3.put_object(Bucket=BUCKET, Key=f"{job.id}.mp4", Body=whole, ContentType="video/mp4")
            self.s3.put_object(Bucket=BUCKET, Key=f"{job.id}.jpg", Body=self.poster, ContentType="image/jpeg")
            made = {
                "job_id": job.id,
                "preview": bool(job.submission.input.get("preview")),
                "width": 448,
                "height": 256,
                "frames": 24,
                "duration": 1.0,
                "bytes": len(whole),
                "sha256": sha256(whole).hexdigest(),
                "seed": job.submission.input.get("seed") or 771,
            }
            said = sampling(self.seconds * 0.8, 4, [self.poster])
            return Script(seconds=self.seconds, output=VIDEO | made | more, progress=said)

        return deliver


def _first_frame(clip: Path) -> bytes:
    with av.open(str(clip)) as container:
        image = next(container.decode(video=0)).to_image()
    poster = clip.with_suffix(".jpg")
    image.save(poster, quality=85)
    return poster.read_bytes()
