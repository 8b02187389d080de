"""What can go wrong on the bus, named for what the caller can do.

Unavailable             try again later; nothing happened
└── BusUnavailable
└── StreamFull
Malformed               the message can never be read: drop it
BusError
├── BusUnavailable      nothing was published
│   └── StreamFull      the stream keeps its history and takes no more
├── PublishUnknown      it may or may not be stored
├── FencedOff           somebody else wrote to the stream: step down
├── PublishRefused      this credential has no right to do that: end the process
└── BusLost             the connection can't come back: end the process
"""


class Unavailable(Exception):
    """Something we need does not answer; the message is given back and delivered again after a delay."""


class Malformed(Exception):
    """The message can't be read, now or ever; it is counted, logged and not delivered again."""


class BusError(Exception):
    """The bus did not do what it was asked."""


class BusUnavailable(BusError, Unavailable):
    """Nothing was published; trying again is safe."""


class StreamFull(BusUnavailable):
    """The stream takes no more messages, for it never drops history."""


class PublishUnknown(BusError):
    """The message may or may not be stored; reading the stream can tell, later."""


class FencedOff(BusError):
    """The stream is not where we left it: another process writes to it."""


class PublishRefused(BusError):
    """The server refused a subject to this credential."""


class BusLost(BusError):
    """The connection was closed for good."""


class SubscriberFailed(BusError):
    """A subscriber raised; its exception is the cause."""
