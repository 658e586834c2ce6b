"""Packets of lums over UDP, and messages over them: once each (part 1) or with a window (part 2)."""

import queue
import random
import threading
import time
from binascii import crc32

CHUNK_SIZE = 1400
TIMEOUT = 0.5
NUM_OF_RETRANSMISSIONS = 3


def make_packet(kind, seq, data=b""):
    body = f"{kind}|{seq}|".encode() + data + b"|"
    return body + str(crc32(body)).encode()


def parse_packet(packet):
    """Kind, number and data; None for a garbled packet."""
    try:
        body, checksum = packet.rsplit(b"|", 1)
        kind, seq, data = body.split(b"|", 2)
        intact = int(checksum) == crc32(body + b"|")
        return (kind.decode(), int(seq), data) if intact else None
    except ValueError:
        return None


def make_message(verb, rest):
    if not rest:
        return f"{verb} 0".encode()
    return f"{verb} {len(rest.decode(errors='replace'))} ".encode() + rest


def parse_message(message):
    """The message as it is over TCP, without the length."""
    verb, length, *rest = message.split(b" ", 2)
    assert length.isdigit(), message
    return b" ".join([verb, *rest])


class Sender:
    """Sends messages to one address, one after the other, in a thread of its own."""

    def __init__(self, sock, address, window):
        self.sock, self.address, self.window = sock, address, window
        self.acks, self.messages = queue.Queue(), queue.Queue()
        self.failed = lambda: None
        threading.Thread(target=self.run, daemon=True).start()

    def send(self, verb, rest):
        self.messages.put(make_message(verb, rest))

    def run(self):
        while True:
            message = self.messages.get()
            if self.window == 0:
                self.sock.sendto(make_packet("data", 0, message), self.address)
            elif not self.send_reliably(message):
                self.failed()
            self.messages.task_done()

    def send_reliably(self, message):
        first = random.randrange(2**31)
        chunks = [message[i : i + CHUNK_SIZE] for i in range(0, len(message), CHUNK_SIZE)]
        return (
            self.transfer(first, [make_packet("start", first)])
            and self.transfer(first + 1, [make_packet("data", first + 1 + i, c) for i, c in enumerate(chunks)])
            and self.transfer(first + 1 + len(chunks), [make_packet("end", first + 1 + len(chunks))])
        )

    def transfer(self, first, packets):
        """Sends packets numbered from `first`, a window of them at a time; False when nobody answers."""
        done, sent, tries = 0, 0, 0
        deadline = time.monotonic() + TIMEOUT
        while done < len(packets):
            while sent < min(done + self.window, len(packets)):
                self.sock.sendto(packets[sent], self.address)
                sent += 1
            try:
                ack = self.acks.get(timeout=max(deadline - time.monotonic(), 0)) - first
            except queue.Empty:
                tries, sent, ack = tries + 1, done, done
                deadline = time.monotonic() + TIMEOUT
                if tries > NUM_OF_RETRANSMISSIONS:
                    return False
            if done < ack <= len(packets):
                done, tries, sent = ack, 0, max(sent, ack)
                deadline = time.monotonic() + TIMEOUT
        return True


class Receiver:
    """Puts together what comes from one address."""

    def __init__(self, sock, address, window):
        self.sock, self.address, self.window = sock, address, window
        self.start, self.expected, self.early, self.chunks = None, None, {}, []

    def received(self, kind, seq, data):
        """A message when this packet completed one."""
        if kind == "data" and seq == 0 and self.start is None:
            return data
        if kind == "start" and seq != self.start:
            self.start, self.expected, self.early, self.chunks = seq, seq, {}, []
        if self.expected is None:
            return None
        message = None
        if self.expected <= seq < self.expected + self.window:
            self.early[seq] = kind, data
        while self.expected in self.early:
            kind, data = self.early.pop(self.expected)
            self.expected += 1
            if kind == "data":
                self.chunks.append(data)
            elif kind == "end":
                message = b"".join(self.chunks)
        self.sock.sendto(make_packet("ack", self.expected), self.address)
        return message
