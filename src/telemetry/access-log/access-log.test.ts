import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AccessLogFormat } from '../../resource/access-logger.ts';
import { MetricsRegistry } from '../metrics/metrics.ts';
import { StreamRecord } from '../stream-record.ts';
import { AccessLog, compileAccessLogFormat, DEFAULT_JSON_FORMAT } from './access-log.ts';
import { LineWriter } from './line-writer.ts';

const ORIGIN_MS = Date.UTC(2026, 10, 22, 21, 16, 10);
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-access-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function record(changes: Partial<StreamRecord> = {}): StreamRecord {
  return Object.assign(new StreamRecord(), {
    receivedAtMs: 250,
    requestEndAtMs: 251,
    connectionReadyAtMs: 252,
    firstUpstreamByteAtMs: 260.4,
    endedAtMs: 262.6,
    method: 'GET',
    path: '/a?b=c',
    authority: 'web',
    userAgent: 'curl/8.5',
    requestId: 'r-1',
    status: 200,
    requestBodyBytes: 3,
    responseBodyBytes: 5,
    hostAddress: '::1',
    hostPort: 80,
    responseCodeDetails: 'via_upstream',
    ...changes,
  });
}

const text = (format: string): AccessLogFormat => ({ kind: 'text', text: format, omitEmptyValues: false });
const json = (template: Record<string, unknown>, omitEmptyValues = false): AccessLogFormat => ({
  kind: 'json',
  json: template,
  omitEmptyValues,
});
const DEFAULT: AccessLogFormat = { kind: 'default' };

function line(format: AccessLogFormat, changes: Partial<StreamRecord> = {}): string {
  const compiled = compileAccessLogFormat(format);
  if (!compiled.ok) throw new Error(compiled.faults.join());
  return compiled.formatter(record(changes), ORIGIN_MS);
}

describe('lines', () => {
  it("have Envoy's default text form", () => {
    expect(line(DEFAULT)).toBe(
      '[2026-11-22T21:16:10.250Z] "GET /a?b=c HTTP/1.1" 200 - 3 5 13 8 "-" "curl/8.5" "r-1" "web" "[::1]:80"\n',
    );
  });

  it('have every field as JSON, numbers as numbers and absence as null', () => {
    const parsed: unknown = JSON.parse(line(json(DEFAULT_JSON_FORMAT), { responseFlags: '' }));
    expect(parsed).toMatchObject({
      start_time: '2026-11-22T21:16:10.250Z',
      response_code: 200,
      duration: 13,
      response_flags: null,
      route_name: null,
      upstream_host: '[::1]:80',
    });
  });

  it('follow a format of their own, with the first header of two and a longest length', () => {
    expect(line(text('%REQ(NOPE?:PATH):2%|%REQ(NOPE)%|100%%|%TRACE_ID%'))).toBe('/a|-|100%|-\n');
    expect(JSON.parse(line(json({ both: '%REQ(:METHOD)% %RESPONSE_CODE%' })))).toEqual({
      both: 'GET 200',
    });
  });

  it('count all tries of a request, whichever answered', () => {
    expect(line(text('%UPSTREAM_REQUEST_ATTEMPT_COUNT%'), { attempt: 1, attempts: 2 })).toBe('2\n');
  });

  it('nest as the format does, literals kept, empty values left out where it says so', () => {
    const template = { a: { b: ['%RESPONSE_CODE%', '%TRACE_ID%', true], c: '%TRACE_ID%' }, d: 7, e: '%TRACE_ID%' };
    expect(JSON.parse(line(json(template)))).toEqual({ a: { b: [200, null, true], c: null }, d: 7, e: null });
    expect(JSON.parse(line(json(template, true)))).toEqual({ a: { b: [200, null, true] }, d: 7 });
    expect(line({ kind: 'text', text: '<%TRACE_ID%>', omitEmptyValues: true })).toBe('<>\n');
  });

  it('name every fault of a format', () => {
    expect(compileAccessLogFormat(json({ a: '%NOPE%', b: '100%', c: { d: ['%START_TIME(%s)%'] } }))).toEqual({
      ok: false,
      faults: [
        'a: %NOPE% is not supported',
        'b: stray % in "100%"; write %% for a percent sign',
        'c.d[0]: %START_TIME% is not supported',
      ],
    });
  });

  it('stay one line each, whatever a request holds', () => {
    const hostile = { path: '/x"\n[forged] "\\\u0000\u001b[2J\u00e9', userAgent: '\r\n', routeName: 'größe日本' };
    const escaped = line(DEFAULT, hostile);
    expect(escaped).toContain('"GET /x\\x22\\x0a[forged] \\x22\\x5c\\x00\\x1b[2J\\xe9 HTTP/1.1"');
    expect(escaped.slice(0, -1)).toMatch(/^[\x20-\x7e]*$/);
    const plain = line(json(DEFAULT_JSON_FORMAT), hostile);
    expect(plain.slice(0, -1)).not.toMatch(/[\r\n]/);
    expect(JSON.parse(plain)).toMatchObject({ user_agent: '\r\n', route_name: 'größe日本' });
    expect(line(text('a\nb'))).toBe('a b\n');
  });

  it('spell wire bytes as the UTF-8 they are in JSON', () => {
    const path = Buffer.from('/größe', 'utf8').toString('latin1');
    expect(JSON.parse(line(json(DEFAULT_JSON_FORMAT), { path }))).toMatchObject({ path: '/größe' });
  });
});

