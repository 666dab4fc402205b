import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Http2Output } from '../output.ts';
import { NEVER_INDEXED } from './field-kind.ts';
import { HeaderField } from './header-field.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { huffmanDecode, longestDecoded } from './huffman-decode.ts';
import { huffmanEncode, huffmanLength } from './huffman-encode.ts';

interface Field {
  readonly name: string;
  readonly value: string;
  readonly isSensitive: boolean;
}

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes));

/** Values that come again and again, and are too many for the table. */
const returning = fc.integer({ min: 0, max: 40 }).map((which) => String(which).repeat(120));

const fieldArbitrary: fc.Arbitrary<Field> = fc.record({
  name: fc.constantFrom(':path', ':status', 'content-type', 'cookie', 'x-a', 'x-b', 'x-long-name-of-a-field'),
  value: fc.oneof(fc.constantFrom('', '/', '200', 'application/json', 'trailers'), latin1(80), latin1(1200), returning),
  isSensitive: fc.boolean(),
});

function encodeBlock(encoder: HpackEncoder, output: Http2Output, fields: readonly Field[]): Buffer {
  encoder.begin(output);
  for (const { name, value, isSensitive } of fields) encoder.field(output, name, value, isSensitive);
  const bytes = Buffer.from(output.bytes.subarray(0, output.length));
  output.clear();
  return bytes;
}

