"""What all tests share: hypothesis draws the same examples every time, and may take its time."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "minigrad",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=10,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("minigrad")
