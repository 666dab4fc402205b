import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runWeft } from './support/child-program.ts';
import { ask } from './support/exchange.ts';
import { type Instance, Mesh } from './support/mesh.ts';

const NOBODY = '127.0.0.1:1';
const POUR_MS = 300;

let folder: string;
let takenPort: number;
let holder: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-bad-input-'));
  holder = createServer();
  holder.listen(0, '127.0.0.1');
  await once(holder, 'listening');
  takenPort = (holder.address() as AddressInfo).port;
});

afterAll(() => {
  holder.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a program printed apart from its log: one line, and after it hints in brackets at most. */
function complaint(output: string): string {
  const lines = output.split('\n').filter((line) => line !== '' && !/^\d{4}-\d\d-\d\dT/.test(line));
  expect(
    lines.filter((line) => !line.startsWith('(')),
    output,
  ).toHaveLength(1);
  return lines.join(' ');
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe.concurrent('wrong usage ends with code 2 and one line that names it', () => {
  const sidecar = ['sidecar', '--admin', '127.0.0.1:0', '--no-state'];
  test.each<readonly [string, () => readonly string[], readonly string[]]>([
    ['an unknown command', () => ['registri'], ["'registri'", 'Did you mean registry']],
    ['an unknown flag', () => ['control', '--consol-port', '1'], ["'--consol-port'", '--console-port']],
    ['a port that is none', () => ['registry', '--port', '70000'], ['--port', '70000', 'between 0 and 65535']],
    ['an address that is none', () => [...sidecar, '--proxy-id', 'a', '--control', 'here'], ['--control', 'host:port']],
    ['no proxy id', () => sidecar, ['--proxy-id', '--bootstrap']],
    [
      'a bootstrap with a syntax error',
      () => [...sidecar, '--bootstrap', file('syntax.json', '{\n  "node": {"id": "a",,}\n}')],
      ['syntax.json:2:'],
    ],
    [
      'a bootstrap with unknown fields, all named',
      () => [
        ...sidecar,
        '--bootstrap',
        file('fields.json', '{"node": {"id": "a", "idd": 1}, "static_resources": {"listenerz": []}}'),
      ],
      ['fields.json', 'node.idd', 'static_resources.listenerz', 'did you mean listeners'],
    ],
    [
      'a bootstrap that is not there',
      () => [...sidecar, '--bootstrap', join(folder, 'nowhere.json')],
      ['nowhere.json'],
    ],
    ['a duration without a unit', () => ['demo', '--for', '20'], ['--for', '20s']],
  ])('%s', async (_, args, words) => {
    const { code, output } = await runWeft(args());
    const line = complaint(output);
    for (const word of words) expect(line).toContain(word);
    expect(code).toBe(2);
  });
});

describe('what stands in the way ends a program with code 1 and one line that names it', () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await Mesh.start();
  }, 60_000);
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  const consul = (): readonly string[] => ['control', '--consul', mesh.registryUrl];
  const sidecar = (id: string): readonly string[] => [
    ...['sidecar', '--proxy-id', id, '--control', `127.0.0.1:${mesh.xdsPort}`, '--no-state', '--concurrency', '1'],
    ...['--wait-for-config', '4s'],
  ];
  test.concurrent.each<readonly [string, () => readonly string[], () => readonly string[]]>([
    ["the registry's port is taken", () => ['registry', '--port', `${takenPort}`], () => [`${takenPort}`, '--port']],
    [
      'the xDS port is taken',
      () => [...consul(), '--port', `${takenPort}`, '--console-port', '0'],
      () => [`xDS server`, `${takenPort}`, 'free the port or give another'],
    ],
    [
      "the console's port is taken",
      () => [...consul(), '--port', '0', '--console-port', `${takenPort}`],
      () => [`console`, `${takenPort}`, 'free the port or give another'],
    ],
    [
      "a sidecar's admin port is taken",
      () => [...sidecar('a'), '--admin', `127.0.0.1:${takenPort}`],
      () => ['admin', `${takenPort}`, '--admin'],
    ],
    [
      'Consul does not answer',
      () => ['control', '--consul', `http://${NOBODY}`, '--port', '0', '--console-port', '0'],
      () => [NOBODY, 'ECONNREFUSED', 'Consul'],
    ],
    [
      'the control server does not answer',
      () => [
        'sidecar',
        '--proxy-id',
        'a',
        '--control',
        NOBODY,
        '--no-state',
        '--admin',
        '127.0.0.1:0',
        '--wait-for-config',
        '3s',
      ],
      () => [NOBODY, 'ECONNREFUSED', '--control'],
    ],
    [
      'nobody registered the proxy id',
      () => [...sidecar('nobody-1-sidecar-proxy'), '--admin', '127.0.0.1:0'],
      () => ['nobody-1-sidecar-proxy', 'not registered in Consul', 'connect.sidecar_service'],
    ],
  ])('%s', async (_, args, words) => {
    const { code, output } = await runWeft(args());
    const line = complaint(output);
    for (const word of words()) expect(line).toContain(word);
    expect(code).toBe(1);
  });

  test("a sidecar's listener cannot be bound", async () => {
    await mesh.registryPut('/v1/agent/service/register', {
      Name: 'web',
      Address: '127.0.0.1',
      Port: 1,
      Connect: { SidecarService: { Port: takenPort } },
    });
    const { code, output } = await runWeft([...sidecar('web-sidecar-proxy'), '--admin', '127.0.0.1:0']);
    const line = complaint(output);
    for (const word of ['public_listener', `127.0.0.1:${takenPort}`, 'another program holds it']) {
      expect(line).toContain(word);
    }
    expect(code).toBe(1);
  });

  test('an upstream without a port is refused where it is registered', async () => {
    const registration = {
      Name: 'web',
      Port: 1,
      Connect: { SidecarService: { Proxy: { Upstreams: [{ DestinationName: 'api' }] } } },
    };
    await expect(mesh.registryPut('/v1/agent/service/register', registration)).rejects.toThrow(
      /400 .*upstream local bind port or local socket path must be defined and nonzero/s,
    );
  });
});

