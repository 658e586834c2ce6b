#!/usr/bin/env python3
"""A client of the uwo chat over UDP (A4): that of the A3 over stop-and-wait.

    uwo_udp_client.py [-f TERM,TERM] [--loss SHARE] [--seed N] NAME chat://HOST:PORT
"""

import socket

from lossy import LossySocket
from uwo_client import Client, arguments, say
from uwo_udp_util import Endpoint


def main():
    options = arguments()
    say("Connecting to server ...")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    endpoint = Endpoint(sock, LossySocket(sock, options.loss, options.seed))
    host, port = options.address
    connection = endpoint.connect((socket.gethostbyname(host), port))
    Client(connection, options.user).run(options.follow or "")


if __name__ == "__main__":
    main()
