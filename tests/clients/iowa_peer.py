#!/usr/bin/env python3
"""A peer of the iowa chat, part 1.

    iowa_peer.py NAME PORT IP:PORT...

Lines go to the peers on the command line, over one connection each that is opened at the first line. What
others send is shown. One recv() is one message: the assignment says nothing about where a message ends.
"""

import argparse
import json
import os
import socket
import sys
import threading


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def show(data):
    try:
        message = json.loads(data)
    except ValueError as error:
        # Two messages in one read, for example: programs that trust recv() end here.
        print(f"bad message {data!r}: {error}", file=sys.stderr, flush=True)
        os._exit(3)
    print(f"{message['user']}: {message['message']}", flush=True)


class Peer:
    def __init__(self, name, port, peers, latest):
        self.name = name
        self.seq = 0
        self.outgoing = {peer: None for peer in peers}
        self.listener = socket.create_server(("", port))
        self.latest = latest
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            if self.latest is not None:
                # Some programs know one inbound connection: the last.
                self.latest = connection
            threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        while True:
            if self.latest is not None:
                connection = self.latest
            try:
                data = connection.recv(1024)
            except OSError:
                return
            if not data:
                return
            show(data)

    def say(self, text):
        message = json.dumps({"seq": self.seq, "user": self.name, "message": text}).encode()
        self.seq += 1
        for peer, connection in self.outgoing.items():
            try:
                if connection is None:
                    connection = self.outgoing[peer] = socket.create_connection(peer, timeout=2)
                connection.sendall(message)
            except OSError as error:
                print(f"cannot reach {peer[0]}:{peer[1]}: {error}", file=sys.stderr, flush=True)
                self.outgoing[peer] = None

    def close(self):
        for connection in self.outgoing.values():
            if connection is not None:
                connection.close()
        self.listener.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("peers", nargs="*", type=address)
    parser.add_argument("--latest", action="store_true", help="read the newest inbound connection only")
    options = parser.parse_intermixed_args()
    peer = Peer(options.name, options.port, options.peers, False if options.latest else None)
    print("ready", file=sys.stderr, flush=True)
    for line in sys.stdin:
        text = line.rstrip("\n")
        if text == "exit":
            break
        peer.say(text)
    peer.close()


if __name__ == "__main__":
    main()
