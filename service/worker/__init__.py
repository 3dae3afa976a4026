"""What travels to another process or machine: a specification in, plain-data messages out.

A worker trains and reports; it knows neither database nor model store. The engine that gave it the work writes down
whatever it sends.
"""

from .channel import serve as serve
from .checkpoint import decode_checkpoint as decode_checkpoint
from .checkpoint import encode_checkpoint as encode_checkpoint
from .checkpoint import pack_snapshot as pack_snapshot
from .checkpoint import snapshot_stride as snapshot_stride
from .checkpoint import unpack_snapshot as unpack_snapshot
from .messages import Checked as Checked
from .messages import Checkpointed as Checkpointed
from .messages import Ended as Ended
from .messages import Environment as Environment
from .messages import Failed as Failed
from .messages import MemberSpec as MemberSpec
from .messages import Message as Message
from .messages import Progress as Progress
from .messages import StackSpec as StackSpec
from .messages import Started as Started
from .messages import decode_message as decode_message
from .messages import encode_message as encode_message
from .run import StopRequests as StopRequests
from .run import run_training as run_training
from .run import train_packed as train_packed
