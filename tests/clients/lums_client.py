#!/usr/bin/env python3
"""A client of the lums chat over TCP. One recv() is one message; a file ends when nothing more comes."""

import getopt
import os
import socket
import sys
import threading

FORMAT = "incorrect user input format"
HELP = """Client
-u username | --user=username The username of Client
-p PORT | --port=PORT The server port, defaults to 15000
-a ADDRESS | --address=ADDRESS The server ip or hostname, defaults to localhost
-h | --help Print this help"""
INPUTS = """msg <number_of_users> <username1> <username2> ... <message>
list
file <number_of_users> <username1> <username2> ... <file_name>
help
quit"""
ERRORS = {
    "err_unknown_message": "disconnected: server received an unknown command",
    "err_server_full": "disconnected: server full",
    "err_username_unavailable": "disconnected: username not available",
}


def say(text):
    print(text, flush=True)


class Client:
    """Everything but how messages travel: send(verb, rest) and counted are given by the edition."""

    def __init__(self, name, send, counted=False, format_line=FORMAT):
        self.name, self.send, self.counted, self.format_line = name, send, counted, format_line

    def received(self, message):
        verb, _, rest = message.partition(b" ")
        verb = verb.decode()
        if verb in ERRORS:
            say(ERRORS[verb])
            os._exit(1)
        if verb == "response_users_list":
            say("list: " + " ".join(rest.decode().split(" ")[1:]))
            return
        if self.counted:
            count, _, rest = rest.partition(b" ")
            assert count == b"1", message
        sender, _, rest = rest.partition(b" ")
        if verb == "forward_message":
            say(f"msg: {sender.decode()}: {rest.decode()}")
        elif verb == "forward_file":
            name, _, content = rest.partition(b" ")
            with open(f"{self.name}_{name.decode()}", "wb") as file:
                file.write(content)
            say(f"file: {sender.decode()}: {name.decode()}")

    def typed(self, line):
        """Does what a line says; False for the last."""
        words = line.split(" ")
        if line == "list":
            self.send("request_users_list", b"")
        elif line == "help":
            say(INPUTS)
        elif line == "quit":
            self.send("disconnect", self.name.encode())
            say("quitting")
            return False
        elif words[0] in ("msg", "file") and not self.addressed(words[0], words[1:]):
            say(self.format_line)
        elif words[0] not in ("msg", "file"):
            say(self.format_line)
        return True

    def addressed(self, verb, words):
        if not words or not words[0].isdigit() or int(words[0]) < 1 or len(words) < int(words[0]) + 2:
            return False
        to, last = words[: int(words[0]) + 1], " ".join(words[int(words[0]) + 1 :]).encode()
        if verb == "file":
            try:
                with open(last, "rb") as file:
                    last = os.path.basename(last) + b" " + file.read()
            except OSError:
                return False
        self.send("send_message" if verb == "msg" else "send_file", " ".join(to).encode() + b" " + last)
        return True

    def run(self):
        self.send("join", self.name.encode())
        print("ready", file=sys.stderr, flush=True)
        for line in sys.stdin:
            if not self.typed(line.rstrip("\n")):
                return


def arguments(more=()):
    options = {"-p": "15000", "-a": "localhost"}
    try:
        pairs, _ = getopt.getopt(sys.argv[1:], "u:p:a:hw:", ["user=", "port=", "address=", "help", *more])
    except getopt.GetoptError:
        say(HELP)
        sys.exit(1)
    for name, value in pairs:
        options[{"--user": "-u", "--port": "-p", "--address": "-a", "--help": "-h"}.get(name, name)] = value
    if "-h" in options:
        say(HELP)
        sys.exit(0)
    if "-u" not in options:
        say("Missing Username.\n" + HELP)
        sys.exit(1)
    return options


def receive(connection, client):
    while message := connection.recv(4096):
        if message.startswith(b"forward_file "):
            connection.settimeout(0.2)
            try:
                while data := connection.recv(4096):
                    message += data
            except TimeoutError:
                pass
            connection.settimeout(None)
        client.received(message)


def main():
    options = arguments(["counted"])
    connection = socket.create_connection((options["-a"], int(options["-p"])))
    send = lambda verb, rest: connection.sendall(verb.encode() + b" " + rest if rest else verb.encode())
    client = Client(options["-u"], send, "--counted" in options)
    threading.Thread(target=receive, args=(connection, client), daemon=True).start()
    client.run()
    connection.close()


if __name__ == "__main__":
    main()
