"""`minigrad doctor` where there are devices; here those of the fake."""

from minigrad.cli import doctor


def test_the_devices_are_in_the_report(fake):
    report = doctor.examine()["gpu"]
    assert (report["driver"], report["runtime"]) == ("CUDA 13.0", "CUDA 13.0")
    for device in ("cuda:0", "cuda:1"):
        assert report[device].startswith("fake, compute capability 9.0, ")
        assert report[device].endswith(" GiB free")
