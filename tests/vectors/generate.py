#!/usr/bin/env python3
"""Writes the golden vectors of record format 1: digests.json and records.json, beside this script.

Computed from the description of the format (src/record/format.md) with nothing but Python's standard
library, so that a mistake in the Rust code cannot hide in its own tests. Run it with no arguments
(`make vectors`), and read what has changed before you commit it: once the format is released, nothing may.
"""

import base64
import hashlib
import hmac
import json
import pathlib

DOMAIN = "kubectl-reload.dev/1/"
MAX_LENGTH = 4096
MAX_MARKS = 341
MODES = ["env", "subPath", "directory", "api"]


# --- the encoding -------------------------------------------------------------------------------


def length(number):
    return number.to_bytes(8, "big")


def part(data):
    return length(len(data)) + data


def select(content, mode, keys):
    """The selected keys in byte order, as (key, value or None)."""
    visible = dict(content["data"])
    if mode != "env":
        visible = {**content["binaryData"], **visible}
    if "some" in keys:
        chosen = {key: visible.get(key) for key in keys["some"]}
    else:
        chosen = {key: value for key, value in visible.items() if key not in keys["allExcept"]}
    return sorted(chosen.items(), key=lambda item: item[0].encode())


def digest_encoding(selected):
    encoding = part((DOMAIN + "digest").encode()) + length(len(selected))
    for key, value in selected:
        encoding += part(key.encode())
        encoding += b"\x00" if value is None else b"\x01" + part(value)
    return encoding


def mark_encoding(key, value):
    return part((DOMAIN + "mark").encode()) + part(key.encode()) + part(value)


def key_id(hash_key):
    return hmac.digest(hash_key, (DOMAIN + "hash-key-id").encode(), "sha256")[:4].hex()


def source_key(hash_key, kind, namespace, name):
    parts = [DOMAIN + "source-key", kind.lower(), namespace, name]
    return hmac.digest(hash_key, b"".join(part(text.encode()) for text in parts), "sha256")


def hasher(kind, namespace, name, hash_key):
    if kind == "ConfigMap":
        return lambda data: hashlib.sha256(data).digest()
    key = source_key(hash_key, kind, namespace, name)
    return lambda data: hmac.digest(key, data, "sha256")


def use(hash_, content, mode, keys):
    selected = select(content, mode, keys)
    digest = hash_(digest_encoding(selected))[:16].hex()
    marks = {
        key: None if value is None else hash_(mark_encoding(key, value))[:4].hex() for key, value in selected
    }
    return digest, marks


# --- the annotation -----------------------------------------------------------------------------


def use_json(digest, marks, keys, marked):
    out = {"digest": digest}
    if "some" in keys:
        out["keys"] = marks if marked else sorted(keys["some"], key=str.encode)
    else:
        out["all"] = marks if marked else True
        if keys["allExcept"]:
            out["except"] = sorted(keys["allExcept"], key=str.encode)
    return out


def source_json(record, source, kept):
    out = {"kind": source["kind"], "name": source["name"]}
    if source.get("absent"):
        out["absent"] = True
    elif "unread" in source:
        out["unread"] = source["unread"]
    else:
        out["uid"] = source["uid"]
        out["rv"] = source["resourceVersion"]
        if source["immutable"]:
            out["immutable"] = True
        for mode in MODES:
            if mode in source["uses"] and kept != NOTHING:
                hash_ = hasher(source["kind"], record["namespace"], source["name"], record["hashKey"])
                keys = source["uses"][mode]
                digest, marks = use(hash_, source["content"], mode, keys)
                out[mode] = use_json(digest, marks, keys, kept == MARKS and len(marks) <= MAX_MARKS)
    return out


def count_marks(source):
    return sum(count_marks_of_use(source, *use) for use in source.get("uses", {}).items())


def count_marks_of_use(source, mode, keys):
    """Of too many for marks, only the names that are written count."""
    count = len(select(source["content"], mode, keys))
    return len(keys["allExcept"]) if "allExcept" in keys and count > MAX_MARKS else count


MARKS, DIGESTS, NOTHING = "marks", "digests", "nothing"


