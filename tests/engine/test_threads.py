"""Modes belong to a thread, also where one decorated function runs in several at once."""

import threading

import minigrad as mg


def test_overlapping_calls_of_a_decorated_function():
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    @mg.no_grad()
    def work(entered, wait):
        entered.set()
        assert wait.wait(10)
        return mg.is_grad_enabled()

    seen = {}

    def first():
        with mg.no_grad():
            seen["inside"] = work(first_in, second_in)
            seen["first"] = mg.is_grad_enabled()
        first_out.set()

    def second():
        assert first_in.wait(10)
        work(second_in, first_out)
        seen["second"] = mg.is_grad_enabled()

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"inside": False, "first": False, "second": True}
