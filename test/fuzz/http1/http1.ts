/**
 * The HTTP/1.1 fuzz target: hostile bytes through decoder and encoder, and what comes out read again by our strict decoder
 * and by llhttp at its strictest and at its most lenient. All of them must see the messages that we meant. Knows the codec
 * and its oracle; does not know sockets or how many runs there are.
 */
import { seededRandom } from '../../../src/base/random.ts';
import { DEFAULT_HTTP1_LIMITS, Http1ResponseDecoder, NonCanonicalOutputError } from '../../../src/http/http1/http1.ts';
import { LLHTTP_METHODS, parseWithLlhttp } from '../../conformance/http1/llhttp.ts';
import { completedMessages, type OurMessage } from '../../conformance/http1/our-messages.ts';
import { recordRequests } from '../../conformance/http1/record-events.ts';
import { hostileRequest, hostileResponse, hurt } from './hostile-messages.ts';

export interface RunResult {
  /** Requests whose forwarded form some parser reads differently. */
  readonly nonCanonicalForwards: number;
  readonly crashes: number;
  /** Answers that would reach another request than their own. */
  readonly responseMixUps: number;
  readonly requestsForwarded: number;
  readonly requestsRefused: number;
  /** What went wrong first, with the bytes; '' where nothing did. */
  readonly detail: string;
}

const CLEAN = { nonCanonicalForwards: 0, crashes: 0, responseMixUps: 0, detail: '' } as const;

/** One run. The same seed gives the same bytes and the same result. */
export function runHttp1(seed: number): RunResult {
  const random = seededRandom(seed);
  const nonces = Array.from({ length: 1 + (random.uint32() % 3) }, (_, index) => `n${seed}-${index}`);
  const bytes = hurt(random, nonces.map((nonce) => hostileRequest(random, nonce)).join(''));
  const cuts = [random.uint32() % (bytes.length + 1), random.uint32() % (bytes.length + 1)];
  let forwarded = 0;
  let refused = 0;
  try {
    const recording = recordRequests(bytes, { cuts });
    const ours = completedMessages(recording.events);
    forwarded = ours.length;
    refused = recording.fault === '' ? 0 : 1;
    const difference = differenceInForwarded(recording.forwarded, ours);
    const counts = { requestsForwarded: forwarded, requestsRefused: refused };
    if (difference !== '') {
      return { ...CLEAN, ...counts, nonCanonicalForwards: 1, detail: `${difference} in ${JSON.stringify(bytes)}` };
    }
    const mixUp = responseMixUp(random.uint32());
    return mixUp === '' ? { ...CLEAN, ...counts } : { ...CLEAN, ...counts, responseMixUps: 1, detail: mixUp };
  } catch (error) {
    const detail = `${error instanceof Error ? error.stack : String(error)} in ${JSON.stringify(bytes)}`;
    const isOutput = error instanceof NonCanonicalOutputError;
    const found = isOutput ? { nonCanonicalForwards: 1 } : { crashes: 1 };
    return { ...CLEAN, ...found, requestsForwarded: forwarded, requestsRefused: refused, detail };
  }
}

/** The first way in which a parser reads what we forwarded otherwise than we meant it; '' where none does. */
function differenceInForwarded(forwarded: string, ours: readonly OurMessage[]): string {
  const again = recordRequests(forwarded);
  const strict = completedMessages(again.events);
  if (again.fault !== '') return `our own decoder refuses what we forward: ${again.fault}`;
  if (strict.length !== ours.length) return `our own decoder reads ${strict.length} messages for ${ours.length}`;
  for (const [index, message] of ours.entries()) {
    const read = strict[index];
    if (read?.path !== message.path || read.body !== message.body)
      return `our own decoder reads message ${index} otherwise`;
  }
  if (ours.some(({ method }) => !LLHTTP_METHODS.has(method))) return '';
  for (const isLenient of [false, true]) {
    const difference = differenceToLlhttp(forwarded, ours, isLenient);
    if (difference !== '') return difference;
  }
  return '';
}

function differenceToLlhttp(forwarded: string, ours: readonly OurMessage[], isLenient: boolean): string {
  const name = isLenient ? 'lenient llhttp' : 'strict llhttp';
  const theirs = parseWithLlhttp('request', forwarded, { isLenient }).messages;
  for (const [index, message] of ours.entries()) {
    const read = theirs[index];
    if (read?.isComplete !== true) return `${name} does not complete message ${index}`;
    if (read.url !== message.path || read.body !== message.body) return `${name} reads message ${index} otherwise`;
    if (read.method !== message.method) return `${name} reads the method of message ${index} otherwise`;
    // What follows an upgrade is the tunnel's as soon as the upstream agrees; the connection manager holds it back.
    if (read.isUpgrade) return '';
  }
  const completed = theirs.filter(({ isComplete }) => isComplete).length;
  return completed > ours.length ? `${name} completes ${completed} messages for ${ours.length}` : '';
}

/**
 * Two requests on one upstream connection, the first answered by hostile bytes. Whatever those are, the second request is
 * answered by its own response or by none.
 */
function responseMixUp(seed: number): string {
  const random = seededRandom(seed);
  const hostile = hurt(random, hostileResponse(random, 'first'));
  const second = 'HTTP/1.1 200 OK\r\nX-Nonce: second\r\nContent-Length: 0\r\n\r\n';
  const answers: string[] = [];
  let answersToFirst = -1;
  const ignore = (): void => undefined;
  const decoder = new Http1ResponseDecoder(
    {
      onInformational: ignore,
      onResponseHead: (head) => answers.push(head.fields.get('x-nonce') ?? ''),
      onResponseBody: ignore,
      onResponseTrailers: ignore,
      onResponseEnd() {
        // As a pool may: lend the connection again from within the call that frees it.
        if (answersToFirst < 0 && decoder.isIdle) {
          answersToFirst = answers.length;
          decoder.expect('GET');
        }
      },
    },
    DEFAULT_HTTP1_LIMITS,
  );
  decoder.expect(random.uint32() % 4 === 0 ? 'HEAD' : 'GET');
  const first = Buffer.from(hostile, 'latin1');
  decoder.decode(first, 0, first.length);
  if (answersToFirst < 0) return '';
  const next = Buffer.from(second, 'latin1');
  decoder.decode(next, 0, next.length);
  const sound = answersToFirst === 1 && answers[1] === 'second' && answers.length === 2;
  return sound ? '' : `answers ${JSON.stringify(answers)} after ${JSON.stringify(hostile)}`;
}
