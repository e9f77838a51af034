"""A film is exact to the frame and the sample, as loud as was asked, and in sync to its end."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import opentimelineio
import pytest

from ltx2_client.cli.main import main
from ltx2_client.errors import BadFilm, Cancelled
from ltx2_client.film import Clip, Film, Loudness, Music, Transition, loudness, read_film, render
from ltx2_client.film.edit import parse_film
from tests.film.small_clips import (
    RATE,
    clicks,
    number_of,
    numbered,
    pictures_of,
    sound_of,
    speech,
    tone,
    write,
    write_wave,
)

AS_IT_IS = Loudness(target=None, true_peak=0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds: frames numbered from 0 to 47, a click at the beginning of each second."""
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", 48, clicks(2))


def joined(clip: Path, kind: str, seconds: float) -> Film:
    transition = Transition.model_validate({"kind": kind, "seconds": seconds})
    return Film(clips=[Clip(file=str(clip)), Clip(file=str(clip), transition=transition)], loudness=AS_IT_IS)


def luma(frame: av.VideoFrame) -> float:
    return float(frame.to_ndarray(format="gray")[48:].mean())


@pytest.mark.parametrize(
    "kind", ["crossfade", "dissolve", "fade_black", "fade_white", "wipe_left", "wipe_up"]
)
def test_a_transition_takes_just_its_frames(clip: Path, tmp_path: Path, kind: str) -> None:
    report = render(joined(clip, kind, 0.5), tmp_path / "film.mp4")
    numbers = [number_of(frame) for frame in pictures_of(report.file)]
    assert report.frames == len(numbers) == 48 + 48 - 12
    assert report.samples == report.frames * 2000
    assert numbers[:36] == list(range(36))
    assert numbers[48:] == list(range(12, 48))


def test_a_cut_shows_every_frame_of_both_clips(clip: Path, tmp_path: Path) -> None:
    film = Film(clips=[Clip(file=str(clip)), Clip(file=str(clip))], loudness=AS_IT_IS)
    report = render(film, tmp_path / "film.mp4")
    assert [number_of(frame) for frame in pictures_of(report.file)] == [*range(48), *range(48)]


def test_a_fade_through_black_is_black_between_two_clips_and_no_darker(clip: Path, tmp_path: Path) -> None:
    report = render(joined(clip, "fade_black", 1.0), tmp_path / "film.mp4")
    shown = [frame.to_ndarray()[48:96].min() for frame in pictures_of(report.file)]
    assert 15 <= min(shown) <= 18  # limited range: black is 16
    assert shown.index(min(shown)) in range(34, 38)


def test_a_film_fades_from_black_and_to_black(clip: Path, tmp_path: Path) -> None:
    film = Film(clips=[Clip(file=str(clip))], fade_in=0.5, fade_out=0.5, loudness=AS_IT_IS)
    shown = [luma(frame) for frame in pictures_of(render(film, tmp_path / "film.mp4").file)]
    assert shown[0] < 20
    assert shown[12] > 60
    assert shown[-1] < shown[-6] < shown[-12]
    assert len(shown) == 48


def test_part_of_a_clip_begins_and_ends_on_its_frames(clip: Path, tmp_path: Path) -> None:
    film = Film(clips=[Clip.model_validate({"file": str(clip), "in": 0.5, "out": 1.25})], loudness=AS_IT_IS)
    report = render(film, tmp_path / "film.mp4")
    assert [number_of(frame) for frame in pictures_of(report.file)] == list(range(12, 30))
    first_click = np.flatnonzero(np.abs(sound_of(report.file)) > 0.1)[0]
    assert first_click == pytest.approx(0.5 * RATE, abs=96)


def test_a_clip_of_48_fps_plays_at_24_with_every_other_frame(clip: Path, tmp_path: Path) -> None:
    smooth = write(tmp_path / "smooth.mp4", 96, clicks(2), fps=48)
    film = Film(clips=[Clip(file=str(clip)), Clip(file=str(smooth))], loudness=AS_IT_IS)
    report = render(film, tmp_path / "film.mp4")
    assert [number_of(frame) for frame in pictures_of(report.file)][48:] == list(range(0, 96, 2))
    assert report.notes == ("clips.1 has 48 frames a second and plays at 24.",)


def test_another_size_is_fitted_with_black_bars_and_said(clip: Path, tmp_path: Path) -> None:
    tall = write(tmp_path / "tall.mp4", 24, None, size=(96, 192), pictures=[numbered(0, 96, 192)] * 24)
    film = Film(clips=[Clip(file=str(clip)), Clip(file=str(tall))], loudness=AS_IT_IS)
    report = render(film, tmp_path / "film.mp4")
    picture = pictures_of(report.file)[60].to_ndarray(format="gray")
    assert picture.shape == (96, 128)
    assert picture[60, 2] < 20
    assert picture[60, 64] > 70
    assert report.notes == (
        "clips.1 is 96x192 and was fitted into 128x96.",
        "clips.1 has no sound.",
    )