def annotation(record):
    """The text, without the marks and digests for which there is no space."""
    sources = sorted(record["sources"], key=lambda source: (source["kind"], source["name"].encode()))
    kept = [MARKS] * len(sources)
    # The source with the most marks goes first; of two with equally many, the later one.
    order = sorted(range(len(sources)), key=lambda i: (count_marks(sources[i]), i), reverse=True)
    steps = [(i, DIGESTS) for i in order] + [(i, NOTHING) for i in order]
    while True:
        out = {"v": 1, "at": record["at"], "by": record["by"], "namespace": record["namespace"]}
        out.update(record["owner"])
        if any(source["kind"] == "Secret" and source.get("uses") for source in sources):
            out["key"] = key_id(record["hashKey"])
        out["sources"] = [source_json(record, *pair) for pair in zip(sources, kept)]
        text = json.dumps(out, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) <= MAX_LENGTH:
            return text
        i, less = steps.pop(0)
        kept[i] = less


# --- the inputs ---------------------------------------------------------------------------------


def content(data=None, binary=None):
    return {"data": data or {}, "binaryData": binary or {}}


def every(*excepted):
    return {"allExcept": list(excepted)}


def some(*keys):
    return {"some": list(keys)}


KEY_1 = bytes(range(32))
KEY_2 = hashlib.sha256(b"another key").digest()
LETTERS = content({"b": b"2", "a": b"1", "_c": b"3", "A": b"4", "-": b"5", ".d": b"6"})
MIXED = content({"text": b"x"}, {"binary": bytes(range(256)), "empty": b""})
LOGIN = content({"password": b"hunter2", "user": b"admin"})
LONG_VALUE = bytes(i * 7 % 256 for i in range(5000))
LONG = content({"after": b"z", "long": LONG_VALUE})
LONG_BINARY = content({"after": b"z"}, {"long": LONG_VALUE})


def digest_cases():
    def config_map(name, content_, mode, keys):
        return (name, "ConfigMap", "shop", "web", None, content_, mode, keys)

    def secret(name, namespace="shop", source="db", hash_key=KEY_1, content_=LOGIN, mode="env", keys=every()):
        return (name, "Secret", namespace, source, hash_key, content_, mode, keys)

    yield config_map("nothing at all", content(), "env", every())
    yield config_map("no key selected", LETTERS, "env", some())
    yield config_map("keys in byte order", LETTERS, "env", every())
    yield config_map("all but one", LETTERS, "env", every("a"))
    yield config_map("all but one that is not there", LETTERS, "env", every("z"))
    yield config_map("one key", LETTERS, "env", some("a"))
    yield config_map("two keys and an absent one", LETTERS, "subPath", some("b", "zz", "A"))
    yield config_map("an absent key alone", LETTERS, "env", some("zz"))
    yield config_map("an empty value", content({"zz": b""}), "env", some("zz"))
    yield config_map("joined: one key", content({"a": b"1;b=2"}), "env", every())
    yield config_map("joined: two keys", content({"a": b"1", "b": b"2"}), "env", every())
    yield config_map("shifted: ab, c", content({"ab": b"c"}), "env", every())
    yield config_map("shifted: a, bc", content({"a": b"bc"}), "env", every())
    yield config_map("text beyond ASCII", content({"greeting": "grüße, 世界\n".encode()}), "directory", every())
    yield config_map("env sees no binaryData", MIXED, "env", every())
    yield config_map("env sees no binaryData, by name", MIXED, "env", some("binary", "text"))
    yield config_map("a directory sees binaryData", MIXED, "directory", every())
    yield config_map("so does a subPath", MIXED, "subPath", some("binary"))
    yield config_map("so does a process by itself", MIXED, "api", every("text"))
    yield config_map("a long value", LONG_BINARY, "directory", every())
    yield secret("a Secret")
    yield secret("a Secret of another name", source="db2")
    yield secret("a Secret of another namespace", namespace="test")
    yield secret("a Secret whose namespace and name join alike", namespace="shopd", source="b")
    yield secret("a Secret under another key", hash_key=KEY_2)
    yield secret("one key of a Secret", keys=some("password"))
    yield secret("an absent key of a Secret", keys=some("token"))
    yield secret("a long value in a Secret", content_=LONG, mode="directory")


UID = "0b3f3c1e-6f0a-4b1e-9a55-0f9b7a2f6f1%d"


def read(kind, name, content_, uses, number=0, immutable=False):
    return {
        "kind": kind,
        "name": name,
        "uid": UID % number,
        "resourceVersion": str(123456 + number),
        "immutable": immutable,
        "content": content_,
        "uses": uses,
    }


