"""Who may do what: keys, the scopes that they grant, and the record of what was changed with them."""

from .audit import AuditLog as AuditLog
from .keys import KEY_FORM as KEY_FORM
from .keys import Key as Key
from .keys import Keys as Keys
from .scopes import EVERY_SCOPE as EVERY_SCOPE
from .scopes import Scope as Scope
from .scopes import granted as granted
