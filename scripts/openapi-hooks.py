"""What OpenAPI cannot say of the HTTP API, for schemathesis: requests that break one of these rules are not sent."""

import json

import schemathesis

# Sizes count bytes of UTF-8, schemas count characters.
MOST_BYTES = {"key": 128, "channel": 255, "user": 255, "session": 255, "except": 255, "jti": 255}
MOST_TAG_BYTES = 1024
MOST_INFO_BYTES = 16 * 1024


def size(value):
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 0


def fits(fields):
    """Whether all texts of an object, and of those in it, are as small in bytes as they are in characters."""
    if isinstance(fields, list):
        return all(fits(one) for one in fields)
    if not isinstance(fields, dict):
        return True
    for name, most in MOST_BYTES.items():
        value = fields.get(name)
        if isinstance(value, str) and len(value) <= most < size(value):
            return False
    tags = fields.get("tags")
    if isinstance(tags, dict):
        if sum(size(name) + size(text) for name, text in tags.items()) > MOST_TAG_BYTES or list(tags) == ["$binary"]:
            return False
    names = [*listed(fields, "channels"), *listed(fields, "subscribe")]
    return all(size(name) <= 255 for name in names) and fits(fields.get("messages"))


def listed(fields, name):
    value = fields.get(name)
    return value if isinstance(value, list) else []


@schemathesis.hook
def filter_case(context, case):
    query, path, body = case.query or {}, case.operation.path, case.body
    # Of two parameters at most one, or exactly one.
    if path == "/v1/history" and "after" in query and "before" in query:
        return False
    if path == "/v1/sessions" and ("user" in query) == ("session" in query):
        return False
    # A value whose only key is $binary has to be binary; permissions have as much room as in a token.
    text = json.dumps(body, default=str)
    return fits(query) and fits(body) and "$binary" not in text and len(text) < MOST_INFO_BYTES
