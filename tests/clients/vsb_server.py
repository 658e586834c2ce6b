#!/usr/bin/env python3
"""The server of the vsb chat.

    vsb_server.py [--port PORT] [--read N]
"""

import argparse
import json
import socket
import sys
import threading

SERVER = "[Server]"


class Chat:
    def __init__(self, read):
        self.read = read
        self.names = {}  # connection -> name
        self.history = []
        self.lock = threading.Lock()

    def send(self, connection, source, text):
        message = {"type": "message", "data": {"source": source, "message": text}}
        try:
            connection.sendall((json.dumps(message) + "\n").encode())
        except OSError:
            pass  # Its own thread cleans up.

    def tell_all(self, source, text):
        print(f"{source}: {text}", flush=True)
        for connection in list(self.names):
            self.send(connection, source, text)

    def requests(self, connection):
        buffer = b""
        while True:
            try:
                data = connection.recv(self.read)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                yield json.loads(line)

    def handle(self, connection, request):
        kind, data = request["type"], request.get("data")
        name = self.names[connection]
        if kind == "message":
            self.history.append(f"{name}: {data}")
            self.tell_all(name, data)
        elif kind == "set-name":
            self.names[connection] = data
            self.tell_all(SERVER, f"{name} renamed to {data}")
        elif kind == "users":
            self.send(connection, SERVER, ", ".join(self.names.values()))
        elif kind == "history":
            self.send(connection, SERVER, "\n".join(self.history[-1000:]))

    def serve(self, connection, peer):
        with self.lock:
            self.names[connection] = f"{peer[0]}:{peer[1]}"
            self.tell_all(SERVER, f"{self.names[connection]} has entered the chat")
        for request in self.requests(connection):
            with self.lock:
                self.handle(connection, request)
        with self.lock:
            name = self.names.pop(connection)
            self.tell_all(SERVER, f"{name} has left the chat")
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=5555)
    parser.add_argument("--read", type=int, default=1, metavar="N", help="bytes of one recv()")
    options = parser.parse_args()
    chat = Chat(options.read)
    listener = socket.create_server(("127.0.0.1", options.port))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    while True:
        connection, peer = listener.accept()
        threading.Thread(target=chat.serve, args=(connection, peer), daemon=True).start()


if __name__ == "__main__":
    main()
