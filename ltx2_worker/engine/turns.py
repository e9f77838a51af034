"""The order of jobs: a turn is taken when a job arrives, and graphs reach the engine in the order of turns.

Jobs are prepared side by side and may be ready in another order than that of their arrival. The engine runs
what it gets in the order in which it gets it; so each job waits here until those before it were submitted.
"""

import threading
from collections.abc import Callable

_TICK = 0.2


class Turn:
    """A place in the line; held until its graph is over or it is released."""

    def __init__(self, number: int, line: "TurnLine") -> None:
        self.number = number
        self._line = line

    def release(self) -> None:
        """Let those behind go on; a second call does nothing."""
        self._line.release(self)


class TurnLine:
    """All turns that are held, and to which boot of the engine each one's graph was submitted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0
        self._submitted_to: dict[int, int | None] = {}

    def take(self) -> Turn:
        """A turn behind all others."""
        with self._changed:
            self._taken += 1
            self._submitted_to[self._taken] = None
            return Turn(self._taken, self)

    def wait(self, turn: Turn, boot: int, check: Callable[[], None]) -> None:
        """Wait until every earlier turn has been submitted to this boot of the engine, or released.

        Arguments:
            turn: whose turn it is to be.
            boot: the number of the engine's boot; an engine that was restarted has forgotten everything.
            check: called often; raises to end the wait.
        """
        with self._changed:
            while any(
                number < turn.number and submitted_to != boot
                for number, submitted_to in self._submitted_to.items()
            ):
                check()
                self._changed.wait(_TICK)

    def submitted(self, turn: Turn, boot: int) -> None:
        """Note that the engine has accepted this turn's graph."""
        with self._changed:
            if turn.number in self._submitted_to:
                self._submitted_to[turn.number] = boot
            self._changed.notify_all()

    def first_submitted(self, boot: int) -> int | None:
        """The number of the turn whose graph this boot of the engine is at work on, as far as is known."""
        with self._changed:
            return min(
                (n for n, submitted_to in self._submitted_to.items() if submitted_to == boot), default=None
            )

    def release(self, turn: Turn) -> None:
        """Take a turn out of the line."""
        with self._changed:
            self._submitted_to.pop(turn.number, None)
            self._changed.notify_all()
