"""Reading files in a process of its own, since what comes from outside is hostile and readers have holes.

Each file is read by a child of the reading process: it has bounded memory and time of the processor, may open nothing
but that file and the programs of the system, has no network, and knows no secret of this process. What it sends is
taken for hostile, too.

A module of readers has `REQUESTS`, the type of what may be asked of it, and `answer(request)`, which yields what it
finds. `client.Sandbox` asks it.
"""
