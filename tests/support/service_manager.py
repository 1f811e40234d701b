# SPDX-License-Identifier: Apache-2.0
"""The service manager's end of $NOTIFY_SOCKET (sd_notify(3)): keeps every message with the time it came.

Give env() to the daemon. Messages are dictionaries of their assignments, with "at" (CLOCK_MONOTONIC, s)
beside them.
"""

import pathlib
import shutil
import socket
import tempfile
import threading
import time

WAIT_S = 60


class ServiceManager:
    def __init__(self, is_abstract=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lp-"))
        self.path = f"@{self.folder}/notify" if is_abstract else f"{self.folder}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.path[1:] if is_abstract else self.path)
        self.messages = []
        self.changed = threading.Condition()
        self.is_stopped = False
        self.reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        self.socket.shutdown(socket.SHUT_RD)
        self.reader.join()
        self.socket.close()
        shutil.rmtree(self.folder)

    def _read(self):
        while True:
            text = self.socket.recv(65536).decode("utf-8")
            if self.is_stopped:
                return
            message = dict(line.split("=", 1) for line in text.split("\n"))
            with self.changed:
                self.messages.append({**message, "at": time.monotonic()})
                self.changed.notify_all()

    def env(self, watchdog_s=None):
        return {"NOTIFY_SOCKET": self.path,
                **({} if watchdog_s is None else {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))})}

    def of(self, key):
        """The messages that hold this assignment."""
        return [message for message in self.messages if key in message]

    @property
    def status(self):
        return self.of("STATUS")[-1]["STATUS"]

    def wait_for(self, key, count=1, timeout_s=WAIT_S):
        """The count-th message that holds this assignment."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.of(key)) >= count, timeout_s)
        assert len(self.of(key)) >= count, f"{count} of {key}: {self.messages}"
        return self.of(key)[count - 1]

    def wait_for_status(self, words, timeout_s=WAIT_S):
        """The first message whose status holds the words."""
        def found():
            return [message for message in self.of("STATUS") if words in message["STATUS"]]
        with self.changed:
            self.changed.wait_for(found, timeout_s)
        assert found(), f"{words!r}: {self.messages}"
        return found()[0]
