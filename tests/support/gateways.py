"""
Both gateways before one chDB directory, as one server has both ports.

    python -m tests.support.gateways DIRECTORY HTTP_PORT NATIVE_PORT
"""

import sys
from threading import Thread

from tests.support import http_gateway, native_gateway

if __name__ == "__main__":
    path, http, native = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    Thread(target=native_gateway.Gateway(path, native, {}).serve_forever, daemon=True).start()
    http_gateway.Gateway(path, http).serve_forever()
