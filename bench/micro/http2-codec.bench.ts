/**
 * Cost of the parts of an HTTP/2 message: its head through HPACK, each way, and its frames cut out of the bytes of a read.
 * `node bench/micro/http2-codec.bench.ts [--json]`.
 */
import { FrameReader } from '../../src/http/http2/frame-reader.ts';
import { HpackDecoder } from '../../src/http/http2/hpack/hpack-decoder.ts';
import { HpackEncoder } from '../../src/http/http2/hpack/hpack-encoder.ts';
import { Http2Output } from '../../src/http/http2/http2.ts';
import { measure, report } from './measure.ts';

const OPERATIONS = 30_000;
const DATA_BYTES = 16_384;
const FRAMES = 4;
const TABLE_BYTES = 4_096;
const ignore = (): void => undefined;

/** Each head differs in its path and trace, as real ones do; the rest comes again. */
function fieldsOf(index: number): readonly (readonly [string, string])[] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', `/orders.Orders/Get${index & 63}`],
    [':authority', 'orders.example:8080'],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ['user-agent', 'grpc-node-js/1.14.7'],
    ['grpc-accept-encoding', 'identity,deflate,gzip'],
    ['traceparent', `00-0af7651916cd43dd8448eb21${String(index).padStart(8, '0')}-b7ad6b7169203331-00`],
  ];
}

const output = new Http2Output(ignore);
const encoder = new HpackEncoder(TABLE_BYTES);
let head = 0;

function encodeHead(): void {
  encoder.begin(output);
  for (const [name, value] of fieldsOf(head++)) encoder.field(output, name, value, false);
}

/** Blocks of one connection, in the order in which its decoder must see them; begun anew with a decoder of its own. */
function blocksOf(count: number): readonly Buffer[] {
  return Array.from({ length: count }, () => {
    encodeHead();
    const block = Buffer.from(output.bytes.subarray(0, output.length));
    output.clear();
    return block;
  });
}

const blocks = blocksOf(OPERATIONS);
const receiver = { onField: ignore };

function decodeAll(): void {
  const decoder = new HpackDecoder();
  for (const block of blocks) {
    if (!decoder.decode(block, 0, block.length, receiver)) throw new Error('a block of our own does not decode');
  }
}

function encodeAll(): void {
  for (let index = 0; index < OPERATIONS; index++) {
    encodeHead();
    output.clear();
  }
}

const reader = new FrameReader({
  onFrame: ignore,
  onDataFrame: ignore,
  onDataBytes: ignore,
  onDataFrameEnd: ignore,
  onFrameFault(fault): void {
    throw new Error(`a frame of our own is refused: ${fault.reason}`);
  },
});
const frames = new Http2Output(ignore);
for (let frame = 0; frame < FRAMES; frame++) {
  frames.frameHeader(DATA_BYTES, 0, 0, 1);
  frames.raw(Buffer.alloc(DATA_BYTES));
}
const read = Buffer.from(frames.bytes.subarray(0, frames.length));

report('http2-codec', [
  { name: 'HPACK: decode a head of nine fields', ...measure(decodeAll, OPERATIONS) },
  { name: 'HPACK: encode a head of nine fields', ...measure(encodeAll, OPERATIONS) },
  {
    name: 'frames: a read of 64 KiB with four of DATA',
    ...measure(() => {
      for (let index = 0; index < OPERATIONS; index++) reader.read(read, 0, read.length);
    }, OPERATIONS),
  },
]);
