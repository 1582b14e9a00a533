# SPDX-License-Identifier: GPL-2.0-only
"""Prometheus' text format, read by its letter: what an exporter may not write is refused."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
TYPES = ("counter", "gauge")


class Bad(ValueError):
    pass


def _value(text, at):
    """A label's value from behind its opening quote on: it and the place behind the closing one."""
    got = ""
    while at < len(text):
        c = text[at]
        if c == '"':
            return got, at + 1
        if c == "\\":
            at += 1
            if text[at:at + 1] not in ("\\", '"', "n"):
                raise Bad(f"backslash before {text[at:at + 1]!r}")
            c = "\n" if text[at] == "n" else text[at]
        got += c
        at += 1
    raise Bad("a label's value does not end")


def _labels(text):
    """The labels of a sample, from behind its brace on: a dict and what stands behind the closing one."""
    labels, at = {}, 0
    while True:
        m = LABEL.match(text, at)
        if not m or m[0].startswith("__"):
            raise Bad(f"no label at {text[at:]!r}")
        if m[0] in labels:
            raise Bad(f"label {m[0]} twice")
        if text[m.end():m.end() + 2] != '="':
            raise Bad(f"no value behind {m[0]}")
        labels[m[0]], at = _value(text, m.end() + 2)
        end = text[at:at + 1]
        at += 1
        if end == "}":
            return labels, text[at:]
        if end != ",":
            raise Bad(f"{end!r} behind a label")


def _sample(line):
    m = NAME.match(line)
    if not m:
        raise Bad("no name")
    labels, rest = {}, line[m.end():]
    if rest.startswith("{"):
        labels, rest = _labels(rest[1:])
    if not rest.startswith(" ") or not NUMBER.fullmatch(rest[1:]):
        raise Bad(f"no number: {rest!r}")
    return m[0], labels, float(rest[1:]) if "." in rest else int(rest[1:])


class Family:
    def __init__(self, name, help_):
        self.name, self.help, self.type, self.samples = name, help_, None, {}


class _Reader:
    def __init__(self):
        self.families, self.now = {}, None

    def comment(self, line):
        m = re.fullmatch(r"# (HELP|TYPE) (\S+) (.+)", line)
        if not m or not NAME.fullmatch(m[2]):
            raise Bad("neither HELP nor TYPE")
        if m[1] == "HELP":
            if m[2] in self.families:
                raise Bad("a family comes twice")
            if re.search(r"\\(?![\\n])", m[3]):
                raise Bad("backslash in HELP")
            self.now = self.families[m[2]] = Family(m[2], m[3])
            return
        if not self.now or self.now.name != m[2] or self.now.type or self.now.samples:
            raise Bad("TYPE stands alone")
        if m[3] not in TYPES:
            raise Bad(f"type {m[3]}")
        if (m[3] == "counter") != m[2].endswith("_total"):
            raise Bad("only counters, and all of them, end in _total")
        self.now.type = m[3]

    def sample(self, line):
        name, labels, value = _sample(line)
        if not self.now or self.now.name != name or not self.now.type:
            raise Bad("a sample outside of its family")
        key = tuple(sorted(labels.items()))
        if key in self.now.samples:
            raise Bad("the same sample twice")
        names = {tuple(k for k, _ in one) for one in self.now.samples}
        if names and tuple(k for k, _ in key) not in names:
            raise Bad("labels differ within a family")
        self.now.samples[key] = value


def read(text):
    """{family: Family}; Bad where the text is not as it should be."""
    if not text.endswith("\n"):
        raise Bad("the last line does not end")
    r = _Reader()
    for n, line in enumerate(text.split("\n")[:-1], 1):
        try:
            if line.startswith("#"):
                r.comment(line)
            else:
                r.sample(line)
        except Bad as e:
            raise Bad(f"line {n}: {e}: {line}") from e
    for f in r.families.values():
        if not f.type:
            raise Bad(f"{f.name} has no type")
    return r.families


def samples(text):
    """{(family, (label, value) …): number}"""
    return {(f.name, *key): v for f in read(text).values() for key, v in f.samples.items()}
