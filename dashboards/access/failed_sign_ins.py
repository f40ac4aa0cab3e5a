"""Failed sign-ins, by account and address. The limiter that Superset 6.1 brings does not fire."""

from __future__ import annotations

from flask import g, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.security import check_password_hash

# By account and address together, so that failures from elsewhere lock nobody out.
FAILURES_PER_ACCOUNT = RateLimitItemPerMinute(10)
# Stops somebody who tries many names. It also bounds the memory: no address adds more entries a minute.
FAILURES_PER_ADDRESS = RateLimitItemPerMinute(50)

_failures = MovingWindowRateLimiter(MemoryStorage())


def may_try(account: str) -> bool:
    """Whether this address may try another password for the account, which need not exist."""
    return _failures.test(FAILURES_PER_ACCOUNT, *_attempt(account)) and _failures.test(FAILURES_PER_ADDRESS, _address())


def count_failure(account: str) -> None:
    _failures.hit(FAILURES_PER_ACCOUNT, *_attempt(account))
    _failures.hit(FAILURES_PER_ADDRESS, _address())


def is_own_password(password: object) -> bool:
    """Whether this is the password of the user who asks. A wrong one counts as a failed sign-in."""
    account = g.user.username
    if may_try(account) and isinstance(password, str) and check_password_hash(g.user.password, password):
        return True
    count_failure(account)
    return False


def _attempt(account: str) -> tuple[str, str]:
    return account.strip().casefold()[:64], _address()


def _address() -> str:
    return str(request.remote_addr)
