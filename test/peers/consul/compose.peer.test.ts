import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { composeFolder, readComposeFile, readRegistrations } from '../../deploy/compose-file.ts';
import { layOutImage } from '../../deploy/image-layout.ts';
import { callTree } from '../../mesh/support/call-tree.ts';
import { ChildProgram } from '../../mesh/support/child-program.ts';
import { freePort } from '../../mesh/support/free-ports.ts';
import { until } from '../../mesh/support/waiting.ts';
import { startConsul } from '../support/consul.ts';
import { startJaeger } from '../support/jaeger.ts';
import { tracesOf } from '../support/jaeger-traces.ts';
import { describeWithPeer } from '../support/peer.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';

/** Every address of 127.0.0.0/8 is this machine's: each container's address becomes one of its own. */
const ON_LOOPBACK = { from: '172.30.77.', to: '127.30.77.' };
const MESH_WITHIN_MS = 60_000;

describeWithPeer(['consul', 'jaeger'], 'deploy/compose', () => {
  test('every command of the Compose file, from the files of the image, makes one mesh', async () => {
    const directory = makeTempDirectory('compose');
    const programs: ChildProgram[] = [];
    try {
      await layOutImage(join(directory.path, 'image'));
      await using consul = await startConsul({ hcl: registrationsOnLoopback(join(directory.path, 'consul')) });
      await using jaeger = await startJaeger();
      const { services } = readComposeFile();
      const xdsPort = await freePort();
      const consolePort = await freePort();
      const places: Readonly<Record<string, string>> = {
        'http://consul:8500': consul.httpAddress,
        'http://jaeger:4318': jaeger.otlpHttpAddress,
        'control:18000': `127.0.0.1:${xdsPort}`,
        '0.0.0.0': '127.0.0.1',
        '/var/lib/weft/control': join(directory.path, 'control-state'),
        '/sample/sample-service.ts': join(composeFolder, 'sample-service.ts'),
      };
      const placed = (text: string): string => places[text] ?? text;
      for (const [name, service] of Object.entries(services)) {
        if (name === 'consul' || name === 'jaeger') continue;
        // All containers have these ports to themselves; programs of one machine do not.
        const own = name === 'control' ? ['--port', String(xdsPort), '--console-port', String(consolePort)] : [];
        const admin = name.endsWith('-sidecar') ? ['--admin', '127.0.0.1:0', '--concurrency', '1'] : [];
        const program = service.entrypoint?.slice(1) ?? [join(directory.path, 'image/dist/src/cli/main.js')];
        const args = [...program, ...(service.command ?? [])].map(placed);
        const environment = Object.entries(service.environment ?? {}).map(([key, value]) => [key, placed(value)]);
        programs.push(
          new ChildProgram({
            name,
            args: [...args, ...own, ...admin],
            env: { XDG_CACHE_HOME: directory.path, ...Object.fromEntries(environment) },
          }),
        );
        if (name === 'control') await programs.at(-1)?.said(/xDS on/);
      }

      const [front] = readRegistrations();
      const address = front?.address.replace(ON_LOOPBACK.from, ON_LOOPBACK.to);
      const url = `http://${address}:${front?.connect.sidecar_service.port}/`;
      const seen = new Set<string>();
      await until(
        'answers of the whole mesh, with both instances of catalog',
        async () => {
          const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
          const text = await response.text();
          if (response.status !== 200) throw new Error(`${response.status} ${text}`);
          for (const [instance] of text.matchAll(/catalog-\d/g)) seen.add(instance);
          return seen.size === 2 ? true : undefined;
        },
        MESH_WITHIN_MS,
      );
      const trace = await until('a trace of the whole call', async () => {
        const traces = await tracesOf(jaeger.queryAddress, 'front');
        return traces.find(({ spans }) => spans.length === 7);
      });
      expect(callTree(trace.spans)).toEqual([
        'front server',
        '  front client',
        '    cart server',
        '      cart client',
        '        catalog server',
        '  front client',
        '    catalog server',
      ]);
      await allPass(consul.httpAddress);
      expect(readdirSync(join(directory.path, 'control-state')).length).toBeGreaterThan(0);
      for (const program of programs.toReversed()) {
        const end = await program.stop();
        expect(end, program.output).toEqual({ code: 0, signal: null });
      }
    } finally {
      for (const program of programs) await program[Symbol.asyncDispose]();
      directory.remove();
    }
  });
});

/** The folder that the Compose file mounts into Consul's container, as pieces of configuration, at addresses of this machine. */
function registrationsOnLoopback(folder: string): readonly string[] {
  mkdirSync(folder);
  cpSync(join(composeFolder, 'consul'), folder, { recursive: true });
  return readdirSync(folder).map((name) => {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8').replaceAll(ON_LOOPBACK.from, ON_LOOPBACK.to);
    writeFileSync(path, text);
    return text;
  });
}

async function allPass(consulUrl: string): Promise<void> {
  await until('all checks to pass', async () => {
    const checks = (await (await fetch(`${consulUrl}/v1/agent/checks`)).json()) as Record<string, { Status: string }>;
    const failing = Object.entries(checks).filter(([, { Status }]) => Status !== 'passing');
    if (failing.length > 0) throw new Error(JSON.stringify(failing));
    return Object.keys(checks).length >= 8 ? true : undefined;
  });
}
