import { describe, expect, it } from 'vitest';
import { checkedTracestate, isSampledFlagSet, isTraceparent } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('traceparent', () => {
  it.each([
    ['version 00', `00-${TRACE}-${SPAN}-01`],
    ['unknown flags', `00-${TRACE}-${SPAN}-ff`],
    ['a later version of the same length', `cc-${TRACE}-${SPAN}-01`],
    ['a later version with more behind', `cc-${TRACE}-${SPAN}-01-what-the-future-brings`],
  ])('is believed: %s', (_, text) => expect(isTraceparent(text)).toBe(true));

  it.each([
    ['empty', ''],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['version 00 with more behind', `00-${TRACE}-${SPAN}-01-extra`],
    ['a later version with more behind but no dash', `cc-${TRACE}-${SPAN}-01.what`],
    ['two joined headers', `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`],
    ['an all-zero trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['an all-zero parent', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['no hex in the trace', `00-${TRACE.slice(0, 31)}g-${SPAN}-01`],
    ['no hex in the flags', `00-${TRACE}-${SPAN}-0x`],
    ['no hex in the version', `0x-${TRACE}-${SPAN}-01`],
    ['a dash in the wrong place', `00_${TRACE}-${SPAN}-01`],
    ['too short', `00-${TRACE}-${SPAN}-0`],
    ['characters beyond latin1', `00-${TRACE}-${SPAN}-0\u0131`],
  ])('is refused: %s', (_, text) => expect(isTraceparent(text)).toBe(false));

  it('carries the sampled bit in its lowest flag, whatever the others say', () => {
    for (let flags = 0; flags < 256; flags += 1) {
      const text = `00-${TRACE}-${SPAN}-${flags.toString(16).padStart(2, '0')}`;
      expect(isTraceparent(text) && isSampledFlagSet(text)).toBe((flags & 1) === 1);
    }
  });
});

describe('tracestate', () => {
  it('is kept in order, without empty members and white space around', () => {
    expect(checkedTracestate('rojo=00f067aa0ba902b7 , ,\tt61@congo=t61rcWkgMzE,')).toBe(
      'rojo=00f067aa0ba902b7,t61@congo=t61rcWkgMzE',
    );
  });

  it.each([
    ['a key twice', 'a=1,a=2'],
    ['a key in upper case', 'A=1'],
    ['no equals sign', 'a'],
    ['an empty value', 'a='],
    ['a value with an equals sign', 'a=b=c'],
    ['a value with a control character', 'a=\u0001'],
    ['33 members', Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')],
    ['513 characters', `a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=123456`],
    ['a key of 257 characters', `${'a'.repeat(257)}=1`],
  ])('is dropped whole: %s', (_, text) => expect(checkedTracestate(text)).toBe(''));

  it('keeps 32 members', () => {
    const text = Array.from({ length: 32 }, (_, index) => `k${index}=1`).join(',');
    expect(checkedTracestate(text)).toBe(text);
  });
});
