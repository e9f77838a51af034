"""Makes real videos of a few small frames on the real engine, and measures them."""

import hashlib
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageDraw

from ltx2_api.job import JobInput
from ltx2_worker.catalog.catalogue import catalogue
from ltx2_worker.catalog.files import ModelFile
from ltx2_worker.catalog.inputs import Value
from ltx2_worker.deadline import Deadline
from ltx2_worker.engine import Engine, NodeStarted
from ltx2_worker.plan import Plan, by_recipe, make_plan
from ltx2_worker.plan.geometry import Size, canvas_for, frames_to_generate
from ltx2_worker.plan.ways.spliced import spliced
from ltx2_worker.workflow import Media, Output, build
from ltx2_worker.workflow.graph import Prompt

#: What is delivered: smaller than the canvas both ways, so that the crop is seen.
DELIVERED = Size(160, 96)
#: Frames delivered at 24 fps; nine are generated.
FRAMES = 8
#: Frames of a video that is extended or in which some are made anew; it has no sound.
SOURCE_FRAMES = 9

URL = "https://example.org/file"
IMAGE = {"image_url": URL}
#: Fixed, so that two jobs differ in what the test makes different only.
JOB = {"prompt": "a cat purrs on a cushion", "seed": 11, "camera": "none", "spatial_upscaler": True}


@dataclass(frozen=True)
class Made:
    """A finished video, as PyAV sees it.

    Attributes:
        picture: fingerprint of all decoded frames.
        ran: titles of the nodes that ran for it.
    """

    size: Size
    frames: int
    fps: Fraction
    seconds: float
    sound_seconds: float | None
    picture: str
    streams: tuple[str, ...]
    path: Path = field(compare=False)
    ran: frozenset[str] = field(compare=False)


def single(file: ModelFile) -> bool:
    """A machine with a control LoRA for each type."""
    return file.id != "control_union"


def union(file: ModelFile) -> bool:
    """A machine with the union-control LoRA instead."""
    return not file.id.startswith("control_") or file.id == "control_union"


def small_plan(raw: dict[str, Any], installed: Callable[[ModelFile], bool], frames: int = FRAMES) -> Plan:
    """A job's plan, at a size and length that a CPU makes in a second."""
    plan = make_plan(JobInput.parse(JOB | {"preview": True} | raw)[0], installed=installed)
    latent = plan.family.latent
    downscale = plan.control.model.reference_downscale if plan.control else 1
    # A keyframe stays at its share of the video.
    share = frames / (plan.seconds * plan.base_fps)
    keyframes = (replace(each, frame=round(each.frame * share)) for each in plan.keyframes)
    plan = replace(
        plan,
        delivered=DELIVERED,
        canvas=canvas_for(DELIVERED, latent, reference_downscale=downscale, two_stage=plan.spatial_upscaler),
        frames=frames * plan.fps // 24,
        base_frames=frames_to_generate(frames, latent),
        keyframes=tuple(keyframes),
    )
    return spliced(plan, plan.cut(SOURCE_FRAMES), has_sound=False) if plan.cut else plan


