"""The servers of the comparison of sockets as gevent greenlets, on one thread.

Usage: echo_gevent.py echo|http. Prints the port that it listens on, then serves for ever.
"""

import sys

from gevent.pywsgi import WSGIServer
from gevent.server import StreamServer
from gevent.socket import IPPROTO_TCP, TCP_NODELAY

BUFFER = 4096
ADDRESS = ("127.0.0.1", 0)
BACKLOG = 1024


def echo(connection, _address):
    try:
        while data := connection.recv(BUFFER):
            connection.sendall(data)
    except ConnectionError:
        pass


def hello(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]


def main():
    if sys.argv[1] == "http":
        # Without the log: otherwise its line per request would be measured, too.
        server = WSGIServer(ADDRESS, hello, backlog=BACKLOG, log=None, error_log=None)
    else:
        server = StreamServer(ADDRESS, echo, backlog=BACKLOG)
    server.start()
    # Connections inherit this option. Without it a response in two pieces waits 40 ms for the
    # client's acknowledgement of the first piece.
    server.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    print(server.server_port, flush=True)
    server.serve_forever()


main()
