"""Passes connections on to a server on loopback, and breaks off after a number of bytes.

relay.py LISTEN TO [--after BYTES (--kill PID | --cut)]

Prints `ready` once it listens. After BYTES in either direction, --kill ends the process PID as a crash would, and
--cut closes that one connection. Everything else passes.
"""

import argparse
import os
import signal
import socket
import sys
import threading


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


arguments = argparse.ArgumentParser()
arguments.add_argument("listen", type=address)
arguments.add_argument("to", type=address)
arguments.add_argument("--after", type=int)
arguments.add_argument("--kill", type=int)
arguments.add_argument("--cut", action="store_true")
options = arguments.parse_args()

lock = threading.Lock()
left = options.after


def use_up(count):
    """Returns how many of so many bytes may pass, and whether this is where the relay breaks off."""
    global left
    with lock:
        if left is None:
            return count, False
        if count < left:
            left -= count
            return count, False
        allowed, left = left, None
        return allowed, True


def carry(source, sink):
    try:
        while data := source.recv(16384):
            allowed, is_end = use_up(len(data))
            sink.sendall(data[:allowed])
            if is_end:
                if options.kill:
                    os.kill(options.kill, signal.SIGKILL)
                print("broke off", file=sys.stderr, flush=True)
                break
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


listener = socket.create_server(options.listen)
print("ready", flush=True)
while True:
    here, _ = listener.accept()
    try:
        there = socket.create_connection(options.to)
    except OSError:
        here.close()
        continue
    for pair in ((here, there), (there, here)):
        threading.Thread(target=carry, args=pair, daemon=True).start()
