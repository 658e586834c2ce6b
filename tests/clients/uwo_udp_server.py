#!/usr/bin/env python3
"""The server of the uwo chat over UDP (A4): that of the A3 over stop-and-wait.

    uwo_udp_server.py [--loss SHARE] [--seed N]
"""

import argparse
import socket

from lossy import LossySocket
from uwo_server import Server
from uwo_udp_util import Endpoint


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    Server(a3=True).run(Endpoint(sock, LossySocket(sock, options.loss, options.seed)))


if __name__ == "__main__":
    main()
