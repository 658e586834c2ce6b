#!/usr/bin/env python3
"""The server of the lums chat over UDP: part 2, or part 1 with a window of 0.

    lums_udp_server.py [-p PORT] [-a ADDRESS] [-w WINDOW] [--loss SHARE] [--seed N]
"""

import socket
import sys

from lossy import LossySocket
from lums_server import Chat, arguments
from lums_udp_util import Receiver, Sender, parse_message, parse_packet


def main():
    options = arguments(["loss=", "seed="])
    window = int(options.get("-w", 3))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((options["-a"], int(options["-p"])))
    lossy = LossySocket(sock, float(options.get("--loss", 0)), int(options.get("--seed", 1)))
    print(f"listening on 127.0.0.1:{sock.getsockname()[1]}", file=sys.stderr, flush=True)
    chat = Chat(counted=True)
    senders, receivers = {}, {}
    while True:
        datagram, address = sock.recvfrom(65535)
        packet = parse_packet(datagram)
        if packet is None:
            continue
        if address not in senders:
            senders[address] = Sender(lossy, address, window)
            receivers[address] = Receiver(lossy, address, max(window, 1))
        if packet[0] == "ack":
            senders[address].acks.put(packet[1])
            continue
        message = receivers[address].received(*packet)
        if message is not None:
            chat.received(senders[address], parse_message(message))


if __name__ == "__main__":
    main()
