"""API keys, their scopes, and the audit log."""

from .audit import AuditLog as AuditLog
from .keys import EVERY_SCOPE as EVERY_SCOPE
from .keys import KEY_FORM as KEY_FORM
from .keys import Key as Key
from .keys import Keys as Keys
from .keys import Scope as Scope
from .keys import granted as granted
