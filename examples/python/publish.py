"""Publishes to a channel over HTTP, with the standard library alone.

    python3 publish.py demo:hello '{"n": 1}'

FANFARE_URL (default http://localhost:8080) is the gateway, FANFARE_API_KEY (default dev) a key of it.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("FANFARE_URL", "http://localhost:8080")
API_KEY = os.environ.get("FANFARE_API_KEY", "dev")


def publish(channel, data, attempts=5):
    """Returns the position. The key makes it safe to send again: it is stored once, whatever got lost."""
    body = json.dumps({"channel": channel, "data": data, "key": str(uuid.uuid4())}).encode()
    headers = {"authorization": f"Bearer {API_KEY}", "content-type": "application/json"}
    for attempt in range(attempts):
        try:
            request = urllib.request.Request(f"{URL}/v1/publish", data=body, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # 4xx but 429: it would be refused again.
            if error.code < 500 and error.code != 429 or attempt + 1 == attempts:
                raise
        except OSError:
            if attempt + 1 == attempts:
                raise
        time.sleep(0.2 * 2**attempt)


if __name__ == "__main__":
    try:
        print(json.dumps(publish(sys.argv[1], json.loads(sys.argv[2]))))
    except urllib.error.HTTPError as error:
        raise SystemExit(f"refused: {error.read().decode()}")
    except OSError as error:
        raise SystemExit(f"no answer from {URL}: {error}")
