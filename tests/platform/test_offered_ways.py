"""Every way beyond the plain job, made for real: the examples of docs/ways.md as previews, on one worker.

The worker has all families. Where a test has several values, the families take turns; `-m slow` tries every
value with every family.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ltx2_api.errors import WorkerError
from ltx2_api.reply import DryRunResult, KeptFrames, VideoResult
from ltx2_worker.catalog.files import manifest
from ltx2_worker.engine import EngineOptions
from ltx2_worker.settings import Settings
from ltx2_worker.worker import Worker
from tests.platform.way_media import RATE, coded, picture, pictures_of, sent, sound_of, tone, video
from tests.ways import JOBS, styled
from tools.reference import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

#: A LoRA of the operator's for each family, by its name: a file of the tiny weights.
STYLES = {
    "ltx-2": ("ink", "ltx-2-19b-lora-camera-control-jib-up"),
    "ltx-2.3": ("oil", "ltx_2.3_22b_distilled_1.1_lora_dynamic_fro09_avg_rank_111_bf16"),
}
FAMILIES = list(STYLES)
#: What the language model of these tests writes; and a character with which it writes nothing.
WRITTEN = "waves crash on a rocky shore at sunset, seagulls cry in the distance"
UNWRITTEN = "~"


def in_turn(*values: Any) -> pytest.MarkDecorator:
    """A test of each value with a family; with every family where slow tests run."""
    cases = [
        pytest.param(value, family, marks=() if (number + place) % len(FAMILIES) == 0 else pytest.mark.slow)
        for number, value in enumerate(values)
        for place, family in enumerate(FAMILIES)
    ]
    return pytest.mark.parametrize(("value", "family"), cases)


def install_loras(models: Path, tiny: Path) -> None:
    """The styles, and others that do not work: by the names of their layers, for want of them, of a file."""
    (models / "catalog.d").mkdir(parents=True)
    (models / "loras").mkdir()
    tables = []

    def install(name: str, family: str, file: str) -> None:
        tables.append(
            f'[{name}]\nfile = "{file}.safetensors"\nfamily = "{family}"\n'
            f'description = "Made for {family}."\nstrength = 0.8\n'
        )

    for number, (family, (name, file)) in enumerate(STYLES.items()):
        good = (tiny / "loras" / f"{file}.safetensors").read_bytes()
        (models / "loras" / f"{name}.safetensors").write_bytes(good)
        # The same length, so that the header's offsets stay right.
        wrong = good.replace(b"diffusion_model.", b"transformer.net.")
        (models / "loras" / f"renamed-{number}.safetensors").write_bytes(wrong)
        wrong = good.replace(b"attn2.to_out.0", b"attn2.to_gone0")
        (models / "loras" / f"layers-{number}.safetensors").write_bytes(wrong)
        for each in (name, f"renamed-{number}", f"layers-{number}", f"gone-{number}"):
            install(each, family, each)
    # Only the newer family's attention has gates.
    install("gates", FAMILIES[0], STYLES[FAMILIES[1]][0])
    (models / "catalog.d" / "styles.toml").write_text("".join(tables))


def install_text_encoder(models: Path, tiny: Path) -> None:
    """A text encoder that writes; the tiny weights write no prompts."""
    file = Path("text_encoders", manifest()["text_encoder"].name)
    python = EngineOptions.from_settings(Settings()).python
    subprocess.run(
        [python, "-m", "tests.platform.writing_encoder", tiny / file, models / file, WRITTEN, UNWRITTEN],
        cwd=ROOT,
        check=True,
        timeout=110,
    )


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    home = tmp_path_factory.mktemp("ways")
    tiny = Settings().models_dirs
    settings = Settings(
        models_dirs=(home / "models", *tiny),
        work_dir=home / "work",
        output_dir=home / "videos",
        offer=("all",),
        video_crf=12,
    )
    install_loras(home / "models", tiny[0])
    install_text_encoder(home / "models", tiny[0])
    worker = Worker(settings)
    worker.start()
    yield worker
    worker.stop()


def made(worker: Worker, job_id: str, job: dict[str, Any]) -> VideoResult:
    result = worker.run(worker.accept(job_id, job, worker.take_ticket()))
    assert isinstance(result, VideoResult)
    return result


def packets_of(result: VideoResult) -> list[bytes]:
    """Picture and sound, as they are in the file; what it says of itself is left out."""
    with av.open(str(result.path)) as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


def frames_of(result: VideoResult) -> int:
    with av.open(str(result.path)) as container:
        return sum(1 for _ in container.decode(video=0))


@in_turn(*(way for way in JOBS if way != "enhance"))  # whose example is made below
def test_the_example_of_a_way_can_be_made(worker: Worker, value: str, family: str) -> None:
    way = value
    job = sent(styled(JOBS[way], STYLES[family][0])) | {"preview": True, "seed": 7, "model": family}
    result = made(worker, f"example-{way}-{family}", job)
    assert result.model == family
    assert frames_of(result) == result.frames
    assert (result.credits, result.preview) == (0, True)
    whole = job | {"dry_run": True, "preview": False}
    asked = worker.accept(f"plan-{way}-{family}", whole, worker.take_ticket())
    plan = worker.run(asked)
    assert isinstance(plan, DryRunResult)
    assert way in plan.offers
    assert plan.credits > 0


def test_the_sound_that_was_sent_is_the_one_in_the_file(worker: Worker) -> None:
    job = sent(JOBS["audio_input"]) | {"preview": True, "seed": 8, "model": FAMILIES[-1]}
    result = made(worker, "sound", job)
    with av.open(str(result.path)) as container:
        track = container.streams.audio[0]
        assert (track.rate, track.channels) == (RATE, 2)
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(track)], axis=1)
    assert heard.shape[1] >= RATE
    given = tone()[:, round(2.5 * RATE) :][:, :RATE]
    # AAC is not exact; another sound, or this one a few samples late, is far off.
    middle = slice(RATE // 4, 3 * RATE // 4)
    assert np.abs(heard[:, middle] - given[:, middle]).mean() < 0.02


def test_a_lora_that_would_change_nothing_is_not_offered(worker: Worker) -> None:
    for family, (style, _) in STYLES.items():
        job = {"prompt": "a", "model": family}
        asked = worker.accept(f"plan-{family}", job | {"dry_run": True}, worker.take_ticket())
        plan = worker.run(asked)
        assert isinstance(plan, DryRunResult)
        assert plan.loras == {style: f"Made for {family}."}
        ticket = worker.take_ticket()
        with pytest.raises(WorkerError, match=f"must be {style}") as refused:
            worker.accept("other", job | {"loras": [{"name": "renamed-0"}]}, ticket)
        ticket.release()
        assert refused.value.field == "loras.0.name"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lora_works_as_strongly_as_it_is_asked_to(worker: Worker, family: str) -> None:
    job = {"prompt": "a pond", "preview": True, "seed": 5, "camera": "none", "model": family}
    posters = set()
    for strength in (0.0, 1.5):
        loras = [{"name": STYLES[family][0], "strength": strength}]
        result = made(worker, f"strength-{family}-{strength}", job | {"loras": loras})
        posters.add(Path(str(result.poster_path)).read_bytes())
    assert len(posters) == 2


@in_turn("depth")
def test_a_restyled_video_has_the_sound_of_its_source_and_follows_a_control_of_it(
    worker: Worker, value: str, family: str
) -> None:
    base = {"preview": True, "seed": 3, "model": family}
    result = made(worker, f"restyle-{family}", sent(JOBS["restyle"]) | base | {"control": {"type": value}})
    assert result.audio
    silent = {"video_base64": coded(video(sound=False)), "strength": 0.5}
    result = made(worker, f"restyle-silent-{family}", {"prompt": "a", "restyle": silent} | base)
    assert not result.audio
    assert any("no sound" in warning for warning in result.warnings)


def test_a_source_that_is_shorter_than_the_video_is_refused(worker: Worker) -> None:
    short = {"video_base64": coded(video(0.5))}
    with pytest.raises(WorkerError, match=r"0.5 s long") as refused:
        made(worker, "short", {"prompt": "a", "preview": True, "restyle": short})
    assert refused.value.field == "restyle.video_base64"


def spliced(worker: Worker, job_id: str, **way: Any) -> "tuple[VideoResult, np.ndarray[Any, Any]]":
    """A preview with a source of its own size, and its frames."""
    job = {"prompt": "a", "preview": True, "seed": 4, "camera": "none"} | way
    result = made(worker, job_id, job)
    return result, pictures_of(Path(str(result.path)))


@pytest.fixture(scope="module")
def source() -> bytes:
    """Two seconds of 448x256, as a preview is."""
    return video(2.0, size=(448, 256))


def of(source: bytes, **more: Any) -> dict[str, Any]:
    return {"video_base64": coded(source)} | more


def far(one: "np.ndarray[Any, Any]", other: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """How far two videos are apart, frame by frame: the mean over the pixels."""
    apart: np.ndarray[Any, Any] = np.abs(one - other).mean(axis=(1, 2))
    return apart


@in_turn("end", "start")
def test_an_extended_video_has_all_of_its_source_and_a_second_more(
    worker: Worker, source: bytes, value: str, family: str
) -> None:
    side, extend = value, of(source, seconds=5, **{"from": value})
    result, frames = spliced(worker, f"extend-{side}-{family}", extend=extend, model=family)
    own = pictures_of(source)
    assert len(frames) == result.frames == len(own) + 24
    kept = frames[: len(own)] if side == "end" else frames[24:]
    assert far(kept, own).max() < 3
    new = (2.0, 3.0) if side == "end" else (0.0, 1.0)
    assert result.changed == new
    # Another encoder made it.
    assert result.kept == KeptFrames(copied=0, encoded=len(own))
    assert any("encoded once more" in warning for warning in result.warnings)
    assert [seam.at for seam in result.seams] == ([2.0] if side == "end" else [1.0])
    assert (result.width, result.height, result.audio, result.credits) == (448, 256, True, 0)
    heard, given = sound_of(result.path), tone(2.0)
    first = 0 if side == "end" else RATE
    middle = slice(RATE // 2, RATE)
    assert np.abs(heard[:, first:][:, middle] - given[:, middle]).mean() < 0.02
    # AAC's frames are 1024 samples, and the last one is filled.
    assert 0 <= heard.shape[1] - 3 * RATE <= 2048


def pixels_of(result: VideoResult) -> "list[np.ndarray[Any, Any]]":
    """Every frame, exactly."""
    with av.open(str(result.path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def test_what_this_worker_made_is_not_encoded_again(worker: Worker) -> None:
    """A video is extended, extended again at its beginning, and a span of that is made anew."""
    plain = {"prompt": "a", "preview": True, "seed": 4, "camera": "none"}
    last = made(worker, "own", plain)
    for side, kept, shift in (("end", 24, 0), ("start", 48, 24)):
        source, own = Path(str(last.path)).read_bytes(), pixels_of(last)
        last = made(worker, f"own-{side}", plain | {"extend": of(source, seconds=1, **{"from": side})})
        assert last.kept == KeptFrames(copied=kept, encoded=0)
        assert not any("encoded" in warning for warning in last.warnings)
        shown = pixels_of(last)
        assert len(shown) == last.frames == len(own) + 24
        assert all(np.array_equal(shown[shift + number], pixels) for number, pixels in enumerate(own))
    retake = of(Path(str(last.path)).read_bytes(), to=1.3) | {"from": 1.1}
    own = pixels_of(last)
    again = made(worker, "own-again", plain | {"retake": retake})
    assert again.kept is not None and again.changed is not None
    # The seconds around it begin with key frames.
    assert again.kept.copied >= 48
    assert again.kept.copied + again.kept.encoded == 72 - round(24 * (again.changed[1] - again.changed[0]))
    assert [seam.at for seam in again.seams] == list(again.changed)
    shown = pixels_of(again)
    assert all(np.array_equal(shown[number], own[number]) for number in [*range(24), *range(48, 72)])


@in_turn("both", "video", "audio")
def test_a_retake_changes_what_was_asked_for_and_nothing_else(
    worker: Worker, source: bytes, value: str, family: str
) -> None:
    what, retake = value, of(source, what=value, to=1.3) | {"from": 0.8}
    result, frames = spliced(worker, f"retake-{what}-{family}", retake=retake, model=family)
    own = pictures_of(source)
    # Asked for were frames 19 to 30; what is made anew is whole latent frames from the nineteenth on.
    assert result.changed == (0.792, 1.458)
    assert len(frames) == result.frames == len(own) == 48
    differs = far(frames, own)
    assert differs[:19].max() < 3
    assert differs[35:].max() < 3
    assert (differs[19:35].min() > 3) == (what != "audio")
    heard, given = sound_of(result.path)[:, : 2 * RATE], tone(2.0)
    apart = np.abs(heard[:, : given.shape[1]] - given[:, : heard.shape[1]]).mean(axis=0)
    assert apart[: round(0.75 * RATE)].mean() < 0.02
    assert apart[round(1.5 * RATE) : round(1.95 * RATE)].mean() < 0.02
    assert (apart[round(0.85 * RATE) : round(1.4 * RATE)].mean() > 0.05) == (what != "video")


def test_a_source_of_another_size_rate_and_without_sound_is_fitted_and_the_reply_says_so(
    worker: Worker,
) -> None:
    other = video(1.0, size=(320, 320), rate=30, sound=False)
    result, frames = spliced(worker, "fitted", extend=of(other, seconds=1))
    assert len(frames) == 48
    said = " ".join(result.warnings)
    assert "30 frames per second" in said
    assert "no sound" in said
    assert "cut away" in said
    silent, _ = spliced(worker, "fitted-silent", extend=of(other, seconds=1), audio=False)
    assert not silent.audio


@pytest.mark.parametrize("family", FAMILIES)
def test_pro_keeps_what_is_kept_too_and_both_stages_hold_it(
    worker: Worker, source: bytes, family: str
) -> None:
    job = {"quality": "pro", "steps": 20, "spatial_upscaler": True, "model": family}
    result, frames = spliced(worker, f"pro-{family}", extend=of(source, seconds=1), **job)
    own = pictures_of(source)
    assert far(frames[: len(own)], own).max() < 3
    assert result.frames == 72


def test_a_span_beyond_the_source_is_refused(worker: Worker, source: bytes) -> None:
    for field, retake in (("to", {"from": 1.5, "to": 2.5}), ("from", {"from": 2.0, "to": 2.5})):
        with pytest.raises(WorkerError, match=r"within the video's 2.00 s") as refused:
            spliced(worker, "beyond", retake=of(source, **retake))
        assert refused.value.field == f"retake.{field}"


@pytest.mark.parametrize(
    ("family", "shown"),
    [
        (FAMILIES[0], {}),
        # The engine's instructions to the language model are thousands of tokens: 13 s of a processor.
        pytest.param(FAMILIES[-1], {"image_base64": coded(picture(1))}, marks=pytest.mark.slow),
    ],
)
def test_the_video_of_a_prompt_that_was_written_out_is_that_of_what_was_written(
    worker: Worker, family: str, shown: dict[str, Any]
) -> None:
    job = JOBS["enhance"] | {"preview": True, "seed": 9, "model": family, "camera": "none"} | shown
    written = made(worker, f"written-{family}", job)
    assert (written.prompt, written.prompt_used) == (job["prompt"], WRITTEN)
    assert not written.warnings
    assert "prompt" in written.timings
    asked = made(worker, f"asked-{family}", job | {"prompt": WRITTEN, "enhance_prompt": False})
    assert (asked.prompt, asked.prompt_used) == (None, None)
    assert packets_of(written) == packets_of(asked)


def test_where_nothing_is_written_the_caller_s_prompt_is_used_and_the_reply_says_so(worker: Worker) -> None:
    prompt = f"a fox {UNWRITTEN}"
    job = {"prompt": prompt, "preview": True, "seed": 9, "camera": "none"}
    result = made(worker, "unwritten", job | {"enhance_prompt": True})
    assert (result.prompt, result.prompt_used) == (prompt, prompt)
    assert any("language model" in warning for warning in result.warnings)
    assert packets_of(result) == packets_of(made(worker, "own-prompt", job))
    assert packets_of(result) != packets_of(made(worker, "another-prompt", job | {"prompt": WRITTEN}))


@pytest.mark.slow  # its thousands of tokens are read once more: between two jobs the engine forgets the text
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_writes_the_same(worker: Worker, family: str) -> None:
    job = {"prompt": "a heron", "preview": True, "seed": 9, "enhance_prompt": True, "model": family}
    first, again = (made(worker, f"seed-{family}-{number}", job) for number in (1, 2))
    # What the engine needs to load the language model is no time in the queue.
    assert {"loading", "prompt"} <= set(first.timings)
    assert first.prompt_used == again.prompt_used == WRITTEN
    assert packets_of(first) == packets_of(again)
