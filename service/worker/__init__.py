"""What travels to another process or machine: a specification in, plain-data messages out.

A worker trains and reports; it knows neither database nor model store. The engine that gave it the work writes down
whatever it sends.
"""

from .channel import serve
from .checkpoint import (
    decode_checkpoint,
    decode_pending_losses,
    encode_checkpoint,
    pack_snapshot,
    snapshot_stride,
    unpack_snapshot,
)
from .messages import (
    Checked,
    Checkpointed,
    Ended,
    Environment,
    Failed,
    MemberSpec,
    Message,
    Progress,
    StackSpec,
    Started,
    decode_message,
    encode_message,
)
from .run import StopRequests, run_training, train_packed
