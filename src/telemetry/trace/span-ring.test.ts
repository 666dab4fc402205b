import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { StreamRecord } from '../stream-record.ts';
import { LENGTH_BYTES, MAX_TRACESTATE_BYTES, RECORD_BYTES, TEXTS, TEXTS_AT } from './span-ring-layout.ts';
import { SpanRingReader } from './span-ring-reader.ts';
import { SpanRing, spanRingBuffer } from './trace.ts';

function full(): StreamRecord {
  const record = new StreamRecord();
  let next = 1;
  for (const [name, value] of Object.entries(record)) {
    if (typeof value === 'number') Reflect.set(record, name, next++ + 0.25);
    if (typeof value === 'string') Reflect.set(record, name, `${name} text`);
  }
  return Object.assign(record, {
    direction: 'outbound',
    scheme: 'https',
    protocol: 20,
    // Of the request; a span is of one try.
    attempts: 0,
    grpcStatus: 16,
    connectionReused: true,
    tlsVersion: 'TLSv1.3',
    sampled: true,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    parentSpanId: '00f067aa0ba902b8',
  });
}

function drain(reader: SpanRingReader, limit = 1_000): StreamRecord[] {
  const records: StreamRecord[] = [];
  reader.drain(limit, (record) => records.push(record));
  return records;
}

describe('a span ring', () => {
  it('gives back every field that was written', () => {
    const buffer = spanRingBuffer(2);
    const record = full();
    new SpanRing(buffer, 12.5).write(record, record.endedAtMs);
    const reader = new SpanRingReader(buffer);
    expect(drain(reader)).toEqual([record]);
    expect(reader.timeOriginMs).toBe(12.5);
  });

  it('gives back an empty record as well, with nothing of the one before it', () => {
    const buffer = spanRingBuffer(2);
    const ring = new SpanRing(buffer, 0);
    const reader = new SpanRingReader(buffer);
    const empty = Object.assign(new StreamRecord(), { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true });
    for (const record of [full(), full(), empty]) {
      ring.write(record, record.endedAtMs);
      expect(drain(reader)).toEqual([record]);
    }
  });

  it('cuts texts at their bounds, and the longest of all fit', () => {
    const worst = TEXTS.reduce((sum, { maxBytes }) => sum + maxBytes + LENGTH_BYTES, 0);
    expect(TEXTS_AT + worst + LENGTH_BYTES + MAX_TRACESTATE_BYTES).toBeLessThanOrEqual(RECORD_BYTES);
    const record = full();
    for (const { field } of TEXTS) record[field] = 'x'.repeat(5_000);
    record.traceState = `a=${'x'.repeat(MAX_TRACESTATE_BYTES)}`;
    const buffer = spanRingBuffer(2);
    new SpanRing(buffer, 0).write(record, 1);
    const [read] = drain(new SpanRingReader(buffer));
    for (const { field, maxBytes } of TEXTS) expect(read?.[field], field).toHaveLength(maxBytes);
    expect(read?.traceState).toBe('');
  });

  it('reads wire bytes as the UTF-8 they were, and our own text unchanged', () => {
    const record = full();
    record.path = Buffer.from('/größe/日本', 'utf8').toString('latin1');
    record.clusterName = 'größe.日本';
    const buffer = spanRingBuffer(2);
    new SpanRing(buffer, 0).write(record, 1);
    expect(drain(new SpanRingReader(buffer))[0]).toMatchObject({ path: '/größe/日本', clusterName: 'größe.日本' });
  });

  it('drops what does not fit, counts it, and goes on in order', () => {
    const buffer = spanRingBuffer(4);
    const ring = new SpanRing(buffer, 0);
    const reader = new SpanRingReader(buffer);
    const write = (attempt: number): boolean => ring.write(Object.assign(full(), { attempt }), 1);
    expect([1, 2, 3, 4, 5, 6].map(write)).toEqual([true, true, true, true, false, false]);
    expect(reader.dropped).toBe(2);
    expect(drain(reader, 3).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect([7, 8].map(write)).toEqual([true, true]);
    expect(drain(reader).map(({ attempt }) => attempt)).toEqual([4, 7, 8]);
  });

  it('keeps order when its counters run past 32 bits', () => {
    const buffer = spanRingBuffer(2);
    new Int32Array(buffer)[0] = 0x7fff_fffe;
    new Int32Array(buffer)[16] = 0x7fff_fffe;
    const ring = new SpanRing(buffer, 0);
    const reader = new SpanRingReader(buffer);
    const seen: number[] = [];
    for (let attempt = 0; attempt < 10; attempt += 2) {
      expect(ring.write(Object.assign(full(), { attempt }), 1)).toBe(true);
      expect(ring.write(Object.assign(full(), { attempt: attempt + 1 }), 1)).toBe(true);
      expect(ring.write(full(), 1)).toBe(false);
      seen.push(...drain(reader).map((record) => record.attempt));
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('hands over whole records from a thread that writes while this one reads', async () => {
    const buffer = spanRingBuffer(16);
    const url = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    const source = `
      import { workerData, parentPort } from 'node:worker_threads';
      const { SpanRing } = await import(${url('./span-ring.ts')});
      const { StreamRecord } = await import(${url('../stream-record.ts')});
      const ring = new SpanRing(workerData, performance.timeOrigin);
      const record = new StreamRecord();
      let written = 0;
      for (let index = 0; index < 20000; index += 1) {
        record.attempt = index;
        record.path = '/' + index;
        record.responseCodeDetails = 'd' + index;
        if (ring.write(record, index)) written += 1;
      }
      parentPort.postMessage(written);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { workerData: buffer });
    try {
      const reader = new SpanRingReader(buffer);
      let read = 0;
      let last = -1;
      const take = (): number =>
        reader.drain(16, (record) => {
          expect(record.attempt).toBeGreaterThan(last);
          last = record.attempt;
          expect([record.path, record.responseCodeDetails]).toEqual([`/${last}`, `d${last}`]);
          read += 1;
        });
      const written = await new Promise<number>((resolve, reject) => {
        const poll = setInterval(take, 0);
        worker.once('error', reject);
        worker.once('message', (count: number) => {
          clearInterval(poll);
          resolve(count);
        });
      });
      while (take() > 0);
      expect(read).toBe(written);
      expect(written + reader.dropped).toBe(20_000);
    } finally {
      await worker.terminate();
    }
  });

  it('refuses a size that is no power of two', () => {
    expect(() => spanRingBuffer(3)).toThrow('power of two');
  });
});
