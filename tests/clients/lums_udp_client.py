#!/usr/bin/env python3
"""A client of the lums chat over UDP: part 2, or part 1 with a window of 0.

    lums_udp_client.py -u NAME [-p PORT] [-a ADDRESS] [-w WINDOW] [--loss SHARE] [--seed N]
"""

import os
import socket
import threading

from lossy import LossySocket
from lums_client import Client, arguments
from lums_udp_util import Receiver, Sender, parse_message, parse_packet

FORMAT = "incorrect userinput format"


def receive(sock, sender, receiver, client):
    while True:
        datagram, address = sock.recvfrom(65535)
        packet = parse_packet(datagram)
        if packet is None or address != sender.address:
            continue
        if packet[0] == "ack":
            sender.acks.put(packet[1])
            continue
        message = receiver.received(*packet)
        if message is not None:
            client.received(parse_message(message))


def main():
    options = arguments(["loss=", "seed="])
    window = int(options.get("-w", 3))
    server = socket.gethostbyname(options["-a"]), int(options["-p"])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    lossy = LossySocket(sock, float(options.get("--loss", 0)), int(options.get("--seed", 1)))
    sender, receiver = Sender(lossy, server, window), Receiver(lossy, server, max(window, 1))
    sender.failed = lambda: os._exit(1)
    client = Client(options["-u"], sender.send, counted=True, format_line=FORMAT)
    threading.Thread(target=receive, args=(sock, sender, receiver, client), daemon=True).start()
    client.run()
    sender.messages.join()


if __name__ == "__main__":
    main()
