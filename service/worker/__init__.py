"""What travels to another process or machine: a specification in, plain-data messages out.

A worker trains and tells; it knows neither database nor model store. Whatever it sends is written down by the
engine that gave it the work.
"""

from .channel import serve as serve
from .checkpoint import decode_checkpoint as decode_checkpoint
from .checkpoint import encode_checkpoint as encode_checkpoint
from .environment import Environment as Environment
from .environment import describe_environment as describe_environment
from .messages import Checked as Checked
from .messages import Checkpointed as Checkpointed
from .messages import Ended as Ended
from .messages import Failed as Failed
from .messages import Message as Message
from .messages import Started as Started
from .messages import decode_message as decode_message
from .messages import encode_message as encode_message
from .progress import Progress as Progress
from .run import run_training as run_training
from .snapshots import pack_weights as pack_weights
from .snapshots import snapshot_stride as snapshot_stride
from .snapshots import unpack_weights as unpack_weights
from .spec import MemberSpec as MemberSpec
from .spec import StackSpec as StackSpec
from .stop import StopRequests as StopRequests
