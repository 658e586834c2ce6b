#!/usr/bin/env python3
"""A client of the iowa chat, part 2.

    iowa_client.py NAME PORT IP:PORT

There are two kinds. One listens on PORT for the server to connect to it, as the text says. The other
(--same) binds its only socket to PORT and expects what others say on the connection it opened itself.
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


def read(connection):
    """Shows what comes, one message for each recv()."""
    while True:
        try:
            data = connection.recv(1024)
        except OSError:
            return
        if not data:
            return
        try:
            message = json.loads(data)
        except ValueError as error:
            print(f"bad message {data!r}: {error}", file=sys.stderr, flush=True)
            os._exit(3)
        # The second and the third value: the order of the keys is part of the protocol.
        user, text = list(message.values())[1:3]
        print(f"{user}: {text}", flush=True)


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=read, args=(connection,), daemon=True).start()


def connect(options):
    if options.same:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", options.port))
        server.connect(options.server)
        threading.Thread(target=read, args=(server,), daemon=True).start()
        return server
    listener = socket.create_server(("", options.port))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    return socket.create_connection(options.server)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("server", type=address)
    parser.add_argument("--same", action="store_true", help="bind the outgoing socket to PORT")
    parser.add_argument("--host", help="what to call this host [default: its address]")
    options = parser.parse_args()
    server = connect(options)
    me = f"{options.host or server.getsockname()[0]}:{options.port}"

    def send(**message):
        server.sendall(json.dumps(message).encode())

    send(operation="subscribe", client=me)
    print("ready", file=sys.stderr, flush=True)
    for seq, line in enumerate(sys.stdin):
        text = line.rstrip("\n")
        if text == "exit":
            break
        send(seq=seq, user=options.name, message=text)
    send(operation="unsubscribe", client=me)
    server.close()


if __name__ == "__main__":
    main()
