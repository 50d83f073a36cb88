"""One target under atheris, in a process of its own, which atheris ends: python -m tests.fuzz.guided TARGET SECONDS"""

import sys

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

with atheris.instrument_imports(include=["adapters", "application", "domain", "entrypoints"]):
    from tests.fuzz.corpus import folders
    from tests.fuzz.mutations import LONGEST
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name, seconds = sys.argv[1:]
    options = [f"-max_total_time={int(float(seconds))}", f"-max_len={LONGEST}", f"-artifact_prefix=crash-{name}-"]
    atheris.Setup([sys.argv[0], *options, *map(str, folders(name))], TARGETS[name])
    atheris.Fuzz()
