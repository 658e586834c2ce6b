#!/usr/bin/env python3
"""The server of the lums chat over TCP. One recv() is one message; a file ends when nothing more comes."""

import getopt
import socket
import sys
import threading

HELP = """Server
-p PORT | --port=PORT The server port, defaults to 15000
-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost
-h | --help Print this help"""
MAX_NUM_CLIENTS = 10


def say(text):
    print(text, flush=True)


class Chat:
    """Everything but how messages travel. A client is anything with send(verb, rest), and counted tells
    whether the sender of a forward is a list of one."""

    def __init__(self, counted=False):
        self.counted = counted
        self.clients = {}  # name -> client
        self.lock = threading.Lock()

    def name_of(self, client):
        return next((name for name, other in self.clients.items() if other is client), None)

    def received(self, client, message):
        """Handles a message; False when the client is to be dropped."""
        with self.lock:
            verb, _, rest = message.partition(b" ")
            name = self.name_of(client)
            if verb == b"join" and name is None:
                return self.join(client, rest.decode())
            if verb == b"disconnect":
                return self.left(client)
            if verb == b"request_users_list" and name:
                say(f"request_users_list: {name}")
                names = sorted(self.clients)
                client.send("response_users_list", " ".join([str(len(names)), *names]).encode())
                return True
            if verb in (b"send_message", b"send_file") and name:
                return self.forward(verb, name, rest)
            say(f"disconnected: {name} sent unknown command")
            client.send("err_unknown_message", b"")
            self.clients.pop(name, None)
            return False

    def join(self, client, name):
        if len(self.clients) >= MAX_NUM_CLIENTS:
            say("disconnected: server full")
            client.send("err_server_full", b"")
            return False
        if name in self.clients:
            say("disconnected: username not available")
            client.send("err_username_unavailable", b"")
            return False
        self.clients[name] = client
        say(f"join: {name}")
        return True

    def forward(self, verb, sender, rest):
        short, long = ("msg", "forward_message") if verb == b"send_message" else ("file", "forward_file")
        say(f"{short}: {sender}")
        count, _, rest = rest.partition(b" ")
        *names, body = rest.split(b" ", int(count))
        who = f"1 {sender} " if self.counted else f"{sender} "
        for name in dict.fromkeys(name.decode() for name in names):
            if name in self.clients:
                self.clients[name].send(long, who.encode() + body)
            else:
                say(f"{short}: {sender} to non-existent user {name}")
        return True

    def left(self, client):
        name = self.name_of(client)
        if name is not None:
            del self.clients[name]
            say(f"disconnected: {name}")
        return False


class Client:
    def __init__(self, connection):
        self.connection = connection

    def send(self, verb, rest):
        try:
            self.connection.sendall(verb.encode() + b" " + rest if rest else verb.encode())
        except OSError:
            pass  # Its own thread notices.

    def serve(self, chat):
        while message := self.receive():
            if not chat.received(self, message):
                break
        with chat.lock:
            chat.left(self)
        self.connection.close()

    def receive(self):
        try:
            message = self.connection.recv(4096)
            self.connection.settimeout(0.2 if message.startswith(b"send_file ") else None)
            while self.connection.gettimeout() and (data := self.connection.recv(4096)):
                message += data
        except TimeoutError:
            self.connection.settimeout(None)
        except OSError:
            return b""
        return message


def arguments(more=()):
    options = {"-p": "15000", "-a": "localhost"}
    try:
        pairs, _ = getopt.getopt(sys.argv[1:], "p:a:hw:", ["port=", "address=", "help", *more])
    except getopt.GetoptError:
        pairs = [("-h", "")]
    for name, value in pairs:
        options[{"--port": "-p", "--address": "-a", "--help": "-h"}.get(name, name)] = value
    if "-h" in options:
        say(HELP)
        sys.exit(0)
    return options


def main():
    options = arguments(["counted"])
    chat = Chat("--counted" in options)
    listener = socket.create_server((options["-a"], int(options["-p"])))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=Client(connection).serve, args=(chat,), daemon=True).start()


if __name__ == "__main__":
    main()
