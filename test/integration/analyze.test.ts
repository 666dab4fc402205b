import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/control/analyze.ts';
import { type Registry, startRegistry } from '../../src/registry/registry.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'weft-analyze-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

function analyze(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] };
    execFile(process.execPath, [MAIN, 'analyze', ...args], { timeout: 30_000, env }, (error, out, errors) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out, errors });
    });
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const findingsOf = ({ out }: Ended): readonly Finding[] =>
  (JSON.parse(out) as { readonly findings: readonly Finding[] }).findings;

describe('weft analyze of files', () => {
  test('says nothing and ends with 0 where nothing is wrong', async () => {
    const path = file(
      'good.yaml',
      `Kind: proxy-defaults
Name: global
Config: { protocol: http, weft_trace_sampling_percent: 5 }
---
# Written before the entry that it needs.
Kind: service-resolver
Name: front
Redirect: { Service: web, ServiceSubset: v1 }
---
Kind: service-resolver
Name: web
Subsets: { v1: { Filter: 'Service.Meta.v == 1' } }
Meta: { weft_lb_policy: least_request }
---
service:
  name: caller
  port: 8080
  connect: { sidecar_service: { proxy: { upstreams: [{ destination_name: web, local_bind_port: 9191 }] } } }
`,
    );
    expect(await analyze(path)).toEqual({ code: 0, out: '0 errors, 0 warnings\n', errors: '' });
  });

  test('names entry, field and fix, and ends with 1', async () => {
    const path = file(
      'bad.yaml',
      `Kind: proxy-defaults
Name: global
Config: { protocol: http, weft_trace_samplng_percent: 5 }
---
kind: service-router
name: web
routes: [{ match: { http: { path_regex: '/(x' } } }]
---
Kind: service-splitter
Name: web
Splits: [{ Weight: 100, ServiceSubset: v9 }]
---
services:
  - name: caller
    port: 8080
    connect:
      sidecar_service:
        proxy:
          upstreams: [{ destination_name: web, local_bind_port: 9191, config: { weft_num_retries: 99 } }]
`,
    );
    const ended = await analyze('--json', path);
    expect(ended.code).toBe(1);
    expect(findingsOf(ended)).toMatchObject([
      {
        severity: 'error',
        kind: 'service-splitter',
        name: 'web',
        message: expect.stringContaining('named "v9"') as string,
      },
      {
        severity: 'error',
        where: 'registration caller-sidecar-proxy: upstream web',
        field: 'weft_num_retries',
        message: expect.stringContaining('from 0 to 10, not 99') as string,
      },
      {
        severity: 'error',
        kind: 'service-router',
        name: 'web',
        field: 'Routes[0].Match.HTTP.PathRegex',
        message: expect.stringContaining('no RE2 regular expression') as string,
      },
      {
        severity: 'warning',
        kind: 'proxy-defaults',
        name: 'global',
        field: 'Config.weft_trace_samplng_percent',
        message: expect.stringContaining('Did you mean "weft_trace_sampling_percent"?') as string,
      },
    ]);
    const text = await analyze(path);
    expect(text.code).toBe(1);
    expect(text.out).toContain('error: service-router/web: Routes[0].Match.HTTP.PathRegex: no RE2');
    expect(text.out).toMatch(/3 errors, 1 warnings\n$/);
  });

  test.each([
    ['a file that is not there', () => [join(folder, 'nowhere.yaml')], /cannot read .*nowhere\.yaml/],
    ['text that is no YAML', () => [file('broken.yaml', 'a: [\n')], /broken\.yaml: .* at line 2/],
    ['files and a Consul', () => [file('any.yaml', ''), '--consul', 'http://127.0.0.1:1'], /not both/],
    ['a Consul that does not answer', () => ['--consul', 'http://127.0.0.1:1'], /is a Consul agent running there/],
  ])('ends with 2 over %s', async (_, args, reason) => {
    const { code, out, errors } = await analyze(...args());
    expect([code, out]).toEqual([2, '']);
    expect(errors).toMatch(reason);
  });

  test('bombs of aliases are refused', async () => {
    const lines = [
      'a0: &a0 [x]',
      ...Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}, *a${at}]`),
    ];
    const { code, errors } = await analyze(file('bomb.yaml', lines.join('\n')));
    expect(code).toBe(2);
    expect(errors).toMatch(/alias/i);
  });
});

describe('weft analyze of a Consul', () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry({ port: 0 });
  });
  afterAll(async () => {
    await registry.stop();
  });
  const put = async (path: string, body: unknown): Promise<void> => {
    const response = await fetch(`${registry.url}${path}`, { method: 'PUT', body: JSON.stringify(body) });
    expect(response.status, await response.text()).toBe(200);
  };

  test('reads its entries and registrations, and names them with their index', async () => {
    await put('/v1/config', { Kind: 'service-resolver', Name: 'api', Meta: { weft_slow_start_ms: 'soon' } });
    await put('/v1/agent/service/register', {
      Name: 'web',
      Port: 8080,
      Connect: {
        SidecarService: {
          Proxy: { Upstreams: [{ DestinationName: 'api', LocalBindPort: 9191, Config: { weft_lb_polcy: 'random' } }] },
        },
      },
    });
    const ended = await analyze('--json', '--consul', registry.url);
    expect(ended.code).toBe(1);
    expect(findingsOf(ended)).toMatchObject([
      {
        severity: 'error',
        kind: 'service-resolver',
        name: 'api',
        where: expect.stringMatching(/^service-resolver\/api \(ModifyIndex \d+\): Meta$/) as string,
        field: 'Meta.weft_slow_start_ms',
      },
      { severity: 'warning', where: 'registration web-sidecar-proxy: upstream api', field: 'weft_lb_polcy' },
    ]);
  });
});
