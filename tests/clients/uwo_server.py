#!/usr/bin/env python3
"""The server of the uwo chat: A2, and with --a3 follow, list, attach and exit. It picks its port itself."""

import argparse
import os
import signal
import socket
import string
import threading

from uwo_client import read_line, say


class User:
    def __init__(self, connection, name, terms):
        self.connection = connection
        self.name = name
        self.terms = terms + [f"@{name}", "@all"]

    def send(self, text):
        try:
            self.connection.sendall(text if isinstance(text, bytes) else f"{text}\n".encode())
        except OSError:
            pass  # Its own thread notices.

    def follows(self, line):
        words = [word.rstrip(string.punctuation) for word in line.split(" ")]
        return any(term in words for term in self.terms)


class Server:
    def __init__(self, a3):
        self.a3 = a3
        self.users = {}

    def register(self, connection):
        line = read_line(connection) or ""
        words, terms = line.split(" "), []
        while self.a3 and (header := read_line(connection)):
            if header.startswith("Follow: "):
                terms = header.removeprefix("Follow: ").split(",")
        if len(words) != 3 or words[0] != "REGISTER" or words[2] != "CHAT/1.0" or words[1] == "all":
            say(f"Error:  Invalid registration message.\nReceived: {line}\nConnection closing ...")
            connection.sendall(b"400 Invalid registration\n")
            return None
        if words[1] in self.users:
            say("Error:  Client already registered.\nConnection closing ...")
            connection.sendall(b"401 Client already registered\n")
            return None
        user = self.users[words[1]] = User(connection, words[1], terms)
        say(f"Connection to client established, waiting to receive messages from user '{user.name}'...")
        user.send("200 Registration successful")
        return user

    def serve(self, connection, peer):
        say(f"Accepted connection from client address: {peer}")
        user = self.register(connection)
        while user is not None and (line := read_line(connection)) is not None:
            say(f"Received message from user {user.name}:  {line}")
            if line == f"DISCONNECT {user.name} CHAT/1.0":
                say(f"Disconnecting user {user.name}")
                break
            if self.a3 and line.startswith(f"@{user.name}: !"):
                if not self.command(user, line.split(" ")[1:]):
                    break
            else:
                self.broadcast(user, line)
        if user is not None:
            del self.users[user.name]
        connection.close()

    def broadcast(self, sender, line):
        for user in list(self.users.values()):
            if user is not sender and (not self.a3 or user.follows(line)):
                user.send(line)

    def command(self, user, words):
        """Does a command; False when it was the last."""
        name, term = words[0], words[1] if len(words) > 1 else ""
        if name == "!exit":
            user.send("DISCONNECT CHAT/1.0")
            return False
        if name == "!list":
            user.send(", ".join(self.users))
        elif name == "!follow?":
            user.send(", ".join(user.terms))
        elif name == "!follow" and term in user.terms:
            user.send(f"Error:  Was already following {term}")
        elif name == "!follow":
            user.terms.append(term)
            user.send(f"Now following {term}")
        elif name == "!unfollow":
            user.send(self.unfollow(user, term))
        elif name == "!attach":
            self.attach(user, term, words[2:])
        return True

    def unfollow(self, user, term):
        if term == "@all":
            return "Error:  All users must follow @all"
        if term == f"@{user.name}":
            return "Error:  Cannot unfollow yourself"
        if term not in user.terms:
            return f"Error:  Was not following {term}"
        user.terms.remove(term)
        return f"No longer following {term}"

    def attach(self, user, name, terms):
        user.send(f"ATTACH {name} CHAT/1.0")
        length = int((read_line(user.connection) or "x -1").split(" ")[1])
        if length < 0:
            user.send(f"Error:  Attached file {name} could not be sent")
            return
        content = b""
        while len(content) < length and (data := user.connection.recv(min(1024, length - len(content)))):
            content += data
        notice = f"ATTACHMENT {name} CHAT/1.0\nOrigin: {user.name}\nContent-Length: {length}\n".encode()
        for other in list(self.users.values()):
            if other is not user and other.follows(" ".join([f"@{user.name}:"] + terms)):
                other.send(notice)
                other.send(content)
        user.send(f"Attachment {name} attached and distributed")

    def interrupt(self, *_):
        say("Interrupt received, shutting down ...")
        for user in list(self.users.values()):
            user.send("DISCONNECT CHAT/1.0")
            user.connection.close()
        os._exit(0)

    def run(self, listener):
        signal.signal(signal.SIGINT, self.interrupt)
        say(f"Will wait for client connections at port {listener.getsockname()[1]}")
        say("Waiting for incoming client connections ...")
        while True:
            connection, peer = listener.accept()
            threading.Thread(target=self.serve, args=(connection, peer), daemon=True).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--a3", action="store_true")
    Server(parser.parse_args().a3).run(socket.create_server(("127.0.0.1", 0)))


if __name__ == "__main__":
    main()
