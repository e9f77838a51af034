"""The order of jobs: each takes a ticket when it arrives, and graphs reach the engine in that order.

Jobs are prepared side by side and may be ready in another order than that of their arrival. The engine runs
what it gets in the order in which it gets it; so each job waits here until those before it were submitted.
"""

import threading
from collections.abc import Callable

_TICK = 0.2


class Ticket:
    """A place in the order; held until its graph is over or it is released."""

    def __init__(self, number: int, order: "JobOrder") -> None:
        self.number = number
        self._order = order

    def release(self) -> None:
        """Let those behind go on; a second call does nothing."""
        self._order.release(self)


class JobOrder:
    """All tickets that are held, and to which instance of the engine each one's graph was submitted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = 0
        self._submitted_to: dict[int, int | None] = {}

    def take(self) -> Ticket:
        """A ticket behind all others."""
        with self._changed:
            self._taken += 1
            self._submitted_to[self._taken] = None
            return Ticket(self._taken, self)

    def wait(self, ticket: Ticket, instance: int, check: Callable[[], None]) -> None:
        """Wait until every earlier ticket has been submitted to this instance of the engine, or released.

        Arguments:
            ticket: whose place it is.
            instance: the number of the engine's instance; a new one has forgotten everything.
            check: called often; raises to end the wait.
        """
        with self._changed:
            while any(
                number < ticket.number and submitted_to != instance
                for number, submitted_to in self._submitted_to.items()
            ):
                check()
                self._changed.wait(_TICK)

    def submitted(self, ticket: Ticket, instance: int) -> None:
        """Note that the engine has accepted this ticket's graph."""
        with self._changed:
            if ticket.number in self._submitted_to:
                self._submitted_to[ticket.number] = instance
            self._changed.notify_all()

    def first_submitted(self, instance: int) -> int | None:
        """The number of the ticket whose graph this instance works on, as far as is known."""
        with self._changed:
            return min(
                (n for n, submitted_to in self._submitted_to.items() if submitted_to == instance),
                default=None,
            )

    def release(self, ticket: Ticket) -> None:
        """Take a ticket out of the order."""
        with self._changed:
            self._submitted_to.pop(ticket.number, None)
            self._changed.notify_all()
