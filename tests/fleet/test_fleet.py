"""What the simulated endpoint does to jobs, and what the command says of it."""

from pathlib import Path

import pytest

from bench.fleet import traffic
from bench.fleet.__main__ import main
from bench.fleet.advice import changes
from bench.fleet.model import Endpoint, Job, Machine
from bench.fleet.simulation import Result, percentile, simulate

MIX = traffic.Mix()


def jobs(per_hour: float = 160.0, hours: float = 6.0) -> list[Job]:
    return traffic.jobs(traffic.steady(per_hour, hours, seed=3), MIX, seed=3)


def p95(result: Result) -> float:
    return percentile(result.waits, 0.95)


def test_every_job_is_answered_once_whatever_crashes() -> None:
    arrived = jobs()
    result = simulate(arrived, Endpoint(), Machine(crashes=0.2))
    assert result.videos == len(arrived)
    assert result.unfinished == 0
    assert all(
        job.arrives <= job.taken <= job.started < job.finished  # type: ignore[operator]
        for job in arrived
    )


def test_the_same_seed_gives_the_same_result() -> None:
    assert simulate(jobs(), Endpoint(), Machine()) == simulate(jobs(), Endpoint(), Machine())


def test_a_second_job_taken_late_does_not_wait_behind_a_long_one() -> None:
    eager = simulate(jobs(), Endpoint(take_ahead=None), Machine())
    late = simulate(jobs(), Endpoint(take_ahead=10.0), Machine())
    one = simulate(jobs(), Endpoint(jobs_in_hand=1), Machine())
    assert p95(late) < 0.7 * p95(eager)
    assert p95(late) < 1.1 * p95(one)


def test_an_endpoint_that_is_too_small_says_so() -> None:
    arrived = jobs(per_hour=500.0, hours=12.0)
    result = simulate(arrived, Endpoint(max_workers=1), Machine())
    assert result.unfinished == len(arrived) - result.videos > 0


def test_an_active_worker_is_paid_while_nothing_arrives() -> None:
    arrived = traffic.jobs([0.0, 36_000.0], MIX, seed=1)
    seconds = [
        simulate(list(arrived), Endpoint(active_workers=active), Machine()).paid * 2 for active in (0, 1)
    ]
    assert seconds[0] < 1800
    assert seconds[1] > 36_000


def test_a_day_s_busiest_hour_has_ten_times_the_jobs_of_its_quietest() -> None:
    times = traffic.day(1000.0, 24.0, seed=1)
    by_hour = [sum(hour * 3600 <= time < (hour + 1) * 3600 for time in times) for hour in range(24)]
    assert pytest.approx(len(times), rel=0.05) == 24_000
    assert 8 < max(by_hour) / min(by_hour) < 13


def test_advice_names_a_setting_that_helps_and_no_other() -> None:
    today = simulate(jobs(), Endpoint(take_ahead=None), Machine())
    advice = {change.name: change for change in changes(jobs, Endpoint(take_ahead=None), Machine(), today)}
    assert advice["LTX2_TAKE_AHEAD=10"].wait < 0.7
    assert all(change.is_better or change.is_a_trade for change in advice.values())


def test_the_command_prints_waits_cost_and_advice_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "fleet.svg"
    arguments = ["--per-hour", "40", "--hours", "3", "--gpu-hour", "4", "--picture", str(picture)]
    assert main(arguments) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("Simulated, not measured", "p95", "paid seconds a video", "at 4 an hour", "What to change"):
        assert words in printed
    assert (
        picture.read_text(encoding="utf-8").count("one job in hand") >= 1 or picture.stat().st_size > 10_000
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--per-hour", "0"], "not a number above 0"),
        (["--pro", "1.5"], "not a share from 0 to 1"),
        (["--boot", "9-3"], "not LOW-HIGH"),
        (["--max-workers", "2", "--active-workers", "3"], "--active-workers at most --max-workers"),
        (["--queue-delay", "4", "--request-count", "1"], "not allowed with"),
    ],
)
def test_a_wrong_number_is_refused_with_what_is_allowed(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
