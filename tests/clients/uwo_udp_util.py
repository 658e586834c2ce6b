"""Stop-and-wait over UDP for the uwo chat (A4), with what looks like a connection on top."""

import queue
import struct
import threading
from hashlib import md5

DATA_SIZE = 256
ACK = 11
TIMEOUT = 1.0
MAX_TRIES = 8


def signed(packet):
    return packet + md5(packet).hexdigest().encode()


def make_data(seq, data):
    return signed(struct.pack("<II256s", seq, len(data), data))


def make_ack(seq):
    return signed(struct.pack("<Ii", ACK, seq))


def parse(packet):
    """("ack", seq, b"") or ("data", seq, data); None for what is garbled."""
    if len(packet) not in (40, 296) or signed(packet[:-32]) != packet:
        return None
    if len(packet) == 40:
        kind, seq = struct.unpack("<Ii", packet[:8])
        return ("ack", seq, b"") if kind == ACK else None
    seq, size, data = struct.unpack("<II256s", packet[:264])
    return ("data", seq, data[:size]) if size <= DATA_SIZE else None


class Connection:
    """One peer: read and write as with a TCP socket."""

    def __init__(self, sock, address):
        self.sock, self.address = sock, address
        self.buffer, self.arrived = b"", queue.Queue()
        self.to_send, self.acks = queue.Queue(), queue.Queue()
        self.next_out, self.next_in = 0, 0
        threading.Thread(target=self.send_all, daemon=True).start()

    def received(self, kind, seq, data):
        if kind == "ack":
            self.acks.put(seq)
            return
        self.sock.sendto(make_ack(seq), self.address)
        if seq == self.next_in:
            self.next_in = 1 - seq
            self.arrived.put(data)

    def send_all(self):
        while True:
            packet = make_data(self.next_out, self.to_send.get())
            if not self.deliver(packet):
                self.arrived.put(b"")  # reads as the end
            self.next_out = 1 - self.next_out
            self.to_send.task_done()

    def deliver(self, packet):
        for _ in range(MAX_TRIES):
            self.sock.sendto(packet, self.address)
            try:
                while self.acks.get(timeout=TIMEOUT) != self.next_out:
                    pass
                return True
            except queue.Empty:
                pass
        return False

    def recv(self, size):
        if not self.buffer:
            self.buffer = self.arrived.get()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def sendall(self, data):
        for start in range(0, len(data), DATA_SIZE):
            self.to_send.put(data[start : start + DATA_SIZE])

    def close(self):
        self.to_send.join()


class Endpoint:
    """A UDP socket as a listener: accept() gives a connection for each new address."""

    def __init__(self, sock, lossy):
        self.sock, self.lossy = sock, lossy
        self.connections, self.new = {}, queue.Queue()
        threading.Thread(target=self.receive, daemon=True).start()

    def connect(self, address):
        connection = self.connections[address] = Connection(self.lossy, address)
        return connection

    def receive(self):
        while True:
            datagram, address = self.sock.recvfrom(2048)
            packet = parse(datagram)
            if packet is None:
                continue
            if address not in self.connections:
                self.new.put((self.connect(address), address))
            self.connections[address].received(*packet)

    def accept(self):
        return self.new.get()

    def getsockname(self):
        return self.sock.getsockname()
