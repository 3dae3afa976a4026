"""The call that is being answered, for whoever can write its line of the audit log together with what it changes."""

from __future__ import annotations

from contextvars import ContextVar

from .audit_rows import NewAuditRow


class AuditedCall:
    """A call that changes something. ``recorded_status`` is what its line says, None before there is one."""

    def __init__(self, *, key_id: str | None, method: str, route: str, request_id: str) -> None:
        self.key_id = key_id
        self.method = method
        self.route = route
        self.request_id = request_id
        self.recorded_status: int | None = None

    def line(self, status: int, object_id: str | None) -> NewAuditRow:
        """Return what is to be written down of it, once it is known what is answered."""
        return NewAuditRow(
            key_id=self.key_id,
            method=self.method,
            route=self.route,
            object_id=object_id,
            status=status,
            request_id=self.request_id,
        )


audited_call: ContextVar[AuditedCall | None] = ContextVar("audited_call", default=None)
"""None where nobody called, as on the command line, or where the call changes nothing."""
