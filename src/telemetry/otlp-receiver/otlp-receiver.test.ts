import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { traceService } from './otlp-messages.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver, TraceStore } from './otlp-receiver.ts';

const cleanups: OtlpReceiver[] = [];

afterEach(async () => {
  for (const receiver of cleanups.splice(0)) await receiver.stop();
});

async function start(): Promise<{ receiver: OtlpReceiver; url: string }> {
  const receiver = await startOtlpReceiver();
  cleanups.push(receiver);
  return { receiver, url: `http://127.0.0.1:${receiver.httpPort}` };
}

function span(changes: Partial<ReceivedSpan>): ReceivedSpan {
  return {
    traceId: 'a'.repeat(32),
    spanId: '1'.repeat(16),
    parentSpanId: '',
    traceState: '',
    service: 'web',
    name: 'GET',
    kind: 'server',
    startUnixNano: '1000000000',
    endUnixNano: '3000000000',
    attributes: {},
    resource: {},
    events: [],
    status: { code: 'unset', message: '' },
    ...changes,
  };
}

function exportRequest(): Buffer {
  const serialize = traceService()['Export']?.requestSerialize;
  if (serialize === undefined) throw new Error('no Export');
  return serialize({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: Buffer.alloc(16, 0xab),
                spanId: Buffer.alloc(8, 0xcd),
                name: 'GET /',
                kind: 2,
                startTimeUnixNano: '1795382544646036001',
                endTimeUnixNano: '1795382544746036002',
                attributes: [
                  { key: 'int', value: { intValue: '200' } },
                  { key: 'big', value: { intValue: '9223372036854775807' } },
                  { key: 'bool', value: { boolValue: false } },
                  { key: 'double', value: { doubleValue: 0.5 } },
                  { key: 'list', value: { arrayValue: { values: [{ stringValue: 'x' }, { intValue: '1' }] } } },
                  { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
                ],
                status: { code: 2, message: 'boom' },
              },
              { traceId: Buffer.alloc(3), spanId: Buffer.alloc(8) },
            ],
          },
        ],
      },
    ],
  });
}

const PROTOBUF = { 'content-type': 'application/x-protobuf' };

describe('OTLP over HTTP', () => {
  it('keeps spans with their attributes to the last bit, plain or zipped, once', async () => {
    const { receiver, url } = await start();
    const body = exportRequest();
    const plain = await fetch(`${url}/v1/traces`, { method: 'POST', headers: PROTOBUF, body });
    const zipped = await fetch(`${url}/v1/traces`, {
      method: 'POST',
      headers: { ...PROTOBUF, 'content-encoding': 'gzip' },
      body: gzipSync(body),
    });
    expect([plain.status, zipped.status]).toEqual([200, 200]);
    expect(receiver.store.spans('ab'.repeat(16))).toEqual([
      span({
        traceId: 'ab'.repeat(16),
        spanId: 'cd'.repeat(8),
        service: 'shop',
        name: 'GET /',
        startUnixNano: '1795382544646036001',
        endUnixNano: '1795382544746036002',
        attributes: {
          int: 200,
          big: '9223372036854775807',
          bool: false,
          double: 0.5,
          list: ['x', 1],
          map: { k: 'v' },
        },
        resource: { 'service.name': 'shop' },
        status: { code: 'error', message: 'boom' },
      }),
    ]);
    expect(receiver.store.stats()).toMatchObject({ spans: 1, dropped: 2 });
  });

  it.each([
    ['garbage', 'POST', '/v1/traces', PROTOBUF, 400],
    ['JSON, which is not taken', 'POST', '/v1/traces', { 'content-type': 'application/json' }, 415],
    ['reading where one writes', 'GET', '/v1/traces', {}, 405],
    ['writing where one reads', 'POST', '/api/traces', {}, 405],
    ['an unknown path', 'GET', '/nowhere', {}, 404],
    ['an unknown trace', 'GET', '/api/traces/ff', {}, 404],
  ])('answers %s clearly', async (_, method, path, headers: Record<string, string>, status) => {
    const { url } = await start();
    const body = method === 'POST' ? { body: Buffer.from([0xff, 0xff, 0xff]) } : {};
    const response = await fetch(url + path, { method, headers, ...body });
    expect(response.status).toBe(status);
    await response.text();
  });

  it('serves what it keeps as JSON', async () => {
    const { url } = await start();
    await fetch(`${url}/v1/traces`, { method: 'POST', headers: PROTOBUF, body: exportRequest() });
    const json = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
    expect(await json('/api/traces?limit=5')).toEqual({
      traces: [
        {
          traceId: 'ab'.repeat(16),
          rootName: 'GET /',
          rootService: 'shop',
          services: ['shop'],
          spans: 1,
          startUnixMs: 1795382544646.036,
          durationMs: 100,
          errors: 1,
          concurrent: false,
        },
      ],
    });
    expect(await json(`/api/traces/${'ab'.repeat(16)}`)).toMatchObject({ spans: [{ name: 'GET /' }] });
    expect(await json('/api/stats')).toMatchObject({ spans: 1, traces: 1, maxSpansInOne: 1 });
  });

  it('names the address and the fix where the port is taken', async () => {
    const { receiver } = await start();
    await expect(startOtlpReceiver({ httpPort: receiver.httpPort })).rejects.toThrow(
      `OTLP receiver cannot listen on 127.0.0.1:${receiver.httpPort}; give another port`,
    );
  });
});

describe('the trace store', () => {
  const child = (id: string, start: number, end: number, parentSpanId = '1'.repeat(16)): ReceivedSpan =>
    span({ spanId: id.repeat(16), parentSpanId, startUnixNano: `${start}`, endUnixNano: `${end}` });

  it('calls a trace concurrent where two siblings overlap, whatever the order they come in', () => {
    for (const spans of [
      [child('2', 10, 20), child('3', 19, 30)],
      [child('3', 19, 30), child('2', 10, 20)],
    ]) {
      const store = new TraceStore();
      for (const each of spans) store.add(each);
      expect(store.stats().concurrent).toBe(1);
      expect(store.recent(1)[0]?.concurrent).toBe(true);
    }
  });

  it('does not for siblings one after the other, cousins, parents and roots', () => {
    const store = new TraceStore();
    store.add(span({ startUnixNano: '0', endUnixNano: '100' }));
    store.add(child('2', 10, 20));
    store.add(child('3', 20, 30));
    store.add(child('4', 15, 25, '2'.repeat(16)));
    store.add(span({ spanId: '5'.repeat(16), startUnixNano: '0', endUnixNano: '100' }));
    expect(store.stats()).toMatchObject({ concurrent: 0, spans: 5, maxSpansInOne: 5 });
  });

  it('lets the oldest trace go, and counts what is beyond a trace', () => {
    const store = new TraceStore({ maxTraces: 2, maxSpansPerTrace: 2 });
    for (const digit of ['a', 'b', 'c']) store.add(span({ traceId: digit.repeat(32) }));
    for (const digit of ['2', '3']) store.add(span({ traceId: 'c'.repeat(32), spanId: digit.repeat(16) }));
    expect(store.recent(10).map(({ traceId }) => traceId[0])).toEqual(['c', 'b']);
    expect(store.stats()).toEqual({ traces: 3, spans: 4, dropped: 1, maxSpansInOne: 2, concurrent: 0 });
  });
});