def record_cases():
    def record(sources, by="admission", owner=None, namespace="shop"):
        owner = owner or {"owner": "4e0a6c52-8a0e-4d65-9c4d-6a0d1f1d2c3b"}
        at = "2026-09-21T13:33:20Z"
        return {"at": at, "by": by, "namespace": namespace, "owner": owner, "hashKey": KEY_1, "sources": sources}

    many = content({f"KEY_{i:03}": b"value" for i in range(200)})
    settings = content({"LOG_LEVEL": b"debug", "TIMEOUT": b"5s"})

    yield "no source", record([])
    yield "a ConfigMap and a Secret", record(
        [
            read("ConfigMap", "web-config", settings, {"env": every()}),
            read("Secret", "db-credentials", LOGIN, {"env": some("password")}, 1),
        ]
    )
    yield "sources are sorted, ConfigMaps before Secrets", record(
        [
            read("Secret", "a", LOGIN, {"env": every()}, 2),
            read("ConfigMap", "b", settings, {"env": every()}, 3),
            read("ConfigMap", "a-b", settings, {"env": every()}, 4),
            read("ConfigMap", "a.b", settings, {"env": every()}, 5),
        ]
    )
    yield "every mode of one source", record(
        [
            read(
                "ConfigMap",
                "web",
                MIXED,
                {"env": every("text"), "subPath": some("binary", "gone"), "directory": every(), "api": every()},
            )
        ]
    )
    yield "absent, unread, immutable, no key in use", record(
        [
            {"kind": "ConfigMap", "name": "gone", "absent": True},
            {"kind": "Secret", "name": "slow", "unread": "timeout"},
            {"kind": "Secret", "name": "hidden", "unread": "forbidden"},
            {"kind": "ConfigMap", "name": "failed", "unread": "error"},
            {"kind": "ConfigMap", "name": "late", "unread": "overload"},
            read("ConfigMap", "fixed", settings, {"env": some()}, 6, immutable=True),
        ]
    )
    yield "a Secret that was read without a hash key", record([read("Secret", "db", LOGIN, {}, 7)])
    yield "a pod without a controller", record([], owner={"pod": "web-0"})
    yield "a pod without a controller or a name", record([], owner={"pods": "web-"})
    yield "adopted", record([read("ConfigMap", "web", settings, {"directory": every()})], by="adopt")
    yield "the source with the most marks loses them", record(
        [
            read("ConfigMap", "large", many, {"env": every("KEY_007", "KEY_003")}, 1),
            read("ConfigMap", "small", settings, {"env": every()}, 2),
        ]
    )
    yield "of two with equally many marks the later one loses them", record(
        [
            read("ConfigMap", "first", content(dict(list(many["data"].items())[:120])), {"env": every()}, 1),
            read("Secret", "second", content(dict(list(many["data"].items())[:120])), {"env": every()}, 2),
        ]
    )
    names = list(many["data"])[:150]
    yield "named keys stay when their marks go", record(
        [
            read("ConfigMap", "chosen", many, {"env": some(*names), "directory": some("KEY_001")}, 1),
            read("ConfigMap", "small", settings, {"env": every()}, 2),
        ]
    )
    yield "digests go when there are no marks left to lose", record(
        [
            read("ConfigMap", f"source-{i:02}", settings, {"directory": some("TIMEOUT") if i % 2 else every()})
            for i in range(28)
        ]
    )


# --- the files ----------------------------------------------------------------------------------


def text(data):
    return base64.b64encode(data).decode()


def content_json(content_):
    return {field: {key: text(value) for key, value in entries.items()} for field, entries in content_.items()}


def main():
    folder = pathlib.Path(__file__).parent
    digests = []
    for name, kind, namespace, source, hash_key, content_, mode, keys in digest_cases():
        digest, marks = use(hasher(kind, namespace, source, hash_key), content_, mode, keys)
        digests.append(
            {
                "case": name,
                "kind": kind,
                "namespace": namespace,
                "name": source,
                "hashKey": hash_key and text(hash_key),
                "keyId": hash_key and key_id(hash_key),
                **content_json(content_),
                "mode": mode,
                "keys": keys,
                "digest": digest,
                "marks": marks,
            }
        )
    records = []
    for name, record in record_cases():
        expected = annotation(record)
        sources = [
            {**source, "content": content_json(source["content"])} if "content" in source else source
            for source in record["sources"]
        ]
        out = {"case": name, **record, "hashKey": text(record["hashKey"]), "sources": sources}
        records.append({**out, "annotation": expected})
    for file, cases in [("digests.json", digests), ("records.json", records)]:
        rendered = json.dumps(cases, indent=1, ensure_ascii=False)
        (folder / file).write_text(rendered + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
