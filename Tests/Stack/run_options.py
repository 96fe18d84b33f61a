"""Options of a run. pytest loads this before it reads its words, so `pytest --seed 5` needs no path beside it."""


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, help="of the order of tests, and of what they choose at random")
    scale = parser.getgroup("scale", "how large the largest tests of filling are")
    scale.addoption("--clients", type=int, default=100, help="that pull one blob together")
    scale.addoption("--size", type=int, default=128, help="of that blob, MiB")
    scale.addoption("--memory", type=int, default=64, help="that bloblo may have meanwhile, MiB")
    scale.addoption("--kills", type=int, default=100, help="of a bloblo that fills")
