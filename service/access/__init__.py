"""API keys, their scopes, and the audit log."""

from .audit import AuditLog
from .keys import EVERY_SCOPE, KEY_FORM, Key, Keys, Scope, granted
