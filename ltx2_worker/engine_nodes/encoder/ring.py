"""Frames from one process to another through shared memory, and the few words that go with them.

The sender copies a frame into the next free slot and says so; the receiver says when it has done with it.
The slots are the queue: when all are taken, the sender waits. Words are packets of a Unix socket: an order as
JSON with the shared memory, answered with READY, then FRAME for each frame, then LAST with JSON. A socket
that closes before LAST means that the frames are not to be used.

Linux only: the memory is a memfd, which no limit of /dev/shm bounds.
"""

import contextlib
import json
import mmap
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .connection import SILENCE_SECONDS, TICK, ReceiverLost, SenderLost, connected
from .order import Order

READY, FRAME, LAST = b"r", b"f", b"l"
_LONGEST_WORD = 64 * 1024
#: So many words each way fit into a socket's buffer at once, so that neither end waits for the other to read.
_MOST_SLOTS = 200


class FrameSender:
    """The decoder's end.

    Arguments:
        address: where the receiver listens.
        order: what will be sent.
        sound: 32-bit floats, channels by samples, as the order says; None for a silent file.
        buffer_bytes: how much memory waiting frames may take; there is room for two in any case.
        check: called while waiting; raises to end the wait.

    Raises:
        ReceiverLost: nobody listens.
    """

    def __init__(
        self,
        address: str,
        order: Order,
        sound: "np.ndarray[Any, Any] | None",
        buffer_bytes: int,
        check: Callable[[], None],
    ) -> None:
        self._check = check
        self._slots = min(_MOST_SLOTS, max(2, buffer_bytes // order.frame_bytes), order.frames)
        self._sent = self._freed = 0
        sound_bytes = b"" if sound is None else sound.astype(np.float32).tobytes()
        size = self._slots * order.frame_bytes
        memory = os.memfd_create("frames", os.MFD_CLOEXEC)
        try:
            os.ftruncate(memory, size + max(1, len(sound_bytes)))
            self._memory = mmap.mmap(memory, size + max(1, len(sound_bytes)))
            self._memory[size : size + len(sound_bytes)] = sound_bytes
            self._frames = np.frombuffer(self._memory, np.uint8, size).reshape(
                self._slots, order.height, order.width, 3
            )
            self._socket = connected(address, check)
            word = json.dumps({"order": order.to_json(), "slots": self._slots}).encode()
            socket.send_fds(self._socket, [word], [memory])
        finally:
            os.close(memory)
        try:
            self._await_word()
        except BaseException:
            self._socket.close()
            raise

    @property
    def waiting(self) -> int:
        """How many frames were sent that the receiver has not done with."""
        return self._sent - self._freed

    def slot(self) -> "np.ndarray[Any, Any]":
        """The next slot, height by width by 3, as soon as it is free; to be filled before `send`.

        Raises:
            ReceiverLost: the receiver is gone or hangs.
        """
        while self.waiting >= self._slots:
            self._await_word()
            self._freed += 1
        frame: np.ndarray[Any, Any] = self._frames[self._sent % self._slots]
        return frame

    def send(self) -> None:
        """Say that the slot holds the next frame."""
        self._say(FRAME)
        self._sent += 1
        while select.select([self._socket], [], [], 0)[0]:
            self._hear()
            self._freed += 1

    def finish(self, facts: dict[str, Any]) -> None:
        """Say that all frames are sent, and something about them; the receiver goes on alone."""
        self._say(LAST + json.dumps(facts).encode())
        self._socket.close()

    def close(self) -> None:
        """Let go without `finish`: the frames are not to be used, and their memory is given back at once."""
        self._socket.close()
        # The mapping may live on: what failed is told with a traceback, whose frames hold it.
        with contextlib.suppress(OSError):
            self._memory.madvise(mmap.MADV_REMOVE)

    def _await_word(self) -> None:
        """Wait for a word of the receiver's: READY, or FRAME for a slot that is free again."""
        until = time.monotonic() + SILENCE_SECONDS
        while not select.select([self._socket], [], [], TICK)[0]:
            self._check()
            if time.monotonic() > until:
                raise ReceiverLost
        self._hear()

    def _hear(self) -> None:
        try:
            word = self._socket.recv(1)
        except OSError as error:
            raise ReceiverLost from error
        if not word:
            raise ReceiverLost

    def _say(self, word: bytes) -> None:
        try:
            self._socket.send(word)
        except OSError as error:
            raise ReceiverLost from error


class FrameReceiver:
    """The encoder's end of one connection.

    Arguments:
        connection: an accepted socket, from a process of the same user.
        on_complete: called as soon as all frames have arrived, though not all were taken yet.

    Raises:
        SenderLost: it went away, or says nothing that makes sense.
    """

    def __init__(self, connection: socket.socket, on_complete: Callable[[], None]) -> None:
        self._socket = connection
        self._on_complete = on_complete
        self._words: deque[bytes] = deque()
        try:
            word, memories, _, _ = socket.recv_fds(connection, _LONGEST_WORD, 1)
        except OSError as error:
            raise SenderLost from error
        try:
            if not word or len(memories) != 1:
                raise SenderLost
            said = json.loads(word)
            self.order = Order.from_json(said["order"])
            self._slots = int(said["slots"])
            self._memory = mmap.mmap(memories[0], 0)
        finally:
            for memory in memories:
                os.close(memory)
        size = self._slots * self.order.frame_bytes
        self._frames = np.frombuffer(self._memory, np.uint8, size).reshape(
            self._slots, self.order.height, self.order.width, 3
        )
        #: The sound, channels by samples; None for a silent file.
        self.sound: np.ndarray[Any, Any] | None = None
        if (sound := self.order.sound) is not None:
            flat = np.frombuffer(self._memory, np.float32, sound.channels * sound.samples, size)
            self.sound = flat.reshape(sound.channels, sound.samples).copy()
        #: What the sender said of the frames when all were sent.
        self.facts: dict[str, Any] = {}

    def begin(self) -> None:
        """Say that frames may come."""
        self._say(READY)

    def frames(self) -> Iterator["np.ndarray[Any, Any]"]:
        """Yield the frames; a slot is free again when the next is asked for.

        Raises:
            SenderLost: before the last one.
        """
        number = 0
        while (word := self._next_word()) == FRAME:
            yield self._frames[number % self._slots]
            number += 1
            self._say(FRAME)
        self.facts = json.loads(word[1:])

    def _say(self, word: bytes) -> None:
        # A sender that has said its last word may be gone; one that has not is missed when it is listened to.
        with contextlib.suppress(OSError):
            self._socket.send(word)

    def _next_word(self) -> bytes:
        """The next word; all that have come are read, so that the last one is noticed before its turn."""
        while not (self._words and self._words[-1][:1] == LAST):
            # With nothing to do, the wait has no limit: who owns this process ends it with its job.
            if self._words and not select.select([self._socket], [], [], 0)[0]:
                break
            try:
                word = self._socket.recv(_LONGEST_WORD)
            except ConnectionResetError:
                # The sender closed without reading our last words; its own are still there (Linux reports the
                # reset once, before what is queued: net/unix/af_unix.c, unix_release_sock).
                continue
            except OSError as error:
                raise SenderLost from error
            if not word:
                raise SenderLost
            self._words.append(word)
            if word[:1] == LAST:
                self._on_complete()
        return self._words.popleft()
