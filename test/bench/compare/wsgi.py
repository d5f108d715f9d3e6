"""The app of app.ts for gunicorn."""

import os
import time

WORK_SECONDS = 0.020

notes = os.open(
    os.path.join(os.environ["COMPARE_NOTES"], f"{os.getpid()}.log"),
    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
)


class Answer:
    """A body; the server calls close() when it was sent."""

    def __init__(self, request_id, text):
        self.request_id = request_id
        self.text = text

    def __iter__(self):
        return iter([self.text])

    def close(self):
        os.write(notes, f"-{self.request_id}\n".encode())


def app(environ, start_response):
    request_id = environ["PATH_INFO"][1:]
    os.write(notes, f"+{request_id}\n".encode())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    time.sleep(WORK_SECONDS)
    text = f"{request_id} {len(body)}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return Answer(request_id, text)


open(os.path.join(os.environ["COMPARE_NOTES"], f"{os.getpid()}.ready"), "w").close()
