"""The Unix socket between a decoder and its encoder: who may connect, and that it is lost.

Linux only: the address is in the abstract namespace, where nothing has to be removed.
"""

import os
import socket
import struct
import time
from collections.abc import Callable

#: How soon a wait notices that it is to end, in seconds.
TICK = 0.1
_CONNECT_SECONDS = 20.0
#: An encoder that takes no frame for so long hangs; the slowest takes a second for one.
SILENCE_SECONDS = 60.0
_CREDENTIALS = struct.Struct("3i")


class ReceiverLost(Exception):  # noqa: N818 - what happened to the other side
    """The receiver is gone, or takes no frames."""


class SenderLost(Exception):  # noqa: N818
    """The sender is gone before its last frame."""


def listen(address: str) -> socket.socket:
    """A socket on which one sender after the other is accepted with `accept`."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(f"\0{address}")
    listening.listen(1)
    return listening


def accept(listening: socket.socket) -> socket.socket:
    """The next connection of this very user; others are turned away."""
    while True:
        connection, _ = listening.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        if _CREDENTIALS.unpack(credentials)[1] == os.getuid():
            return connection
        connection.close()


def connected(address: str, check: Callable[[], None]) -> socket.socket:
    """A connection to the receiver, which may still be starting.

    Arguments:
        address: where it listens.
        check: called while waiting; raises to end the wait.

    Raises:
        ReceiverLost: nobody listens.
    """
    until = time.monotonic() + _CONNECT_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(TICK)  # one that accepts nobody must not hold the decoder
        try:
            connection.connect(f"\0{address}")
        except OSError as error:
            connection.close()
            if time.monotonic() > until:
                raise ReceiverLost from error
        else:
            connection.settimeout(SILENCE_SECONDS)
            return connection
        check()
        time.sleep(TICK / 10)
