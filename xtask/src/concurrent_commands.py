"""Runs a command 200 times at once, as fail2ban runs the actions of as many jails: by its own function, on a thread each.

Prints the milliseconds that each took, one per line. {number} in an argument is replaced by 0 to 199.
"""

import shlex
import sys
import threading
import time

# Debian's location; elsewhere fail2ban is on the path.
sys.path.append("/usr/lib/python3/dist-packages")
from fail2ban.server.utils import Utils

COUNT = 200
command = shlex.join(sys.argv[1:])
start = threading.Barrier(COUNT)
took = [None] * COUNT


def act(number):
    realised = command.replace("{number}", str(number))
    start.wait()
    started = time.monotonic()
    if Utils.executeCmd(realised, timeout=60):
        took[number] = (time.monotonic() - started) * 1000


jails = [threading.Thread(target=act, args=(number,)) for number in range(COUNT)]
for jail in jails:
    jail.start()
for jail in jails:
    jail.join()
if None in took:
    sys.exit(f"{took.count(None)} of {COUNT} failed: {command}")
print(*took, sep="\n")
