"""The functions that jobs call, in Python: `rq worker` imports them from here."""

import time
import urllib.request


def count_words_at_url(url):
    with urllib.request.urlopen(url) as response:
        return len(response.read().decode().split())


def add(a, b):
    return a + b


def fail(reason):
    raise ValueError(reason)


def sleep(seconds):
    time.sleep(seconds)
    return "slept"
