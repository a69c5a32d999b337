"""A server process for the scripts of this folder: started on CPU 0, asked by text commands, looked at in /proc."""

import os
import signal
import socket
import subprocess
import tempfile
import time

CPU = "0"


class Server:
    def __init__(self, binary, port, options):
        """Starts `binary` with one thread and waits until it answers; `started` is how long that took."""
        self.name = os.path.basename(binary)
        self.address = ("127.0.0.1", port)
        command = ["taskset", "-c", CPU, binary, "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1"]
        self.errors = tempfile.TemporaryFile()
        begun = time.monotonic()
        self.process = subprocess.Popen(command + list(options), stderr=self.errors)
        while True:
            try:
                self.connection = self.connect()
                # It may listen before it is ready.
                self.connection.sendall(b"version\r\n")
                self.connection.recv(100)
                break
            except OSError:
                if self.process.poll() is not None:
                    self.errors.seek(0)
                    raise SystemExit(f"{binary} {options}: {self.errors.read().decode()}") from None
                time.sleep(0.005)
        self.started = time.monotonic() - begun

    @property
    def pid(self):
        return self.process.pid

    def connect(self):
        connection = socket.create_connection(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def stats(self, page=""):
        """The page of statistics with this name, by name."""
        self.connection.sendall(f"stats {page}".rstrip().encode() + b"\r\n")
        reply = b""
        # memcached knows fewer pages.
        while not reply.endswith((b"END\r\n", b"ERROR\r\n")):
            got = self.connection.recv(1 << 16)
            if not got:
                raise SystemExit(f"{self.name} closed the connection")
            reply += got
        words = (line.split() for line in reply.decode().splitlines())
        return {word[1]: word[2] for word in words if len(word) == 3}

    def cpu_seconds(self):
        """CPU time of all threads, to the nanosecond."""
        total = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/schedstat") as stat:
                total += int(stat.read().split()[0])
        return total / 1e9

    def _kilobytes(self, file, name):
        with open(f"/proc/{self.pid}/{file}") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name))

    def resident_mib(self):
        return self._kilobytes("status", "VmRSS") / 1024

    def huge_mib(self):
        """Memory in huge pages."""
        return self._kilobytes("smaps_rollup", "AnonHugePages") / 1024

    def stop(self):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait()
        self.errors.seek(0)
        if status not in (0, -signal.SIGTERM):
            print(f"{self.name} ended with {status}: {self.errors.read().decode()}", flush=True)
        self.errors.close()