def test_the_file_says_what_it_is(clip: Path, tmp_path: Path) -> None:
    report = render(joined(clip, "crossfade", 0.5), tmp_path / "film.mp4")
    with av.open(str(report.file)) as container:
        picture, heard = container.streams.video[0], container.streams.audio[0]
        context = picture.codec_context
        assert (context.colorspace, context.color_range, context.color_trc) == (1, 1, 1)
        for stream in (picture, heard):
            assert stream.duration is not None
            assert stream.time_base is not None
            assert stream.duration * stream.time_base == report.seconds
    data = report.file.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_film_of_twelve_clips_with_speech_over_music_is_as_loud_as_asked_and_in_sync(
    tmp_path: Path,
) -> None:
    waves = [*(speech(2, seed=number) for number in range(11)), clicks(2, level=0.35)]
    clips = [write(tmp_path / f"{number}.mp4", 48, wave) for number, wave in enumerate(waves)]
    music = write_wave(tmp_path / "music.wav", tone(5, 0.4) + tone(5, 0.2, 97))
    transition = Transition(kind="crossfade", seconds=0.5)
    placed = [Clip(file=str(path), transition=transition if n else None) for n, path in enumerate(clips)]
    film = Film(clips=placed, music=Music(file=str(music)))

    report = render(film, tmp_path / "film.mp4")

    assert report.frames == len(pictures_of(report.file)) == 12 * 48 - 11 * 12
    assert report.samples == report.frames * 2000
    assert abs(report.loudness.integrated - -14) <= 0.5
    assert report.loudness.true_peak <= -1
    # The click of the last clip's last second lies under that second's first frame.
    start = report.frames - 48
    wave = sound_of(report.file)
    expected = (start + 24) * 2000
    around = np.abs(wave[expected - RATE // 4 : expected + RATE // 4])
    assert int(np.argmax(around > 0.7 * around.max())) == pytest.approx(RATE // 4, abs=96)


def test_music_is_nine_decibels_below_speech_while_it_speaks_and_comes_back(tmp_path: Path) -> None:
    talk = write(tmp_path / "talk.mp4", 24 * 8, speech(8))
    music = write_wave(tmp_path / "music.wav", tone(8, 0.5, 6000))
    own = Film(clips=[Clip(file=str(talk))], loudness=AS_IT_IS)
    alone = sound_of(render(own, tmp_path / "alone.mp4").file)
    film = own.model_copy(update={"music": Music(file=str(music), fade_in=0, fade_out=0)})
    both = sound_of(render(film, tmp_path / "film.mp4").file)

    def level(wave: np.ndarray, start: float, end: float, *, high: bool) -> float:
        """Mean power above or below 5 kHz, in dB: the music is a tone of 6 kHz, speech ends at 4 kHz."""
        part = wave[int(start * RATE) : int(end * RATE)]
        power = np.abs(np.fft.rfft(part)) ** 2
        hertz = np.fft.rfftfreq(len(part), 1 / RATE)
        return 10 * float(np.log10(power[(hertz > 5000) == high].sum() / len(part) ** 2))

    speaking, silent = (4.5, 5.8), (6.8, 7.9)
    assert level(both, *speaking, high=False) == pytest.approx(level(alone, *speaking, high=False), abs=1)
    assert level(both, *speaking, high=False) - level(both, *speaking, high=True) >= 9
    assert level(both, *silent, high=True) - level(both, *speaking, high=True) >= 6


def test_other_music_changes_the_sound_and_no_frame(clip: Path, tmp_path: Path) -> None:
    film = Film(clips=[Clip(file=str(clip))])
    rendered = []
    for hertz in (300.0, 900.0):
        music = write_wave(tmp_path / f"{hertz}.wav", tone(1, 0.3, hertz))
        out = tmp_path / f"{hertz}.mp4"
        report = render(film.model_copy(update={"music": Music(file=str(music))}), out)
        rendered.append(report.file)
    pictures = [np.stack([frame.to_ndarray() for frame in pictures_of(path)]) for path in rendered]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.allclose(sound_of(rendered[0]), sound_of(rendered[1]), atol=0.05)


def test_loudness_is_measured_as_ebu_r_128_measures_it() -> None:
    # EBU Tech 3341, test 1: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS.
    wave = tone(20, 10 ** (-23 / 20), 1000)
    measured = loudness.measure(iter([np.stack([wave, wave])]))
    assert measured.integrated == pytest.approx(-23, abs=0.1)
    assert measured.true_peak == pytest.approx(-23, abs=0.2)


def test_sound_whose_peaks_leave_no_room_stays_quieter_and_the_report_says_so(
    clip: Path, tmp_path: Path
) -> None:
    report = render(Film(clips=[Clip(file=str(clip))]), tmp_path / "film.mp4")
    assert report.loudness.integrated < -16
    assert report.loudness.true_peak <= -1
    assert "instead of -14: its peaks leave no more room" in report.notes[0]


def test_silence_stays_silent(tmp_path: Path) -> None:
    mute = write(tmp_path / "mute.mp4", 24, None)
    report = render(Film(clips=[Clip(file=str(mute))]), tmp_path / "film.mp4")
    assert report.loudness.is_silent
    assert np.abs(sound_of(report.file)).max() < 1e-4


def test_a_cancelled_film_leaves_nothing_behind(clip: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    out = tmp_path / "film.mp4"
    with pytest.raises(Cancelled):
        render(
            Film(clips=[Clip(file=str(clip))]),
            out,
            on=lambda done, _: seen.append(done),
            cancelled=lambda: len(seen) == 20,
        )
    assert len(seen) == 20
    assert list(tmp_path.iterdir()) == []


def test_progress_names_every_frame(clip: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    render(Film(clips=[Clip(file=str(clip))]), tmp_path / "film.mp4", on=lambda *told: seen.append(told))
    assert seen == [(number, 48) for number in range(1, 49)]


Wrong = Callable[[str], dict[str, object]]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        (lambda file: {"clips": []}, "clips", "at least 1"),
        (lambda file: {"clips": [{"file": file, "job": "x"}]}, "clips.0", "file or job"),
        (lambda file: {"clips": [{"file": file, "out": 0.51}]}, "clips.0.out", "0.5 s is the nearest"),
        (lambda file: {"clips": [{"file": file, "out": 3}]}, "clips.0.out", "the clip is 2 s long"),
        (lambda file: {"clips": [{"file": file, "in": 1, "out": 1}]}, "clips.0", "later than in"),
        (lambda file: {"clips": [{"file": file, "gain": 1}]}, "clips.0.gain", "Extra"),
        (lambda file: {"clips": [{"file": file, "transition": {}}]}, "film", "no clip before it"),
        (
            lambda file: {"clips": [{"file": file}, {"file": file, "transition": {"seconds": 3}}]},
            "clips.0",
            "fewer than its transitions take",
        ),
        (lambda file: {"clips": [{"file": file}], "width": 100}, "film", "given together"),
        (lambda file: {"clips": [{"file": file}], "fps": 23}, "fps", "24, 25"),
        (lambda file: {"clips": [{"file": "/no/such.mp4"}]}, "clips.0", "cannot be opened"),
        (lambda file: {"clips": [{"job": "abc"}]}, "clips.0.job", "where a client renders"),
    ],
)
def test_a_wrong_film_is_refused_and_the_field_named(
    clip: Path, tmp_path: Path, wrong: Wrong, field: str, said: str
) -> None:
    with pytest.raises(BadFilm) as caught:
        render(parse_film(wrong(str(clip))), tmp_path / "film.mp4")
    assert field in caught.value.message
    assert said in caught.value.message


def test_files_are_named_relative_to_the_film(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "here.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "film.json").write_text('{"clips": [{"file": "here.mp4"}], "loudness": {"target": null}}')
    assert render(read_film(tmp_path / "film.json"), tmp_path / "film.mp4").frames == 48


def test_the_edit_opens_in_other_editors(clip: Path, tmp_path: Path) -> None:
    film = joined(clip, "crossfade", 0.5)
    music = write_wave(tmp_path / "music.wav", tone(1, 0.3))
    film = film.model_copy(update={"music": Music(file=str(music))})
    report = render(film, tmp_path / "film.mp4", otio=tmp_path / "film.otio")
    picture, heard = opentimelineio.adapters.read_from_file(str(tmp_path / "film.otio")).tracks
    first, transition, second = picture
    assert picture.duration().value == report.frames
    assert heard.duration().rescaled_to(RATE).value == report.samples
    assert (first.duration().value, second.duration().value) == (42, 42)
    assert second.source_range.start_time.value == 6
    assert transition.name == "crossfade"


def test_the_command_renders_a_film_and_says_what_it_made(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.json").write_text(json.dumps({"clips": [{"file": str(clip)}]}))
    command = ["film", str(tmp_path / "film.json"), "--format", "json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["frames"] == 48
    assert Path(told["file"]) == tmp_path / "film.mp4"
    assert told["loudness"]["true_peak"] <= -1
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
