import { describe, expect, test } from 'vitest';
import { readHttp2Limits } from './http2-limits.ts';
import { decodedOk, listener, refused } from './testing/valid-resources.ts';
import { LISTENER_TYPE } from './type-url.ts';

const withLimits = (limits: Record<string, unknown>) =>
  listener({ metadata: { filterMetadata: { 'weft.http2_limits': limits } } });

test("a listener's metadata sets what Http2ProtocolOptions has no word for", () => {
  const { metadata } = decodedOk(LISTENER_TYPE, withLimits({ max_continuation_frames: 2, reset_burst: 50 }));
  expect(readHttp2Limits(metadata)).toEqual({ values: { maxContinuationFrames: 2, glitchBurst: 50 }, problems: [] });
});

test('other metadata is none of it', () => {
  expect(readHttp2Limits({ consul: { reset_burst: 'x' } })).toEqual({ values: {}, problems: [] });
});

describe('limits are refused by name', () => {
  const at = 'metadata.filter_metadata[weft.http2_limits]';
  refused(LISTENER_TYPE, [
    ['a key nobody knows', withLimits({ max_continuations: 2 }), `${at}.max_continuations`],
    ['a value out of range', withLimits({ reset_burst: 0 }), `${at}.reset_burst`],
    ['a value that is no number', withLimits({ stream_stall_timeout_ms: '30s' }), `${at}.stream_stall_timeout_ms`],
  ]);
});
