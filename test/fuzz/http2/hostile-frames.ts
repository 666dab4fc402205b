import type { Random } from '../../../src/base/random.ts';
import {
  block,
  continuation,
  data,
  frame,
  GET,
  goAway,
  headers,
  headersOf,
  incremental,
  indexed,
  neverIndexed,
  OK,
  type Pairs,
  POST,
  ping,
  priority,
  reset,
  settings,
  settingsAck,
  sizeUpdate,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { CLIENT_PREFACE } from '../../../src/http/http2/http2.ts';

/** Conversations of HTTP/2 as a peer may hold them, hurt here and there, and frames of any kind between. */

const FRAME_HEADER_BYTES = 9;
const LONGEST_PAYLOAD_BYTES = 60;
const LARGEST_FRAME_TYPE = 12;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

export function upTo(random: Random, most: number): number {
  return random.uint32() % (most + 1);
}

function chance(random: Random, oneIn: number): boolean {
  return random.uint32() % oneIn === 0;
}

function choose<T>(random: Random, items: readonly T[]): T {
  return items[random.uint32() % items.length] as T;
}

function anyBytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: upTo(random, most) }, () => upTo(random, 255)));
}

/** A type, flags, a stream and a payload that have nothing to do with each other. */
function anyFrame(random: Random, streams: number): Buffer {
  const type = upTo(random, LARGEST_FRAME_TYPE);
  return frame(type, upTo(random, 255), upTo(random, 2 * streams), anyBytes(random, LONGEST_PAYLOAD_BYTES));
}

/** What either end may send at any time on a stream that was opened. */
function control(random: Random, id: number): Buffer {
  switch (upTo(random, 6)) {
    case 0:
      return windowUpdate(chance(random, 2) ? 0 : id, choose(random, [1, 1_000, 100_000]));
    case 1:
      return settings([4, choose(random, [0, 1, 20, 65_535, 1_000_000])]);
    case 2:
      return settings([1, choose(random, [0, 100, 4_096])], [5, 16_384], [0x99, 7]);
    case 3:
      return reset(id, upTo(random, 14));
    case 4:
      return priority(id, 0);
    default:
      return ping();
  }
}

/** What breaks a rule, in some state of some stream. */
function wrong(random: Random, id: number): Buffer {
  switch (upTo(random, 7)) {
    case 0:
      return windowUpdate(chance(random, 2) ? 0 : id, choose(random, [0, 2 ** 31 - 1]));
    case 1:
      return priority(id, id);
    case 2:
      return headers(id, [['x-trailer', 'a']], chance(random, 2));
    case 3:
      return data(id, 'late', chance(random, 2), choose(random, [0, 1, 200]));
    case 4:
      return data(id, '');
    case 5:
      return settingsAck();
    case 6:
      return goAway(choose(random, [0, 1, 3, 2 ** 31 - 1]), upTo(random, 13));
    default:
      return anyFrame(random, id + 2);
  }
}

const SOUND_EXTRAS = [
  Buffer.alloc(0),
  incremental('x-kept', 'k'.repeat(150)),
  neverIndexed('authorization', 'secret'),
  block([['cookie', 'a=b']]),
];
const ODD_EXTRAS = [
  indexed(62),
  indexed(70),
  indexed(4),
  ...['0', '300', '9300', 'x'].map((length) => block([['content-length', length]])),
  ...['te', 'connection', 'X', 'x y', ':path'].map((name) => block([[name, 'trailers']])),
];

function fieldsOf(random: Random, pairs: Pairs): Buffer {
  const extra = choose(random, chance(random, 5) ? ODD_EXTRAS : SOUND_EXTRAS);
  const update = chance(random, 20) ? sizeUpdate(choose(random, [0, 100, 4_096, 5_000])) : Buffer.alloc(0);
  return Buffer.concat([update, block(pairs), extra]);
}

/** One block, whole or in pieces. */
function head(random: Random, id: number, pairs: Pairs, isEnd: boolean): readonly Buffer[] {
  const fields = fieldsOf(random, pairs);
  const end = isEnd ? END_STREAM : 0;
  if (!chance(random, 4)) return [headersOf(id, fields, END_HEADERS | end)];
  const cut = upTo(random, fields.length);
  return [headersOf(id, fields.subarray(0, cut), end), continuation(id, fields.subarray(cut), true)];
}

/** A body in a few frames, the end with the last of them, behind it or in trailers; or no end. */
function body(random: Random, id: number): readonly Buffer[] {
  const frames = Array.from({ length: upTo(random, 3) }, () =>
    data(id, Buffer.alloc(choose(random, [1, 300, 9_000]), 'd'), false, choose(random, [0, 0, 1, 200])),
  );
  switch (upTo(random, 3)) {
    case 0:
      return [...frames, headers(id, [['x-trailer', 'a']], true)];
    case 1:
      return frames;
    default:
      return [...frames, data(id, choose(random, ['', 'last']), true)];
  }
}

