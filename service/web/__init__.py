"""The HTTP face: FastAPI routes, Server-Sent Events, problem details, and the few static files.

An endpoint parses, makes one call to a layer below, and shapes the answer. `create_app` builds the application,
`run` serves it until a signal comes.
"""

from .app import create_app as create_app
from .server import run as run
