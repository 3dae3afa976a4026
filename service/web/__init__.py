"""The HTTP face: FastAPI routes, Server-Sent Events, problem details, and the few static files.

An endpoint parses, makes one call to a layer below, and shapes the answer. `app.create_app` builds the application,
`server.run` serves it until a signal comes. Nothing is imported here, so that a web process starts with little
(`supervisor`).
"""
