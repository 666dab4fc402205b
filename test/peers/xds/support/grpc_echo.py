"""A gRPC client of the C core. Each line on standard input is a question {"path", "headers", "count"}; each line on
standard output answers one: how often each instance answered, and the status codes of calls that failed."""

import collections
import json
import sys

import grpc

CALL_WITHIN_S = 10


def main(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        for line in sys.stdin:
            question = json.loads(line)
            call = channel.unary_unary(question["path"])
            metadata = list(question["headers"].items())
            heard, failed = collections.Counter(), collections.Counter()
            for _ in range(question["count"]):
                try:
                    heard[call(b"x", timeout=CALL_WITHIN_S, metadata=metadata).decode()] += 1
                except grpc.RpcError as error:
                    failed[f"{error.code().name}: {error.details()}"] += 1
            print(json.dumps({"heard": heard, "failed": failed}), flush=True)


main(sys.argv[1])
