# ruff: noqa: I001, RUF012
# mypy: ignore-errors
"""A locustfile as somebody else would have written it: it knows nothing of Quarterdeck."""

import time

from core import HELLO  # a package of the stranger's own, beside this file
from locust import FastHttpUser, HttpUser, LoadTestShape, TaskSet, between, events, tag, task

print(HELLO)


class Browsing(TaskSet):
    @task(3)
    def look(self):
        self.client.get("/look", name="/look")

    @task
    def leave(self):
        self.interrupt()


class Browser(HttpUser):
    wait_time = between(0.05, 0.1)
    tasks = [Browsing]


class Caller(FastHttpUser):
    wait_time = between(0.05, 0.1)

    @tag("score")
    @task
    def score(self):
        with self.client.post("/score", json={"a": 1}, catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure("the score is missing")

    @task
    def stumble(self):
        raise KeyError("nobody")

    @task
    def custom(self):
        events.request.fire(
            request_type="MQ", name="queue", response_time=None, response_length=0, exception=None, context={}
        )


class Stairs(LoadTestShape):
    stages = ((1.5, 4), (3.5, 8))

    def tick(self):
        for until_s, users in self.stages:
            if self.get_run_time() < until_s:
                return users, 20
        return None


@events.test_stop.add_listener
def on_stop(environment, **_):
    print(f"stopped at {environment.runner.user_count} users, {time.time():.0f}")
