import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestStream, responseStream } from './http1-grammar.ts';
import { LLHTTP_METHODS, type LlhttpMessage, parseWithLlhttp } from './llhttp.ts';
import { completedMessages, type OurMessage } from './our-messages.ts';
import { recordRequests, recordResponses } from './record-events.ts';

const RUNS = 4000;

/** What both parsers must agree on of a message we completed: anything else would be two readings of the same bytes. */
function expectSameReading(ours: OurMessage, theirs: LlhttpMessage | undefined): void {
  expect(theirs?.isComplete, 'a message we completed that llhttp did not').toBe(true);
  if (theirs === undefined) return;
  expect(theirs.body).toBe(ours.body);
  expect(theirs.fields.slice(0, ours.fields.length)).toEqual(ours.fields);
  if (ours.method !== '') expect([theirs.method, theirs.version]).toEqual([ours.method, ours.version]);
  if (ours.path !== '' && theirs.url.startsWith('/')) expect(theirs.url).toBe(ours.path);
  expect(theirs.status).toBe(ours.status);
}

test('whatever we accept of a request stream, llhttp reads the same way', () => {
  let compared = 0;
  fc.assert(
    fc.property(requestStream, (bytes) => {
      const ours = completedMessages(recordRequests(bytes).events);
      const theirs = parseWithLlhttp('request', bytes).messages;
      for (const [index, message] of ours.entries()) {
        if (!LLHTTP_METHODS.has(message.method)) return;
        expectSameReading(message, theirs[index]);
        compared += 1;
        // llhttp leaves the rest of the bytes to whoever upgrades; we leave that decision to the answer.
        if (theirs[index]?.isUpgrade === true) return;
      }
    }),
    { numRuns: RUNS },
  );
  expect(compared).toBeGreaterThan(RUNS / 4);
});

test('whatever we forward of a request stream, llhttp reads as the messages we mean', () => {
  fc.assert(
    fc.property(requestStream, (bytes) => {
      const recording = recordRequests(bytes);
      const ours = completedMessages(recording.events).filter(({ authority }) => authority !== '');
      const theirs = parseWithLlhttp('request', recording.forwarded).messages;
      for (const [index, message] of ours.entries()) {
        if (!LLHTTP_METHODS.has(message.method)) return;
        expect([theirs[index]?.method, theirs[index]?.body]).toEqual([message.method, message.body]);
        expect(theirs[index]?.url).toBe(message.path);
        if (theirs[index]?.isUpgrade === true) return;
      }
    }),
    { numRuns: RUNS },
  );
});

test('whatever we accept of a response, llhttp reads the same way', () => {
  let compared = 0;
  fc.assert(
    fc.property(responseStream, fc.boolean(), (bytes, headOnly) => {
      const options = { methods: [headOnly ? 'HEAD' : 'GET'], finish: true };
      const ours = completedMessages(recordResponses(bytes, options).events);
      const theirs = parseWithLlhttp('response', bytes, { headOnly }).messages.filter(({ status }) => status >= 200);
      for (const [index, message] of ours.entries()) {
        expectSameReading(message, theirs[index]);
        compared += 1;
      }
    }),
    { numRuns: RUNS },
  );
  expect(compared).toBeGreaterThan(RUNS / 8);
});
