/**
 * The HTTP/2 fuzz target: conversations that are hurt, and frames of any kind, against the codec's server and client. Whole
 * and cut anywhere they must mean the same; nothing may throw, stay behind, or keep a byte of window. Knows the codec; does
 * not know sockets or how many runs there are.
 */
import { type Random, seededRandom } from '../../../src/base/random.ts';
import { CLIENT_PREFACE, DEFAULT_HTTP2_LIMITS } from '../../../src/http/http2/http2.ts';
import { DrivenClient, type DrivenCodec, DrivenServer } from './driven-codec.ts';
import { hostileClient, hostileServer, restOfLastFrame, upTo } from './hostile-frames.ts';

export interface Http2RunResult {
  readonly crashes: number;
  /** Streams, deadlines or backlog that stay, and events where none may come. */
  readonly stateLeaks: number;
  /** The connection's receive window is not whole again although every stream is over. */
  readonly lostCredits: number;
  /** The same bytes, cut otherwise, meant something else. */
  readonly splitDifferences: number;
  readonly connectionsRefused: number;
  readonly messagesEnded: number;
  /** What went wrong first, with the bytes in base64; '' where nothing did. */
  readonly detail: string;
}

const CLEAN = {
  crashes: 0,
  stateLeaks: 0,
  lostCredits: 0,
  splitDifferences: 0,
  connectionsRefused: 0,
  messagesEnded: 0,
  detail: '',
} as const;

const MOST_STREAMS = 9;
const MOST_CUTS = 12;
/** More than a peer that reads everything can have waiting for one write. */
const MOST_OUTPUT_BYTES = 4 * DEFAULT_HTTP2_LIMITS.maxOutputBytes;

interface Case {
  readonly bytes: Buffer;
  readonly framesFrom: number;
  readonly make: () => DrivenCodec;
}

/** One run. The same seed gives the same bytes and the same result. */
export function runHttp2(seed: number): Http2RunResult {
  const random = seededRandom(seed);
  const one = makeCase(random);
  const where = (what: string): string => `${what} in ${one.bytes.toString('base64')}`;
  try {
    const whole = play(one, []);
    const cuts = Array.from({ length: 1 + upTo(random, MOST_CUTS - 1) }, () => upTo(random, one.bytes.length));
    const inPieces = play(one, cuts);
    const seen = {
      connectionsRefused: whole.hasFailed ? 1 : 0,
      messagesEnded: whole.codec.events.filter((event) => event.endsWith(' end')).length,
    };
    const left = [...whole.left, ...whole.codec.broken, ...inPieces.left, ...inPieces.codec.broken];
    if (left.length > 0) return { ...CLEAN, ...seen, stateLeaks: 1, detail: where(left.join(', ')) };
    const missing = [whole, inPieces].find(({ missingCreditBytes }) => missingCreditBytes !== 0)?.missingCreditBytes;
    if (missing !== undefined)
      return { ...CLEAN, ...seen, lostCredits: 1, detail: where(`${missing} bytes of window`) };
    const difference = differenceBetween(whole.codec, inPieces.codec);
    if (difference === '') return { ...CLEAN, ...seen };
    return { ...CLEAN, ...seen, splitDifferences: 1, detail: where(`cut at ${cuts.join(', ')}: ${difference}`) };
  } catch (error) {
    return { ...CLEAN, crashes: 1, detail: where(error instanceof Error ? `${error.stack}` : String(error)) };
  }
}

function makeCase(random: Random): Case {
  const streams = 1 + upTo(random, MOST_STREAMS - 1);
  const creditsAtOnce = upTo(random, 1) === 0;
  if (upTo(random, 1) === 0) {
    const bytes = hostileClient(random, streams);
    return { bytes, framesFrom: CLIENT_PREFACE.length, make: () => new DrivenServer(creditsAtOnce) };
  }
  const make = (): DrivenCodec => {
    const client = new DrivenClient(creditsAtOnce);
    client.open(streams);
    return client;
  };
  return { bytes: hostileServer(random, streams), framesFrom: 0, make };
}

interface Played {
  readonly codec: DrivenCodec;
  readonly left: readonly string[];
  readonly hasFailed: boolean;
  /** 0 where the connection has failed: its window is nobody's any more. */
  readonly missingCreditBytes: number;
}

function play({ bytes, framesFrom, make }: Case, cuts: readonly number[]): Played {
  const codec = make();
  let start = 0;
  for (const cut of [...[...cuts].sort((a, b) => a - b), bytes.length]) {
    codec.receive(bytes.subarray(start, cut));
    start = cut;
    if (codec.output.length > MOST_OUTPUT_BYTES) codec.broken.push('more output than its bound');
  }
  codec.flush();
  codec.receive(restOfLastFrame(bytes, framesFrom));
  codec.flush();
  const hasFailed = codec.connection.fault !== undefined;
  const left = codec.finish();
  return { codec, left, hasFailed, missingCreditBytes: hasFailed ? 0 : codec.missingCreditBytes };
}

function differenceBetween(whole: DrivenCodec, inPieces: DrivenCodec): string {
  for (const kind of ['events', 'sent'] as const) {
    const [one, other] = [whole[kind], inPieces[kind]];
    const at = one.findIndex((line, index) => line !== other[index]);
    if (at >= 0) return `${kind}: ${one[at]?.slice(0, 80)} became ${other[at]?.slice(0, 80)}`;
    if (other.length > one.length) return `${kind}: ${other[one.length]?.slice(0, 80)} came in addition`;
  }
  return '';
}