describe('an access log', () => {
  function counters() {
    const registry = new MetricsRegistry({ announce: () => {} });
    const of = (name: string) => registry.counter({ kind: 'accessLog' }, name);
    return { registry, written: of('lines_written'), dropped: of('lines_dropped'), failed: of('lines_failed') };
  }

  it('appends one line per stream, in order, and counts them', async () => {
    const path = join(directory, 'access.log');
    const { registry, written } = counters();
    const opened = AccessLog.open({
      logger: { destination: { kind: 'file', path }, format: text('%REQ(:PATH)%') },
      registry,
      failed: (error) => expect.fail(error.message),
      timeOriginMs: ORIGIN_MS,
    });
    if (!opened.ok) throw new Error(opened.faults.join());
    for (let index = 0; index < 30_000; index += 1) opened.log.streamEnded(record({ path: `/${index}` }));
    await opened.log.close();
    expect(readFileSync(path, 'utf8').split('\n')).toEqual([...Array.from({ length: 30_000 }, (_, i) => `/${i}`), '']);
    expect(written.value).toBe(30_000);
  });

  it('drops and counts what is beyond its bound, and keeps what it took', async () => {
    const path = join(directory, 'access.log');
    const { registry: _, ...counted } = counters();
    const writer = new LineWriter({
      target: { kind: 'file', path },
      counters: counted,
      failed: () => {},
      maxWaitingBytes: 10,
    });
    for (const each of ['1234\n', '6789\n', 'beyond\n']) writer.write(each);
    await writer.close();
    expect(readFileSync(path, 'utf8')).toBe('1234\n6789\n');
    expect([counted.written.value, counted.dropped.value]).toEqual([2, 1]);
  });

  it('says once that a file cannot be opened, and counts what it loses', async () => {
    const { registry: _, ...counted } = counters();
    const reasons: string[] = [];
    const target = { kind: 'file', path: join(directory, 'no', 'such', 'directory') } as const;
    const writer = new LineWriter({ target, counters: counted, failed: (error) => reasons.push(error.message) });
    writer.write('a\n');
    await writer.flush();
    writer.write('b\n');
    await writer.close();
    expect(reasons).toHaveLength(1);
    expect([counted.failed.value, counted.dropped.value]).toEqual([1, 1]);
  });

  it('gives up on a pipe that nobody reads when it is closed, and counts what it loses', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    const { O_RDWR, O_NONBLOCK } = (await import('node:fs')).constants;
    const { closeSync } = await import('node:fs');
    const fd = openSync(path, O_RDWR | O_NONBLOCK);
    const { registry: _, ...counted } = counters();
    const writer = new LineWriter({ target: { kind: 'file', path }, counters: counted, failed: () => {} });
    for (let index = 0; index < 512; index += 1) writer.write(`${'x'.repeat(1_023)}\n`);
    await writer.close(50);
    writer.write('late\n');
    expect(counted.dropped.value).toBe(1);
    // Without a reader the write that still waits fails, and with it what was taken is accounted for.
    closeSync(fd);
    await vi.waitFor(() => expect(counted.failed.value).toBe(512));
  });

  it('waits for a slow reader of a pipe without blocking the thread or losing a line', async () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    // Opened for both so that neither end waits for the other; nonblocking as a container's stdout may be.
    const { O_RDWR, O_NONBLOCK } = (await import('node:fs')).constants;
    const fd = openSync(path, O_RDWR | O_NONBLOCK);
    const { registry: _, ...counted } = counters();
    const writer = new LineWriter({ target: { kind: 'file', path }, counters: counted, failed: () => {} });
    for (let index = 0; index < 512; index += 1) writer.write(`${'x'.repeat(1_023)}\n`);
    const done = writer.flush();
    let received = 0;
    const { read } = await import('node:fs');
    const buffer = Buffer.alloc(65_536);
    await new Promise<void>((resolve, reject) => {
      const next = (): void =>
        read(fd, buffer, 0, buffer.length, null, (error, count) => {
          if (error !== null && error.code !== 'EAGAIN') return reject(error);
          received += error === null ? count : 0;
          if (received >= 512 * 1_024) resolve();
          else setImmediate(next);
        });
      next();
    });
    await done;
    writer.write('late\n');
    await writer.close();
    expect(received).toBe(512 * 1_024);
    expect(counted.written.value).toBe(513);
  });
});