function request(random: Random, id: number): readonly Buffer[] {
  const isGet = chance(random, 2);
  const first = head(random, id, isGet ? GET : POST, isGet);
  return isGet ? first : [...first, ...body(random, id)];
}

function response(random: Random, id: number): readonly Buffer[] {
  const interim = chance(random, 5) ? head(random, id, [[':status', '103']], false) : [];
  const isEmpty = chance(random, 3);
  const final = head(random, id, choose(random, STATUSES), isEmpty);
  return [...interim, ...final, ...(isEmpty ? [] : body(random, id))];
}

const STATUSES: readonly Pairs[] = [OK, OK, OK, [[':status', '204']], [[':status', '404']]];

/**
 * Messages one beside the other, each in its own order, with control frames and now and then a wrong one between. A header
 * block stays whole. Streams are begun in the order of their numbers, as a client must.
 */
function interleaved(random: Random, messages: readonly (readonly Buffer[])[]): readonly Buffer[] {
  const frames: Buffer[] = [];
  const begun: Buffer[][] = [];
  let next = 0;
  while (next < messages.length || begun.some((rest) => rest.length > 0)) {
    const open = begun.filter((rest) => rest.length > 0);
    let own = choose(random, open.length > 0 ? open : [[]]);
    if (next < messages.length && (open.length === 0 || chance(random, 3))) {
      own = [...(messages[next++] ?? [])];
      begun.push(own);
    }
    takeBlockOrFrame(own, frames);
    const id = 2 * upTo(random, next - 1) + 1;
    if (chance(random, 4)) frames.push(control(random, id));
    if (chance(random, 40)) frames.push(wrong(random, id));
  }
  return frames;
}

function takeBlockOrFrame(rest: Buffer[], frames: Buffer[]): void {
  do {
    const frame = rest.shift();
    if (frame !== undefined) frames.push(frame);
  } while (rest[0]?.[3] === CONTINUATION);
}

function messagesOf(random: Random, streams: number, make: typeof request): readonly (readonly Buffer[])[] {
  return Array.from({ length: streams }, (_, index) => make(random, 2 * index + 1));
}

function clientFrames(random: Random, streams: number): readonly Buffer[] {
  const hello = [CLIENT_PREFACE, settings([4, choose(random, [0, 100, 65_535])]), settingsAck()];
  return [...hello, ...interleaved(random, messagesOf(random, streams, request))];
}

function serverFrames(random: Random, streams: number): readonly Buffer[] {
  const hello = [settings([4, choose(random, [0, 100, 65_535])], [3, 100]), settingsAck()];
  return [...hello, ...interleaved(random, messagesOf(random, streams, response))];
}

/** One time in two: frames swapped, doubled or lost, or a byte changed, put in or taken out. */
function hurt(random: Random, frames: readonly Buffer[]): Buffer {
  if (chance(random, 2)) return Buffer.concat(frames);
  const at = upTo(random, frames.length - 1);
  const [before, own, after] = [frames.slice(0, at), frames[at] as Buffer, frames.slice(at + 1)];
  switch (upTo(random, 3)) {
    case 0:
      return Buffer.concat([...before, ...after]);
    case 1:
      return Buffer.concat([...before, own, own, ...after]);
    case 2:
      return Buffer.concat([...before, ...after.slice(0, 1), own, ...after.slice(1)]);
    default:
      return withOneByteHurt(random, Buffer.concat(frames));
  }
}

function withOneByteHurt(random: Random, bytes: Buffer): Buffer {
  const at = upTo(random, bytes.length - 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + 1)];
  const byte = Buffer.of(upTo(random, 255));
  switch (upTo(random, 3)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.concat([before, byte, bytes.subarray(at)]);
    case 2:
      return before;
    default:
      return Buffer.concat([before, byte, after]);
  }
}

/** What a client sends to a server. */
export function hostileClient(random: Random, streams: number): Buffer {
  return hurt(random, clientFrames(random, streams));
}

/** What a server sends to a client that has opened so many streams. */
export function hostileServer(random: Random, streams: number): Buffer {
  return hurt(random, serverFrames(random, streams));
}

/** Zeros that finish the frame in which the bytes end; frames begin at `start`. */
export function restOfLastFrame(bytes: Buffer, start: number): Buffer {
  let at = start;
  while (at + FRAME_HEADER_BYTES <= bytes.length) at += FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
  if (at < bytes.length) at += FRAME_HEADER_BYTES;
  return Buffer.alloc(Math.max(0, at - bytes.length));
}
