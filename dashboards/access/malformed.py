"""Requests that are not what Superset expects: they get 400 or 404, where Superset 6.1 fails with 500.

Superset's classes can be imported only once its app exists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import prison
from flask import Flask, Response, abort, make_response, request
from flask_appbuilder.views import ModelView
from pandas.errors import DataError
from superset.commands.dashboard.permalink import get as dashboard_permalink
from superset.commands.explore.permalink import get as explore_permalink
from superset.commands.sql_lab.permalink import get as sql_lab_permalink
from superset.common.query_object import QueryObject
from superset.db_engine_specs.sqlite import SqliteEngineSpec
from superset.exceptions import InvalidPostProcessingError, SupersetErrorsException
from superset.key_value.exceptions import KeyValueParseKeyError
from superset.key_value.utils import decode_permalink_id
from superset.utils.core import DatasourceType
from superset.views.api import Api

from dashboards.access.queries import check_shape

CHART_DATA = "/api/v1/chart/data"
LARGEST_INTEGER = 2**63 - 1  # of SQLite, which keeps Superset's own tables
NO_ENTRY = 0  # SQLite counts from 1
# of features that are off here; they fail with 500 instead of saying so
NOT_OFFERED = {"AsyncEventsRestApi.events", "DatabaseRestApi.oauth2"}


def refuse_malformed(app: Flask) -> None:
    """Answer malformed requests before Superset trips over them."""
    app.before_request(_refuse)
    QueryObject.exec_post_processing = _exec_post_processing
    for module in (dashboard_permalink, explore_permalink, sql_lab_permalink):
        module.decode_permalink_id = _decode_permalink_id
    # the class lacks what the decorator that reads its parameters calls
    Api.response_400 = lambda api, message: api.json_response({"message": message}, 400)
    SupersetErrorsException.status = 422  # SQL Lab raises it where the database refuses a statement
    ModelView.get_action_permission_name = _get_action_permission_name


def _refuse() -> Response | None:
    if request.endpoint in NOT_OFFERED or not all(map(_may_exist, (request.view_args or {}).items())):
        return make_response({"message": "Not found."}, 404)
    try:
        sent = _sent()
    except ValueError as error:
        return make_response({"message": str(error)}, 400)
    if any(isinstance(value, int) and abs(value) > LARGEST_INTEGER for value in _values(sent)):
        return make_response({"message": "A number is too large."}, 400)
    return None


def _sent() -> list[Any]:
    """All that a request says beside its address. Raises ValueError where it says nothing."""
    _check_datasource(request.args)
    sent = [_number(value) for value in request.args.values()]
    if request.path.startswith("/api/") and request.args.get("q"):
        sent.append(_parameters(request.args["q"]))
    form = request.args.get("form_data")  # what a dashboard's own request says beside its query
    body = request.form.get("form_data")
    asked = [request.get_json()] if request.is_json and request.data else [_json(body)] if body else []
    bodies = [*([_json(form)] if form else []), *asked]
    if not all(isinstance(each, dict | list) for each in bodies):
        raise ValueError("The request must be an object or a list.")
    if request.path == CHART_DATA:
        for context in asked:
            check_shape(context, SqliteEngineSpec.get_time_grain_expressions())
    return sent + bodies


def _check_datasource(parameters: Mapping[str, str]) -> None:
    """Raise ValueError where an address names a datasource that cannot be one."""
    number, _, kind = parameters.get("datasourceKey", "1__table").partition("__")
    kinds = {each.value for each in DatasourceType}
    if not number.isdecimal() or not {kind, parameters.get("datasource_type", kind)} <= kinds:
        raise ValueError("There is no such kind of datasource.")


def _may_exist(part: tuple[str, Any]) -> bool:
    """Whether something can have the number or the UUID that a part of the address names."""
    name, value = part
    number = _number(str(value))
    if isinstance(number, int):
        return number <= LARGEST_INTEGER
    if name == "id_or_uuid":
        try:
            UUID(str(value))
        except ValueError:
            return False
    return True


def _number(text: str) -> Any:
    return int(text) if text.isdecimal() and len(text) < 1000 else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("The form is not JSON.") from None


def _parameters(text: str) -> Any:
    """The parameters of a request to the API, in Rison or JSON. Raises ValueError where they are neither."""
    try:
        return prison.loads(text)
    except Exception:  # the parser raises whatever its own code trips over
        pass
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("The parameter q is neither Rison nor JSON.") from None


def _values(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        yield value
        return
    for part in value:
        yield from _values(part)


_get_permission_name = ModelView.get_action_permission_name


def _get_action_permission_name(view: ModelView, name: str) -> Any:
    if name not in view.actions:
        abort(404)
    return _get_permission_name(view, name)


_exec = QueryObject.exec_post_processing


def _exec_post_processing(query: QueryObject, frame: Any) -> Any:
    """Superset hands the options of each step to pandas as they come."""
    try:
        return _exec(query, frame)
    except (AttributeError, DataError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InvalidPostProcessingError(f"The result cannot be processed this way: {error}") from error


def _decode_permalink_id(key: str, salt: str) -> int:
    try:
        return decode_permalink_id(key, salt)
    except KeyValueParseKeyError:
        return NO_ENTRY