describe('HPACK', () => {
  test('what is encoded decodes to the same, over many blocks and changing table sizes', () => {
    const step = fc.record({
      limits: fc.array(fc.constantFrom(0, 100, 300, 4096), { maxLength: 3 }),
      fields: fc.array(fieldArbitrary),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const encoder = new HpackEncoder(4096);
        const decoder = new HpackDecoder();
        const output = new Http2Output(() => {});
        for (const { limits, fields } of steps) {
          for (const limit of limits) encoder.limitTable(limit);
          const block = encodeBlock(encoder, output, fields);
          const decoded: [string, string][] = [];
          const onField = ({ name, value }: HeaderField): void => void decoded.push([name, value]);
          expect(decoder.decode(block, 0, block.length, { onField })).toBe(true);
          expect(decoded).toEqual(fields.map(({ name, value }) => [name, value]));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('fields told by object, by place or as unique decode to the same, whatever the table has forgotten', () => {
    const shared = Array.from(
      { length: 200 },
      (_, which) => new HeaderField(`x-${which % 7}`, `${which}-`.repeat(9), 0),
    );
    const write = fc.record({
      how: fc.constantFrom('known', 'placed', 'unique', 'field'),
      which: fc.integer({ min: 0, max: shared.length - 1 }),
      encoder: fc.constantFrom(0, 1),
      limit: fc.option(fc.constantFrom(0, 100, 4096), { freq: 20 }),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 600, minLength: 100 }), (writes) => {
        const ends = [0, 1].map(() => ({
          encoder: new HpackEncoder(4096),
          decoder: new HpackDecoder(),
          output: new Http2Output(() => {}),
        }));
        for (const { how, which, encoder: at, limit } of writes) {
          const { encoder, decoder, output } = ends[at] as (typeof ends)[0];
          const field = shared[which] as HeaderField;
          if (limit !== null) encoder.limitTable(limit);
          encoder.begin(output);
          if (how === 'known') encoder.known(output, field);
          else if (how === 'placed') encoder.placed(output, which % 3, field.name, field.value);
          else if (how === 'unique') encoder.unique(output, field.name, field.value);
          else encoder.field(output, field.name, field.value, false);
          const decoded: string[] = [];
          const onField = ({ name, value }: HeaderField): void => void decoded.push(name, value);
          expect(decoder.decode(output.bytes, 0, output.length, { onField })).toBe(true);
          expect(decoded).toEqual([field.name, field.value]);
          output.clear();
        }
      }),
      { numRuns: 60 },
    );
  });

  test('what two clients say alike is one field, and shrinks alike towards a third', () => {
    const shared = [1, 2].map(() => {
      const seen: HeaderField[] = [];
      const onField = (field: HeaderField): void => void seen.push(field);
      const block = Buffer.from('4003782d610773616d65206f6e', 'hex');
      expect(new HpackDecoder().decode(block, 0, block.length, { onField })).toBe(true);
      return seen[0];
    });
    expect(shared[0]).toBeDefined();
    expect(shared[0]).toBe(shared[1]);
  });

  test('a unique value brings its name into the table once, and itself never again', () => {
    const encoder = new HpackEncoder(4096);
    const output = new Http2Output(() => {});
    const sizes = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'].map((value) => {
      encoder.begin(output);
      encoder.unique(output, 'x-request-id', value);
      const { length } = output;
      output.clear();
      return length;
    });
    expect(sizes).toEqual([1 + 13 + 9, 2 + 9, 2 + 9]);
  });

  test('a sensitive field stays a literal where the same text was indexed before', () => {
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder();
    const output = new Http2Output(() => {});
    const open = { name: 'x-a', value: 'said openly', isSensitive: false };
    for (let round = 0; round < 3; round += 1) {
      const block = encodeBlock(encoder, output, [open]);
      decoder.decode(block, 0, block.length, { onField: () => undefined });
    }
    const kinds: number[] = [];
    for (const kind of [0, NEVER_INDEXED]) {
      encoder.begin(output);
      encoder.known(output, new HeaderField(open.name, open.value, kind));
      decoder.decode(output.bytes, 0, output.length, { onField: (field) => void kinds.push(field.kind) });
      output.clear();
    }
    expect(kinds.map((kind) => kind & NEVER_INDEXED)).toEqual([0, NEVER_INDEXED]);
  });

  test('a table that was emptied and grown again between two blocks is announced as both (RFC 7541 §4.2)', () => {
    const encoder = new HpackEncoder(4096);
    const output = new Http2Output(() => {});
    encoder.limitTable(0);
    encoder.limitTable(4096);
    const [first, second] = [1, 2].map(() => encodeBlock(encoder, output, []));
    expect(first?.toString('hex')).toBe('203fe11f');
    expect(second?.length).toBe(0);
  });

  test('values of one name that push each other out of the table are never sent as what is gone', () => {
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder();
    const output = new Http2Output(() => {});
    const values = Array.from({ length: 40 }, (_, which) => `${which}-`.repeat(80));
    for (const value of [...values, ...values].flatMap((each) => [each, each, each])) {
      const block = encodeBlock(encoder, output, [{ name: 'x-a', value, isSensitive: false }]);
      const decoded: string[] = [];
      const onField = ({ value: text }: HeaderField): void => void decoded.push(text);
      expect(decoder.decode(block, 0, block.length, { onField })).toBe(true);
      expect(decoded).toEqual([value]);
    }
    expect(decoder.table.count).toBeGreaterThan(10);
  });

  test('a repeated head shrinks to an index for each field', () => {
    const encoder = new HpackEncoder(4096);
    const output = new Http2Output(() => {});
    const fields = ['x-a', 'x-b', 'user-agent'].map((name) => ({ name, value: 'the same again', isSensitive: false }));
    const sizes = [1, 2, 3].map(() => encodeBlock(encoder, output, fields).length);
    expect(sizes[2]).toBe(3);
    expect(sizes[0]).toBeGreaterThan(40);
  });

  test('a sensitive field never enters the table and says so to those further on', () => {
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder();
    const output = new Http2Output(() => {});
    for (let round = 0; round < 3; round += 1) {
      const block = encodeBlock(encoder, output, [{ name: 'authorization', value: 'Bearer x', isSensitive: true }]);
      let seen = 0;
      const onField = ({ kind }: HeaderField): void => {
        seen = kind;
      };
      decoder.decode(block, 0, block.length, { onField });
      expect(seen & NEVER_INDEXED).toBe(NEVER_INDEXED);
    }
    expect(decoder.table.count).toBe(0);
  });

  test('the encoder keeps to a limit of its own and to the smaller one of the peer', () => {
    for (const [own, peer] of [
      [0, 4096],
      [4096, 0],
    ] as const) {
      const encoder = new HpackEncoder(own);
      encoder.limitTable(peer);
      const output = new Http2Output(() => {});
      const fields = [{ name: 'x-a', value: 'again', isSensitive: false }];
      const blocks = [1, 2, 3].map(() => encodeBlock(encoder, output, fields));
      expect(blocks[0]?.[0]).toBe(0x20);
      expect(blocks[2]).toEqual(blocks[1]);
    }
  });
});

describe('Huffman', () => {
  test('every text decodes to itself, in exactly the length foretold', () => {
    fc.assert(
      fc.property(latin1(200), (text) => {
        const coded = Buffer.alloc(huffmanLength(text));
        expect(huffmanEncode(text, coded, 0)).toBe(coded.length);
        const into = Buffer.alloc(longestDecoded(coded.length));
        const length = huffmanDecode(coded, 0, coded.length, into);
        expect(into.toString('latin1', 0, length)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('arbitrary bytes never write beyond the room foretold', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const into = new Uint8Array(longestDecoded(bytes.length) + 8).fill(0xee);
        huffmanDecode(bytes, 0, bytes.length, into);
        expect(into.subarray(longestDecoded(bytes.length)).every((byte) => byte === 0xee)).toBe(true);
      }),
    );
  });
});
