"""Message: an answer in the words of the wire, whole or as the events of a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.claude.rehearsal import tokens
from core.claude.rehearsal.answers import Drafted
from core.claude.rehearsal.prompt_cache import InputUsage

DELTA_TOKENS = 8  # About what the API sends at once.
_REFUSAL = {"type": "refusal", "category": "general_harms", "explanation": "The rehearsal's dials asked for a refusal."}
_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One answer; `name` is the model as the request named it."""

    seed: int
    name: str
    drafted: Drafted
    usage: InputUsage

    def whole(self) -> bytes:
        """The body of a plain answer."""
        return orjson.dumps(self._envelope(self._content(), self.drafted.output_tokens, ended=True))

    def events(self) -> Iterator[tuple[int, bytes]]:
        """The events of a stream, in order, each with the tokens that are written when it is sent."""
        yield 0, _event("message_start", {"type": "message_start", "message": self._envelope([], 1, ended=False)})
        written, first = 0, True
        for index, block in enumerate(self._content()):
            empty = {"type": block["type"], block["type"]: ""} | ({"signature": ""} if block["type"] == "thinking" else {})
            start = _event("content_block_start", {"type": "content_block_start", "index": index, "content_block": empty})
            yield written, start + _PING if first else start
            first = False
            for ahead, event in self._deltas(index, block):
                yield written + ahead, event
            written += self.drafted.thinking_tokens if block["type"] == "thinking" else tokens.count(block["text"])
            yield written, _event("content_block_stop", {"type": "content_block_stop", "index": index})
        yield written, _event("message_delta", self._delta())
        yield written, _STOP

    def _deltas(self, index: int, block: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
        kind = block["type"]
        head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":' % (
            index, b"%s_delta" % kind.encode(), kind.encode()
        )  # fmt: skip
        ahead = 0
        for piece in tokens.pieces(block[kind], DELTA_TOKENS):
            ahead += tokens.count(piece)
            yield ahead, head + orjson.dumps(piece) + b"}}\n\n"
        if kind == "thinking":
            delta = {"type": "signature_delta", "signature": block["signature"]}
            event = _event("content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta})
            yield self.drafted.thinking_tokens, event

    def _content(self) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        if self.drafted.thinks:
            signature = hashlib.blake2b(b"%d" % self.seed, digest_size=24).hexdigest()
            content.append({"type": "thinking", "thinking": self.drafted.thinking, "signature": signature})
        if self.drafted.text:
            content.append({"type": "text", "text": self.drafted.text, "citations": None})
        return content

    def _envelope(self, content: list[dict[str, Any]], output_tokens: int, *, ended: bool) -> dict[str, Any]:
        return {
            "id": f"msg_rehearsal_{self.seed:016x}",
            "type": "message",
            "role": "assistant",
            "model": self.name,
            "content": content,
            "container": None,
            "diagnostics": None,
            "stop_reason": self.drafted.stop_reason if ended else None,
            "stop_sequence": self.drafted.stop_sequence if ended else None,
            "stop_details": self._stop_details() if ended else None,
            "usage": self._usage(output_tokens, ended=ended),
        }

    def _usage(self, output_tokens: int, *, ended: bool) -> dict[str, Any]:
        return {
            **self._cumulative(output_tokens, ended=ended),
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.usage.written_5m,
                "ephemeral_1h_input_tokens": self.usage.written_1h,
            },
            "service_tier": "standard",
            "inference_geo": "global",
            "speed": "standard",
        }

    def _cumulative(self, output_tokens: int, *, ended: bool) -> dict[str, Any]:
        return {
            "input_tokens": self.usage.input_tokens,
            "cache_creation_input_tokens": self.usage.written_5m + self.usage.written_1h,
            "cache_read_input_tokens": self.usage.read,
            "output_tokens": output_tokens,
            "output_tokens_details": {"thinking_tokens": self.drafted.thinking_tokens if ended else 0},
            "server_tool_use": None,
        }

    def _delta(self) -> dict[str, Any]:
        drafted = self.drafted
        ended = {
            "stop_reason": drafted.stop_reason,
            "stop_sequence": drafted.stop_sequence,
            "stop_details": self._stop_details(),
        }
        return {
            "type": "message_delta",
            "delta": {"container": None, **ended},
            "usage": self._cumulative(drafted.output_tokens, ended=True),
        }

    def _stop_details(self) -> dict[str, Any] | None:
        return _REFUSAL if self.drafted.stop_reason == "refusal" else None


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
