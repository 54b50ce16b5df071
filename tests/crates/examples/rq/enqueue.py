"""Enqueues `count_words_at_url` by RQ for each URL, and prints the counts.

    python3 enqueue.py REDIS_URL QUEUE URL ...
"""

import sys

from redis import Redis
from rq import Queue, Retry

redis, name, *urls = sys.argv[1:]
queue = Queue(name, connection=Redis.from_url(redis, socket_timeout=70), serializer="json")
function = "tasks.count_words_at_url"
jobs = [queue.enqueue(function, url, retry=Retry(max=2, interval=[1, 2])) for url in urls]
for url, job in zip(urls, jobs):
    result = job.latest_result(timeout=60)
    if result is None:
        print(f"{url}: no result in 60 seconds")
    elif result.type == result.Type.SUCCESSFUL:
        print(f"{url}: {result.return_value} words")
    else:
        print(f"{url}: failed\n{result.exc_string}")
