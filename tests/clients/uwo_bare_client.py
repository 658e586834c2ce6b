#!/usr/bin/env python3
"""A client of the uwo chat (A2) that knows no ends of line: one send() is one message, one recv() is one.

    uwo_bare_client.py NAME chat://HOST:PORT
"""

import os
import signal
import socket
import sys
import threading
from urllib.parse import urlparse


def receive(connection):
    while True:
        message = connection.recv(1024).decode()
        if message in ("", "DISCONNECT CHAT/1.0"):
            print("Disconnected from server ... exiting!", flush=True)
            os._exit(0)
        print(message, flush=True)


def main():
    name, url = sys.argv[1], urlparse(sys.argv[2])
    connection = socket.create_connection((url.hostname, url.port))
    connection.sendall(f"REGISTER {name} CHAT/1.0".encode())
    answer = connection.recv(1024).decode()
    # Exactly this, without an end of line.
    if answer != "200 Registration successful":
        print(f"Refused: {answer!r}", flush=True)
        sys.exit(1)
    print("Registered", flush=True)

    def interrupt(*_):
        connection.sendall(f"DISCONNECT {name} CHAT/1.0".encode())
        connection.close()
        os._exit(0)

    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=receive, args=(connection,), daemon=True).start()
    for line in sys.stdin:
        text = line.rstrip("\n")
        connection.sendall(f"@{name}: {text}".encode())
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
