"""Events: what a person was shown or did, in the names of UBI 1.3.0."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One action of one person on one item (User Behavior Insights 1.3.0, ``ubi_events``)."""

    tenant: str
    user_id: str
    #: ``impression``, ``click``, ``view``, ``add_to_cart``, ``purchase``, ...
    action_name: str
    #: Kind of the item acted upon.
    object_kind: str
    #: The host's id of the item acted upon.
    object_id: str
    #: Seconds since 1970.
    timestamp: float
    session_id: str = ""
    #: The query that the action followed.
    user_query: str = ""
