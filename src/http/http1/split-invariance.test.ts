import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestStream, responseStream } from '../../../test/conformance/http1/http1-grammar.ts';
import {
  type Recording,
  type RecordingOptions,
  recordRequests,
  recordResponses,
} from '../../../test/conformance/http1/record-events.ts';

const RUNS = 400;
const METHODS = ['GET', 'HEAD', 'GET'];

/** Where a connection was refused, bytes used depend on the cut; everything that matters does not. */
function outcome(recording: Recording): unknown {
  const { events, forwarded, fault } = recording;
  return { events, forwarded, fault };
}

function expectSameAtEveryCut(
  record: (bytes: string, options: RecordingOptions) => Recording,
  bytes: string,
  options: RecordingOptions,
): void {
  const whole = outcome(record(bytes, options));
  for (let cut = 1; cut < bytes.length; cut += 1) {
    expect(outcome(record(bytes, { ...options, cuts: [cut] })), `cut at ${cut}`).toEqual(whole);
  }
  const everywhere = Array.from({ length: bytes.length }, (_, index) => index);
  expect(outcome(record(bytes, { ...options, cuts: everywhere })), 'byte by byte').toEqual(whole);
}

test('row 45: requests cut at every position, and byte by byte, give the same calls', () => {
  fc.assert(
    fc.property(requestStream, fc.boolean(), (bytes, finish) => {
      expectSameAtEveryCut(recordRequests, bytes, { finish, limits: { allowConnect: true } });
    }),
    { numRuns: RUNS },
  );
});

test('row 45: one response cut at every position, and byte by byte, gives the same calls', () => {
  fc.assert(
    fc.property(responseStream, fc.constantFrom(...METHODS), fc.boolean(), (bytes, method, finish) => {
      const options = { methods: [method], upgrade: 'websocket', finish };
      const end = recordResponses(bytes, options).bytesUsed;
      // Whether surplus bytes come with the message or later decides if its end already knows of them.
      expectSameAtEveryCut(recordResponses, bytes.slice(0, end), options);
    }),
    { numRuns: RUNS },
  );
});

test('row 45: limits fall at the same byte wherever the bytes are cut', () => {
  const limits = { maxHeadBytes: 80, maxTargetBytes: 20, maxFields: 3, maxTrailerBytes: 20, maxChunkExtensionBytes: 6 };
  fc.assert(
    fc.property(requestStream, (bytes) => {
      expectSameAtEveryCut(recordRequests, bytes, { limits });
    }),
    { numRuns: RUNS },
  );
});
