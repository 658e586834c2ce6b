#!/usr/bin/env python3
"""A client of the vsb chat.

    vsb_client.py [--read N] HOST PORT
"""

import argparse
import json
import os
import socket
import sys
import threading


def messages(connection, size):
    """The JSON objects that come, one a line, however the bytes of a line arrive."""
    buffer = ""
    while True:
        try:
            data = connection.recv(size)
        except OSError:
            return
        if not data:
            return
        # Each piece by itself: right as long as everything is ASCII, which JSON can be.
        buffer += data.decode()
        while "\n" in buffer:
            line, buffer = buffer.split("\n", 1)
            yield json.loads(line)


def receive(connection, size):
    for message in messages(connection, size):
        assert message["type"] == "message", message
        print(f"{message['data']['source']}: {message['data']['message']}", flush=True)
    print("Server disconnected", flush=True)
    # The other thread reads stdin and would never notice.
    os._exit(0)


def request(line):
    """What is sent for a typed line; None for a command that there is not."""
    if not line.startswith("/"):
        return {"type": "message", "data": line}
    command, _, rest = line[1:].partition(" ")
    if command == "setname" and rest.split():
        return {"type": "set-name", "data": rest.split()[0]}
    if command in ("history", "users"):
        return {"type": command, "data": ""}
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("port", type=int)
    parser.add_argument("--read", type=int, default=1, metavar="N", help="bytes of one recv()")
    options = parser.parse_args()
    connection = socket.create_connection((options.server, options.port))
    reader = threading.Thread(target=receive, args=(connection, options.read), daemon=True)
    reader.start()
    for line in sys.stdin:
        message = request(line.rstrip("\n"))
        if message is None:
            print("commands: /setname NAME, /history, /users", file=sys.stderr, flush=True)
            continue
        connection.sendall((json.dumps(message) + "\n").encode())
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
