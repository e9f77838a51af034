"""Batches: priced first, written down, gone on with after anything; nothing is made twice."""

import asyncio
import base64
import io
import json
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from local.runpod import LOST_REPLY, Emulator, Job, Route, Script
from ltx2_api.errors import ErrorCode
from ltx2_client import AsyncClient, Client, InvalidJob, Ltx2Error, Scene, read_scenes
from ltx2_client.manifest import Manifest
from tests.client.conftest import KEY, VIDEO
from tests.client.file_server import FileServer
from tests.client.outputs import failed_output, video_output


def scenes(count: int = 3, **job: object) -> list[Scene]:
    fields = {"preview": True, **job}
    return [Scene(name=f"s{n}", job={"prompt": f"Scene {n}.", **fields}) for n in range(1, count + 1)]


def prompts(runpod: Emulator) -> Counter[str]:
    return Counter(request.body["input"]["prompt"] for request in runpod.seen(Route.RUN))


def manifest(folder: Path) -> dict[str, dict[str, object]]:
    takes: dict[str, dict[str, object]] = json.loads((folder / "manifest.json").read_text())["takes"]
    return takes


def test_a_batch_is_made_and_the_same_call_again_makes_nothing(
    runpod: Emulator, client: Client, store: FileServer, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    first = client.batch(scenes(), out=tmp_path / "story")
    assert [result.submitted for result in first] == [True] * 3
    assert sorted(path.name for path in (tmp_path / "story").glob("*.mp4")) == ["s1.mp4", "s2.mp4", "s3.mp4"]
    store.asked.clear()
    again = client.batch(scenes(), out=tmp_path / "story")
    assert [(result.submitted, result.file) for result in again] == [(False, r.file) for r in first]
    assert prompts(runpod) == {"Scene 1.": 1, "Scene 2.": 1, "Scene 3.": 1}
    assert not store.asked


def test_no_more_jobs_are_in_hand_than_allowed(
    runpod: Emulator, client: Client, store: FileServer, deliver: Callable[..., None], tmp_path: Path
) -> None:
    most = [0]

    def count(route: Route) -> None:
        open_jobs = sum(not job.status.is_final for job in runpod.platform.queue.jobs.values())
        most[0] = max(most[0], open_jobs)

    runpod.choose_faults(count)
    deliver(seconds=1.0)
    client.batch(scenes(5), out=tmp_path / "story", at_once=2)
    assert most[0] == 2


def test_several_takes_of_a_scene_have_names_and_seeds_of_their_own(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    job = {"prompt": "A wave.", "preview": True}
    story = [Scene(name="a", count=3, job=job), Scene(name="b", count=2, job={**job, "seed": 40})]
    results = client.batch(story, out=tmp_path / "story")
    assert [result.name for result in results] == ["a-1", "a-2", "a-3", "b-1", "b-2"]
    takes = manifest(tmp_path / "story")
    assert len({takes[name]["seed"] for name in ("a-1", "a-2", "a-3")}) == 3
    assert [takes[name]["seed"] for name in ("b-1", "b-2")] == [40, 41]


def test_the_price_of_what_is_missing_is_known_first_and_kept_to(
    runpod: Emulator, client: Client, tmp_path: Path
) -> None:
    story = scenes(3, preview=False, quality="pro")
    assert client.plan_batch(story, out=tmp_path / "story").credits == 135
    with pytest.raises(InvalidJob, match="costs 135 credits") as caught:
        client.batch(story, out=tmp_path / "story", max_credits=134)
    assert caught.value.code == "over_budget"
    assert not runpod.seen(Route.RUN)


def test_a_lost_file_is_fetched_again_and_not_made_again(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    client.batch(scenes(), out=tmp_path / "story")
    (tmp_path / "story" / "s2.mp4").write_bytes(b"spoiled")
    (_, second, _) = client.batch(scenes(), out=tmp_path / "story")
    assert second.file is not None and second.file.read_bytes() == VIDEO
    assert len(runpod.seen(Route.RUN)) == 3


def test_a_changed_scene_is_made_anew_and_what_was_paid_for_is_kept(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    client.batch(scenes(), out=tmp_path / "story")
    changed = [*scenes(2), Scene(name="s3", job={"prompt": "Another.", "preview": True})]
    assert [take.name for take in client.plan_batch(changed, out=tmp_path / "story").missing] == ["s3"]
    client.batch(changed, out=tmp_path / "story")
    assert prompts(runpod)["Another."] == 1
    assert len(list((tmp_path / "story").glob("s3.*.mp4"))) == 1


def test_a_failed_take_is_told_and_made_again_by_the_next_call(
    runpod: Emulator, client: Client, store: FileServer, tmp_path: Path
) -> None:
    fails = {"Scene 2."}

    def play(job: Job) -> Script:
        if job.input["prompt"] in fails:
            code = ErrorCode.ENGINE_CRASHED
            return Script(0.05, failed_output(job.id, code), error="The engine crashed.")
        store.files[f"/{job.id}"] = VIDEO
        return Script(0.05, video_output(job.id, VIDEO, store.link(f"/{job.id}")))

    runpod.play(play, 3)
    results = client.batch(scenes(), out=tmp_path / "story")
    assert [str(result.error) if result.error else None for result in results] == [
        None,
        "The engine crashed.",
        None,
    ]
    fails.clear()
    assert all(result.error is None for result in client.batch(scenes(), out=tmp_path / "story"))
    assert prompts(runpod) == {"Scene 1.": 1, "Scene 2.": 2, "Scene 3.": 1}


def test_a_video_that_was_made_and_not_stored_is_delivered_under_its_id(
    runpod: Emulator, client: Client, store: FileServer, tmp_path: Path
) -> None:
    def play(job: Job) -> Script:
        if job.retries == 0:
            code = ErrorCode.STORAGE_UNAVAILABLE
            return Script(0.05, failed_output(job.id, code), error="The video is kept.")
        store.files[f"/{job.id}"] = VIDEO
        return Script(0.05, video_output(job.id, VIDEO, store.link(f"/{job.id}")))

    runpod.play(play)
    (failed,) = client.batch(scenes(1), out=tmp_path / "story")
    assert failed.error is not None
    (result,) = client.batch(scenes(1), out=tmp_path / "story")
    assert result.file is not None and result.file.read_bytes() == VIDEO
    assert (len(runpod.seen(Route.RUN)), len(runpod.seen(Route.RETRY))) == (1, 1)


def test_a_take_that_may_have_been_submitted_is_made_again_only_when_asked(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()
    runpod.inject(Route.RUN, LOST_REPLY)
    (first,) = client.batch(scenes(1), out=tmp_path / "story")
    assert first.error is not None
    plan = client.plan_batch(scenes(1), out=tmp_path / "story")
    assert ([take.name for take in plan.doubtful], plan.credits) == (["s1"], 0)
    (second,) = client.batch(scenes(1), out=tmp_path / "story")
    assert isinstance(second.error, Ltx2Error) and len(runpod.seen(Route.RUN)) == 1
    (third,) = client.batch(scenes(1), out=tmp_path / "story", resubmit=True)
    assert third.error is None
    first_post, second_post = runpod.seen(Route.RUN)
    assert first_post.body["input"] == second_post.body["input"], "another request"


def clip(color: tuple[int, int, int], last: tuple[int, int, int]) -> bytes:
    """Ten frames of one colour, and one of another, as an MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for shown in [color] * 10 + [last]:
            frame = av.VideoFrame(64, 64, "rgb24")
            frame.planes[0].update(bytes(shown) * 64 * 64)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def middle_pixel(png: bytes) -> tuple[int, ...]:
    with av.open(io.BytesIO(png), "r") as container:
        frame = next(container.decode(video=0)).reformat(format="rgb24")
        plane = bytes(frame.planes[0])
        start = 32 * frame.planes[0].line_size + 32 * 3
        return tuple(plane[start : start + 3])


def test_a_scene_starts_from_the_last_frame_of_another(
    runpod: Emulator, client: Client, store: FileServer, tmp_path: Path
) -> None:
    content = clip((200, 30, 30), (20, 180, 60))

    def play(job: Job) -> Script:
        store.files[f"/{job.id}"] = content
        return Script(0.05, video_output(job.id, content, store.link(f"/{job.id}")))

    runpod.play(play, 2)
    job = {"prompt": "Dawn.", "preview": True}
    story = [
        Scene(name="noon", from_last_frame_of="dawn", job={"prompt": "Noon.", "preview": True}),
        Scene(name="dawn", job=job),
    ]
    results = client.batch(story, out=tmp_path / "story")
    assert [result.error for result in results] == [None, None]
    first, second = runpod.seen(Route.RUN)
    assert "image_base64" not in first.body["input"]
    shown = middle_pixel(base64.b64decode(second.body["input"]["image_base64"]))
    assert max(abs(a - b) for a, b in zip(shown, (20, 180, 60), strict=True)) < 12

    # Made anew, the first scene ends otherwise: the one that starts from it is made anew too.
    content = clip((200, 30, 30), (20, 20, 220))
    story[1] = Scene(name="dawn", job={"prompt": "Another dawn.", "preview": True})
    client.batch(story, out=tmp_path / "story")
    assert len(runpod.seen(Route.RUN)) == 4


def test_what_starts_from_a_failed_scene_is_not_submitted(
    runpod: Emulator, client: Client, tmp_path: Path
) -> None:
    code = ErrorCode.OUT_OF_MEMORY
    runpod.play(lambda job: Script(0.05, failed_output(job.id, code), error="Too large."))
    story = [*scenes(1), Scene(name="b", from_last_frame_of="s1", job={"prompt": "B.", "preview": True})]
    results = client.batch(story, out=tmp_path / "story")
    assert "s1" in str(results[1].error)
    assert len(runpod.seen(Route.RUN)) == 1


def test_every_fault_of_every_scene_is_told_before_anything_is_sent(
    runpod: Emulator, client: Client, tmp_path: Path
) -> None:
    text = json.dumps(
        {
            "defaults": {"preview": True},
            "scenes": [
                {"name": "a", "prompt": "A.", "resolution": "4k"},
                {"name": "a", "prompt": ""},
                {"name": "b", "prompt": "B.", "from_last_frame_of": "nowhere"},
            ],
        }
    )
    with pytest.raises(InvalidJob) as caught:
        client.batch(read_scenes(text), out=tmp_path / "story")
    told = str(caught.value)
    assert all(
        part in told for part in ("Two scenes are called a", "resolution", "prompt", "no scene nowhere")
    )
    circle = json.dumps(
        [
            {"name": "a", "prompt": "A", "from_last_frame_of": "b"},
            {"name": "b", "prompt": "B", "from_last_frame_of": "a"},
        ]
    )
    with pytest.raises(InvalidJob, match="start from each other: a, b"):
        client.batch(read_scenes(circle), out=tmp_path / "story")
    assert not runpod.seen(Route.RUN)


def test_a_folder_belongs_to_one_process_and_one_endpoint(
    runpod: Emulator, client: Client, deliver: Callable[..., None], tmp_path: Path
) -> None:
    with Manifest(tmp_path / "story", "ltx2"), pytest.raises(Ltx2Error, match="Another process"):
        client.batch(scenes(1), out=tmp_path / "story")
    deliver()
    client.batch(scenes(1), out=tmp_path / "story")
    with Client("other", KEY, url=runpod.base_url) as other, pytest.raises(Ltx2Error, match="another folder"):
        other.batch(scenes(1), out=tmp_path / "story")


def test_the_asynchronous_client_makes_a_batch_too(
    runpod: Emulator, deliver: Callable[..., None], tmp_path: Path
) -> None:
    deliver()

    async def whole() -> list[bool]:
        async with AsyncClient("ltx2", KEY, url=runpod.base_url, journal=None) as client:
            results = await client.batch(scenes(), out=tmp_path / "story")
            return [result.error is None for result in results]

    assert asyncio.run(whole()) == [True] * 3
