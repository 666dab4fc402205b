import {
  block,
  continuation,
  data,
  frame,
  GET,
  headers,
  headersOf,
  incremental,
  indexed,
  literal,
  type Pairs,
  POST,
  ping,
  priority,
  reset,
  settings,
  sizeUpdate,
  uint32,
  windowUpdate,
} from '../../../src/http/http2/frame-script.ts';
import { CLIENT_PREFACE } from '../../../src/http/http2/http2.ts';

/** An attack that is the same frames over and over. */
export interface Flood {
  readonly row: string;
  readonly frameOf: (index: number) => Buffer;
  /** The attack is over with any of these. */
  readonly reasons: readonly string[];
  readonly hello?: Buffer;
}

export const END_HEADERS = 4;
export const END_BOTH = 5;
export const streamAt = (index: number): number => 2 * index + 1;
const RESETS = ['too-many-resets', 'control-frame-flood'];
/** Of a stream that may be over by then, or not. */
const AFTER_END = [...RESETS, 'headers-on-closed-stream'];
export const get = (path: string): Pairs =>
  GET.map(([name, value]) => [name, name === ':path' ? path : value] as const);
export const post = (path: string): Pairs =>
  POST.map(([name, value]) => [name, name === ':path' ? path : value] as const);
const pairOf = (index: number, pairs: Pairs, trigger: (id: number) => Buffer, end = false): Buffer =>
  Buffer.concat([headers(streamAt(index), pairs, end), trigger(streamAt(index))]);
const LARGE_FIELD = 'b'.repeat(3_900);

export const FLOODS: readonly Flood[] = [
  { row: '01: Rapid Reset', frameOf: (i) => pairOf(i, GET, reset), reasons: RESETS },
  {
    row: '02: MadeYouReset by WINDOW_UPDATE 0',
    frameOf: (i) => pairOf(i, POST, (id) => windowUpdate(id, 0)),
    reasons: RESETS,
  },
  {
    row: '02: MadeYouReset by a window beyond 2^31-1',
    frameOf: (i) => pairOf(i, POST, (id) => windowUpdate(id, 2 ** 31 - 1)),
    reasons: RESETS,
  },
  {
    row: '02: MadeYouReset by PRIORITY of a bad length',
    frameOf: (i) => pairOf(i, POST, (id) => frame(2, 0, id, Buffer.alloc(4))),
    reasons: RESETS,
  },
  {
    row: '02: MadeYouReset by PRIORITY on itself',
    frameOf: (i) => pairOf(i, POST, (id) => priority(id, id)),
    reasons: RESETS,
  },
  {
    row: '02: MadeYouReset by HEADERS after the end',
    frameOf: (i) => pairOf(i, get('/never'), (id) => headers(id, GET, true), true),
    reasons: AFTER_END,
  },
  {
    row: '02: MadeYouReset by DATA after the end',
    frameOf: (i) => pairOf(i, get('/never'), (id) => data(id, 'x'), true),
    reasons: AFTER_END,
  },
  {
    row: '03: CONTINUATION flood',
    frameOf: (i) => (i === 0 ? headersOf(1, block(GET), 0) : continuation(1, block([['a', 'b']]))),
    reasons: ['continuation-flood', 'header-block-too-large'],
  },
  {
    row: '04: HTTP/2 bomb, one-byte references to a large entry',
    frameOf: (i) =>
      i === 0
        ? headersOf(1, Buffer.concat([block(GET), incremental('x-a', LARGE_FIELD)]), END_BOTH)
        : headersOf(streamAt(i), Buffer.concat([block(GET), Buffer.alloc(2_000, indexed(62))]), END_BOTH),
    reasons: RESETS,
  },
  {
    row: '05: Host over and over is counted, and refused',
    frameOf: (i) => headers(streamAt(i), [...GET, ['host', 'a.test'], ['host', 'a.test']], true),
    reasons: RESETS,
  },
  {
    row: '06: HPACK table beyond 4 KiB',
    frameOf: (i) => headersOf(streamAt(i), Buffer.concat([sizeUpdate(65_536), block(GET)]), END_BOTH),
    reasons: ['bad-hpack'],
  },
  { row: '07: ping flood', frameOf: () => ping(), reasons: ['control-frame-flood'] },
  { row: '07: settings flood', frameOf: () => settings([4, 65_535]), reasons: ['control-frame-flood'] },
  {
    row: '07: RST_STREAM flood',
    frameOf: (i) => (i === 0 ? headers(1, GET) : reset(1)),
    reasons: RESETS,
  },
  {
    row: '07: more than 32 settings',
    frameOf: () => settings(...Array.from({ length: 33 }, () => [4, 1] as const)),
    reasons: ['too-many-settings'],
  },
  {
    row: '08: empty frames',
    frameOf: (i) => (i === 0 ? headers(1, post('/never')) : data(1, '')),
    reasons: ['empty-frame-flood'],
  },
  {
    row: '08: fields without a name',
    frameOf: (i) => headersOf(streamAt(i), Buffer.concat([block(GET), literal('', '')]), END_BOTH),
    reasons: RESETS,
  },
  {
    row: '09: tiny DATA frames that nobody takes',
    frameOf: (i) => (i < 2 ? headers(streamAt(i), post('/mute/')) : data(streamAt(i % 2), 'x')),
    reasons: ['tiny-data-flood'],
  },
  { row: '11: PRIORITY flood', frameOf: (i) => priority(streamAt(i), 0), reasons: ['priority-flood'] },
  { row: '11: WINDOW_UPDATE flood', frameOf: () => windowUpdate(0, 1), reasons: ['window-update-flood'] },
  {
    row: '12: thousands of streams reset at once',
    frameOf: (i) => (i < 900 ? headers(streamAt(i), post('/never')) : frame(6, 0, 1, Buffer.alloc(8))),
    reasons: ['connection-frame-on-a-stream'],
  },
  {
    row: '13: the window of the connection overflows',
    frameOf: () => windowUpdate(0, 2 ** 31 - 1),
    reasons: ['connection-window-overflow'],
  },
  {
    row: '14: malformed HPACK',
    frameOf: () => headersOf(1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), END_BOTH),
    reasons: ['bad-hpack'],
  },
  { row: '21: server push', frameOf: () => frame(5, END_HEADERS, 1, uint32(2)), reasons: ['push-promise'] },
  {
    row: '21: a frame of 16 MB',
    frameOf: () => Buffer.concat([Buffer.of(0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1), Buffer.alloc(1_000)]),
    reasons: ['frame-too-large'],
  },
  {
    row: '21: another preface',
    hello: Buffer.alloc(0),
    frameOf: () => Buffer.concat([CLIENT_PREFACE.subarray(0, 20), Buffer.from('XX\r\n\r\n')]),
    reasons: ['bad-preface'],
  },
];
