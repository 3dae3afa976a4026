"""The command line. `cli` is its root; each command is in a module that is imported when it is run.

Every command is written once, against the `Backend` of ``backend``: this machine's own data, or a server.
"""

from .root import cli
