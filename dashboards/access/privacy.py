"""What a signed-in person learns about others: neither their names nor what they have filtered for."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, json, make_response, request
from superset import security_manager
from superset.daos.key_value import KeyValueDAO
from superset.key_value.types import KeyValueResource
from superset.utils.core import get_user_id

from dashboards.access.stores import NO_STORE, stores_of

PEOPLE = {"owners", "created_by", "created_by_name", "changed_by", "changed_by_name", "last_saved_by"}
PERMALINKS = {
    KeyValueResource.DASHBOARD_PERMALINK,
    KeyValueResource.EXPLORE_PERMALINK,
    KeyValueResource.SQLLAB_PERMALINK,
}
# lists of users and roles to choose an owner from, and what shows whether a user's number is taken
ABOUT_OTHERS = (".related", "UserRestApi.avatar")


def protect_privacy(app: Flask) -> None:
    """Hide the names of people and the permalinks of others from all but administrators."""
    KeyValueDAO.get_value = classmethod(_get_value)
    app.after_request(_hide_people)


_get_any_value = KeyValueDAO.get_value.__func__


def _get_value(dao: type[KeyValueDAO], resource: KeyValueResource, key: Any, codec: Any) -> Any:
    """A stored value; a permalink as if it did not exist, unless the user sees at least what its maker sees."""
    if resource in PERMALINKS:
        entry = dao.get_entry(resource, key)
        if entry and not _sees_as_much_as(entry.created_by_fk):
            return None
    return _get_any_value(dao, resource, key, codec)


def _sees_as_much_as(maker_id: int | None) -> bool:
    """Whether the user sees every store that the maker sees. A maker without stores was removed."""
    if security_manager.is_admin() or maker_id == get_user_id():
        return True
    maker = security_manager.get_user_by_id(maker_id) if maker_id else None
    stores = stores_of(role.name for role in maker.roles) if maker else NO_STORE
    return stores != NO_STORE and stores_of(role.name for role in security_manager.get_user_roles()).cover(stores)


def _hide_people(response: Response) -> Response:
    """Superset's API answers with the names and addresses of owners and editors. It has no setting for that."""
    lists_people = (request.endpoint or "").endswith(ABOUT_OTHERS) and response.status_code != 401
    is_made_here = response.is_json and not response.direct_passthrough  # else it is a file of Superset's
    names_people = is_made_here and any(f'"{name}"'.encode() in response.data for name in PEOPLE)
    if not (lists_people or names_people) or security_manager.is_admin():
        return response
    if lists_people:
        return make_response({"message": "Only administrators see the names of users."}, 403)
    response.data = json.dumps(_without_people(response.json))
    return response


def _without_people(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: ([] if isinstance(part, list) else None) if name in PEOPLE else _without_people(part)
            for name, part in value.items()
        }
    return [_without_people(part) for part in value] if isinstance(value, list) else value
