import { describe, expect, test } from 'vitest';
import { sizeUpdate } from '../frame-script.ts';
import type { HeaderField } from './header-field.ts';
import { HpackDecoder } from './hpack-decoder.ts';

function decodeWith(decoder: HpackDecoder, bytes: Buffer): string[] | 'bad' {
  const fields: string[] = [];
  const isSound = decoder.decode(bytes, 0, bytes.length, {
    onField: ({ name, value }: HeaderField) => void fields.push(`${name}: ${value}`),
  });
  return isSound ? fields : 'bad';
}

const decodeHex = (decoder: HpackDecoder, hex: string): string[] | 'bad' =>
  decodeWith(decoder, Buffer.from(hex.replaceAll(' ', ''), 'hex'));

const decode = (hex: string): string[] | 'bad' => decodeHex(new HpackDecoder(), hex);

describe('RFC 7541 Appendix C', () => {
  test('C.2: one representation of each form', () => {
    expect(decode('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')).toEqual([
      'custom-key: custom-header',
    ]);
    expect(decode('040c 2f73 616d 706c 652f 7061 7468')).toEqual([':path: /sample/path']);
    expect(decode('1008 7061 7373 776f 7264 0673 6563 7265 74')).toEqual(['password: secret']);
    expect(decode('82')).toEqual([':method: GET']);
  });

  const requests = [
    [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
    [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
    [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
  ];

  test.each([
    [
      'C.3: plain',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4: Huffman',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('requests over one table, %s', (_, blocks) => {
    const decoder = new HpackDecoder();
    expect(blocks.map((hex) => decodeHex(decoder, hex))).toEqual(requests);
    expect(decoder.table.count).toBe(3);
  });

  test('C.6: responses over a table of 256 bytes, with eviction', () => {
    const decoder = new HpackDecoder();
    decodeWith(decoder, sizeUpdate(256));
    const first =
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3';
    expect(decodeHex(decoder, first)).toEqual([
      ':status: 302',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:21 GMT',
      'location: https://www.example.com',
    ]);
    expect(decodeHex(decoder, '4883 640e ffc1 c0bf')).toEqual([
      ':status: 307',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:21 GMT',
      'location: https://www.example.com',
    ]);
    expect(decoder.table.count).toBe(4);
  });
});

describe('refused as COMPRESSION_ERROR', () => {
  test.each([
    ['index 0', '80'],
    ['an index beyond the tables', 'be'],
    ['a name index beyond the tables', '7f0041 61'],
    ['an integer that never ends', 'ffffffffffffffff'],
    ['an integer cut short', 'ff80'],
    ['a text longer than the block', '0001 61 05 6162'],
    ['a text that is not there', '0001 61'],
    ['a size update after a field', '82 20'],
    ['a third size update', '20 3f00 20 82'],
    ['a table larger than allowed', '3fe2 1f'],
    ['Huffman filling with zeros', '0001 61 81 18'],
    ['Huffman filling of a whole byte', '0001 61 82 1fff'],
    ['the end mark inside a text', '0001 61 84 ffffffff'],
  ])('%s', (_, hex) => {
    expect(decode(hex)).toBe('bad');
  });

  test('a block that does not say it obeys a smaller table', () => {
    const decoder = new HpackDecoder();
    decoder.limitTable(0);
    expect(decodeHex(decoder, '82')).toBe('bad');
  });

  test('but not two size updates, nor one that obeys', () => {
    expect(decode('20 3fe11f 82')).toEqual([':method: GET']);
    const decoder = new HpackDecoder();
    decoder.limitTable(0);
    expect(decodeHex(decoder, '20 82')).toEqual([':method: GET']);
  });
});

test('an entry larger than the table empties it and is no error', () => {
  const decoder = new HpackDecoder();
  expect(decodeHex(decoder, '4001 61 01 62')).toEqual(['a: b']);
  const large = Buffer.concat([Buffer.from('40016 17fe11e'.replaceAll(' ', ''), 'hex'), Buffer.alloc(4064, 'x')]);
  expect(decodeWith(decoder, large)).toEqual([`a: ${'x'.repeat(4064)}`]);
  expect(decoder.table.count).toBe(0);
});
