"""Decoding in a process of its own, since what is decoded comes from outside and decoders have holes.

Each file is read by a child of the decoder process: it has bounded memory and time of the processor, may open nothing
but that file and the programs of the system, has no network, and knows no secret of this process. What it sends is
taken for hostile, too.
"""
