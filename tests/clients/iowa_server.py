#!/usr/bin/env python3
"""The server of the iowa chat, part 2.

    iowa_server.py PORT

Dials back to the address of each subscribe and delivers there; with --same it delivers on the connection
that the subscribe came on. One recv() is one message.
"""

import argparse
import json
import socket
import sys
import threading


class Server:
    def __init__(self, same):
        self.same = same
        self.subscribers = {}  # "ip:port" -> (connection it subscribed on, connection to deliver on)
        self.lock = threading.Lock()

    def subscribe(self, client, connection):
        delivery = connection
        if not self.same:
            host, port = client.rsplit(":", 1)
            try:
                delivery = socket.create_connection((host, int(port)), timeout=1)
            except OSError:
                pass
        with self.lock:
            self.subscribers[client] = connection, delivery

    def distribute(self, data, source):
        with self.lock:
            subscribers = list(self.subscribers.items())
        for client, (connection, delivery) in subscribers:
            if connection is source:
                continue
            try:
                delivery.sendall(data)
            except OSError:
                self.remove(client)

    def remove(self, client):
        with self.lock:
            connection, delivery = self.subscribers.pop(client, (None, None))
        if delivery is not connection:
            delivery.close()

    def serve(self, connection):
        while data := self.receive(connection):
            print(f"received {data.decode()}", flush=True)
            message = json.loads(data)
            operation = message.get("operation")
            if operation == "subscribe":
                self.subscribe(message["client"], connection)
            elif operation == "unsubscribe":
                self.remove(message["client"])
            else:
                self.distribute(data, connection)
        connection.close()

    def receive(self, connection):
        try:
            return connection.recv(10240)
        except OSError:
            return b""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--same", action="store_true", help="never dial back")
    options = parser.parse_args()
    server = Server(options.same)
    listener = socket.create_server(("127.0.0.1", options.port))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=server.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
