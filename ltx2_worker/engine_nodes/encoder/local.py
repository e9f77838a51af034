"""The encoder as a thread of the process that decodes: for a ComfyUI that no worker owns, on any system."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .order import Files, Order
from .recorder import Recorded, Recorder

_TICK = 0.1


class LocalSender:
    """Takes frames as `ring.FrameSender` does; `finish` returns when the file is closed.

    Arguments:
        order: what will be sent.
        files: what is to be made.
        sound: 32-bit floats, channels by samples; None for a silent file.
        buffer_bytes: how much memory waiting frames may take; there is room for two in any case.
        check: called while waiting; raises to end the wait.
    """

    def __init__(
        self,
        order: Order,
        files: Files,
        sound: "np.ndarray[Any, Any] | None",
        buffer_bytes: int,
        check: Callable[[], None],
    ) -> None:
        self._order = order
        self._check = check
        self._slots = threading.Semaphore(max(2, buffer_bytes // order.frame_bytes))
        self._waiting: queue.SimpleQueue[np.ndarray[Any, Any] | None] = queue.SimpleQueue()
        self._frame: np.ndarray[Any, Any] | None = None
        self._complete = False
        self._error: BaseException | None = None
        #: What was made, once it is finished.
        self.recorded: Recorded | None = None
        self._recorder = Recorder(order, files, sound)
        self._thread = threading.Thread(target=self._encode, name="encoder", daemon=True)
        self._thread.start()

    def slot(self) -> "np.ndarray[Any, Any]":
        """Memory for the next frame, height by width by 3, as soon as there is room."""
        while not self._slots.acquire(timeout=_TICK):
            self._check()
            self._raise()
        self._frame = np.empty((self._order.height, self._order.width, 3), np.uint8)
        return self._frame

    def send(self) -> None:
        """The slot holds the next frame."""
        self._raise()
        self._waiting.put(self._frame)

    def finish(self, facts: dict[str, Any]) -> None:
        """All frames are sent: wait for the file."""
        self._complete = True
        self.close()
        self._raise()

    def close(self) -> None:
        """End the thread; before `finish` the file is removed."""
        self._waiting.put(None)
        self._thread.join()

    def _encode(self) -> None:
        try:
            while (frame := self._waiting.get()) is not None:
                self._recorder.add(frame)
                self._slots.release()
            if self._complete:
                self.recorded = self._recorder.finish()
            else:
                self._recorder.abandon()
        except BaseException as error:  # noqa: BLE001 - raised again where the frames come from
            self._error = error
            self._recorder.abandon()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
