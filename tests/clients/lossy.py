"""A socket that loses, garbles, repeats and shuffles some of what it sends, by a seed."""

import random


class LossySocket:
    """`loss` is the share that is lost; half as much is garbled, repeated and shuffled, each."""

    def __init__(self, sock, loss, seed):
        self.sock, self.loss, self.random = sock, loss, random.Random(seed)
        self.late = None  # a datagram that goes out after the next one

    def sendto(self, datagram, address):
        chance = self.random.random() / self.loss if self.loss else 9
        late, self.late = self.late, None
        if chance < 1:
            pass
        elif chance < 1.5:
            garbled = bytearray(datagram)
            garbled[self.random.randrange(len(garbled))] ^= 1 << self.random.randrange(8)
            self.sock.sendto(bytes(garbled), address)
        elif chance < 2:
            self.sock.sendto(datagram, address)
            self.sock.sendto(datagram, address)
        elif chance < 2.5:
            self.late = datagram, address
        else:
            self.sock.sendto(datagram, address)
        if late:
            self.sock.sendto(*late)