describe('garbage', () => {
  let mesh: Mesh;
  let caller: Instance;
  let api: Instance;
  beforeAll(async () => {
    mesh = await Mesh.start();
    await mesh.registryPut('/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config: { protocol: 'http' } });
    api = await mesh.add({ service: 'api', instance: 'api-1' });
    caller = await mesh.add({ service: 'caller', instance: 'caller-1', upstreams: ['api'] });
  }, 60_000);
  afterAll(() => mesh?.[Symbol.asyncDispose]());

  const GARBAGE: Readonly<Record<string, Buffer>> = {
    nothing: Buffer.alloc(0),
    'random bytes': Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 167 + 89) % 256)),
    zeros: Buffer.alloc(20_000),
    'a request cut short': Buffer.from('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nshort'),
    'two lengths': Buffer.from('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'),
    'a head without end': Buffer.from(`GET / HTTP/1.1\r\n${'x-long: y\r\n'.repeat(20_000)}`),
    'an HTTP/2 preface and a broken frame': Buffer.from(
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u00ff\u00ff\u00ff\u0009\u00ff\u00ff\u00ff\u00ff\u00ff`,
      'latin1',
    ),
    'a TLS hello': Buffer.from('16030100c8010000c40303', 'hex'),
  };

  test.each(Object.keys(GARBAGE))('%s on every port ends no process', async (kind) => {
    const bytes = GARBAGE[kind] ?? Buffer.alloc(0);
    const ports = [
      ...[Number(new URL(mesh.registryUrl).port), mesh.xdsPort, mesh.consolePort],
      ...[Number(new URL(caller.adminUrl).port), Number(new URL(api.adminUrl).port)],
      ...[api.inboundPort, caller.inboundPort, caller.upstreamPort('api')],
    ];
    await Promise.all(ports.flatMap((port) => [pour(port, bytes, 'finished'), pour(port, bytes, 'reset')]));
    const programs = [mesh.registry, mesh.control, api.sidecar, caller.sidecar].filter((one) => one !== undefined);
    expect(programs.filter(({ isGone }) => isGone).map(({ name, output }) => `${name}\n${output}`)).toEqual([]);
    const answer = await ask({ port: caller.upstreamPort('api'), headers: { 'x-nonce': kind } });
    expect(answer.origin.nonce).toBe(kind);
    expect((await fetch(`${caller.adminUrl}/ready`)).status).toBe(200);
    expect((await fetch(`${mesh.registryUrl}/v1/status/leader`)).status).toBe(200);
    const { consul, sidecars } = await mesh.overview();
    expect(consul.state).toBe('up');
    expect(sidecars.map(({ id }) => id).sort()).toEqual([api.proxyId, caller.proxyId]);
  });
});

/** Sends it, then says that it is done; or stays until time is up and goes away without a word. */
function pour(port: number, bytes: Buffer, end: 'finished' | 'reset'): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).on('close', () => resolve());
    socket.resume();
    socket.setTimeout(POUR_MS, () => socket.resetAndDestroy());
    if (end === 'finished') socket.end(bytes);
    else socket.write(bytes);
  });
}
