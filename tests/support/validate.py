"""Validates experiments with an independent validator (jsonschema, draft 2020-12): all of ours are right, and the files
that are named are wrong.
YAML is read by the rules of 1.2: `1e-3` is a number and `no` is text."""

import json
import pathlib
import re
import sys

sys.path.insert(0, ".tools/python")
import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2, as far as experiments need it."""


OLD = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] not in OLD]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
NUMBER = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
Loader.add_implicit_resolver(OLD[0], NUMBER, list("-+.0123456789"))
Loader.add_implicit_resolver(OLD[1], re.compile("^(true|false)$"), ["t", "f"])

schema = json.loads(pathlib.Path("docs/schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)


def complaints(file):
    found = validator.iter_errors(yaml.load(pathlib.Path(file).read_text(), Loader))
    return [f"{file}: {'.'.join(map(str, e.path))}: {e.message[:120]}" for e in found]


ours = sorted(pathlib.Path("experiments").glob("*.yaml"))
assert len(ours) >= 7, ours
problems = [line for file in ours for line in complaints(file)]
problems += [f"{file}: is taken as right" for file in sys.argv[1:] if not complaints(file)]
sys.exit("\n".join(problems) or 0)