class Studio:
    """Runs jobs on an engine.

    Arguments:
        engine: a ready one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._folder = f"studio-{uuid.uuid4().hex}"
        self._numbers = itertools.count()
        (engine.input_dir / self._folder).mkdir()

    def prompt(
        self,
        raw: dict[str, Any],
        installed: Callable[[ModelFile], bool] = single,
        *,
        resident: bool = False,
        frames: int = FRAMES,
    ) -> tuple[Plan, Prompt]:
        """A job's plan and its graph, with a file name of its own."""
        plan = small_plan(raw, installed, frames)
        prefix = f"{self._folder}/{next(self._numbers)}"
        # Lossless: x264 is not repeatable otherwise, and the frames of two files are compared to the bit.
        others = [by_recipe(plan, recipe, installed) for recipe in catalogue().recipes] if resident else []
        others = [other for other in others if other.recipe is not plan.recipe]
        return plan, build(plan, self._media(plan), Output(0.0, prefix=prefix), resident=others).prompt

    def _media(self, plan: Plan) -> Media:
        """Put what the plan needs into the engine's input folder, fitted to the canvas as the worker does."""
        image = control = None
        if plan.mode == "i2v":
            image = f"{self._folder}/{plan.canvas}.png"
            scene(plan.canvas, 0).save(self._engine.input_dir / image)
        if plan.control:
            frames = plan.base_frames if plan.control.has_video else 1
            control = f"{self._folder}/{plan.canvas}-{frames}.mp4"
            write_video(
                self._engine.input_dir / control, [scene(plan.canvas, time) for time in range(frames)]
            )
        source = None
        if plan.splice:
            shown = plan.splice.shown
            source = f"{self._folder}/{plan.canvas}-source.mp4"
            write_video(self._engine.input_dir / source, [scene(plan.canvas, time) for time in range(shown)])
        files = {Value.IMAGE: image, Value.CONTROL_VIDEO: control, Value.SOURCE_VIDEO: source}
        sent: dict[Value, Sequence[str]] = {value: (file,) for value, file in files.items() if file}
        return sent | self._keyframes(plan)

    def _keyframes(self, plan: Plan) -> dict[Value, Sequence[str]]:
        names = [
            f"{self._folder}/{plan.canvas}-keyframe-{number}.png" for number in range(len(plan.keyframes))
        ]
        for number, name in enumerate(names):
            scene(plan.canvas, 20 * number + 20).save(self._engine.input_dir / name)
        return {Value.KEYFRAME_IMAGE: names} if names else {}

    def run(self, prompt: Prompt) -> Made:
        """Run a graph and measure the video that it saves."""
        ran: set[str] = set()

        def listen(event: object) -> None:
            if isinstance(event, NodeStarted):
                ran.add(prompt[event.node_id]["_meta"]["title"])

        (path,) = self._engine.run(
            prompt,
            ticket=self._engine.take_ticket(),
            job_key=uuid.uuid4().hex,
            deadline=Deadline(300),
            on_event=listen,
        )
        return measure(path, frozenset(ran))

    def make(
        self, installed: Callable[[ModelFile], bool] = single, *, frames: int = FRAMES, **raw: Any
    ) -> Made:
        """Make a job's video; it must be what its plan says."""
        plan, prompt = self.prompt(raw, installed, frames=frames)
        made = self.run(prompt)
        assert made.size == plan.delivered
        assert made.frames == plan.frames
        assert made.fps == plan.fps
        assert abs(made.seconds - plan.frames / plan.fps) < 1e-3
        assert made.streams == (("h264", "aac") if plan.audio else ("h264",))
        if made.sound_seconds is not None:
            assert abs(made.sound_seconds - made.seconds) <= 1 / 24
        return made

    def saved_latent(self, prompt: Prompt, samples: list[object]) -> bytes:
        """Run a graph that also saves this latent, and return the file's bytes."""
        name = f"{self._folder}/latent-{next(self._numbers)}"
        saver = {"class_type": "SaveLatent", "_meta": {"title": "Latent"}}
        self.run(prompt | {"latent": saver | {"inputs": {"samples": samples, "filename_prefix": name}}})
        (path,) = self._engine.output_dir.glob(f"{name}_*.latent")
        return path.read_bytes()


def measure(path: Path, ran: frozenset[str]) -> Made:
    """Decode a video to its end."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        sound = next(iter(container.streams.audio), None)
        digest = hashlib.sha256()
        frames = 0
        for frame in container.decode(video):
            frames += 1
            for plane in frame.planes:
                digest.update(bytes(plane))
        return Made(
            size=Size(video.width, video.height),
            frames=frames,
            fps=video.average_rate or Fraction(0),
            seconds=float((video.duration or 0) * (video.time_base or 0)),
            sound_seconds=float((sound.duration or 0) * (sound.time_base or 0)) if sound else None,
            picture=digest.hexdigest(),
            streams=tuple(stream.codec_context.name for stream in container.streams),
            path=path,
            ran=ran,
        )


def scene(size: Size, time: int) -> Image.Image:
    """A ball before a gradient: something with edges, that moves."""
    picture = Image.linear_gradient("L").resize((size.width, size.height)).convert("RGB")
    left, top, ball = 20 + 4 * time, size.height // 4, size.height // 2
    ImageDraw.Draw(picture).ellipse((left, top, left + ball, top + ball), fill=(250, 200, 30))
    return picture


def write_video(path: Path, pictures: list[Image.Image]) -> None:
    """Write pictures as an MP4 of 24 fps, as the worker hands control videos to the engine."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "yuv420p"
        stream.options = {"qp": "0"}  # lossless: two files of the same pictures have the same frames
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
