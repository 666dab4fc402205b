import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startRegistry } from '../../../src/registry/registry.ts';
import { freePort } from '../../mesh/support/free-ports.ts';
import { startOrigin } from '../../mesh/support/origin.ts';
import { startConsul } from '../support/consul.ts';
import { startJaeger } from '../support/jaeger.ts';
import { describeWithPeer } from '../support/peer.ts';
import { makeTempDirectory } from '../support/temp-directory.ts';
import { type PageCommand, pageCommands, shownPattern, withValues } from './page-commands.ts';
import { ReaderShell, Terminal } from './reader-shell.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/deploy/beside-your-service.md'), 'utf8');
const VALUES_SECTION = '1. Say where things are';
const UNDO_SECTION = '9. Undo it';

describeWithPeer(['consul', 'jaeger'], 'docs/deploy/beside-your-service.md', () => {
  const agents = [
    { agent: 'a real Consul', start: () => startConsul() },
    { agent: 'the embedded registry', start: startEmbedded },
  ];
  test.each(agents)('every command does what the page says, in order, beside $agent', async ({ start }) => {
    await using consul = await start();
    await using jaeger = await startJaeger();
    const web = await startOrigin({ service: 'web', instance: 'web-1' });
    const directory = makeTempDirectory('page');
    const terminals: Terminal[] = [];
    try {
      await using shell = new ReaderShell({ directory: directory.path });
      const [values, ...commands] = pageCommands(PAGE);
      if (values?.section !== VALUES_SECTION) throw new Error(`the page no longer begins with ${VALUES_SECTION}`);
      const script = withValues(values.script, {
        PATH: `"${join(ROOT, 'bin')}:$PATH"`,
        CONSUL_HTTP_ADDR: consul.httpAddress,
        WEB_PORT: String(web.port),
        OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpHttpAddress,
        JAEGER_URL: jaeger.queryAddress,
        WEB_SIDECAR_PORT: String(await freePort()),
        CLIENT_SIDECAR_PORT: String(await freePort()),
        CLIENT_UPSTREAM_PORT: String(await freePort()),
        XDS_PORT: String(await freePort()),
        CONSOLE_PORT: String(await freePort()),
        WEB_ADMIN_PORT: String(await freePort()),
        CLIENT_ADMIN_PORT: String(await freePort()),
      });
      await follow({ ...values, script }, shell, directory.path, terminals);
      for (const command of commands) {
        if (command.section === UNDO_SECTION) await endAll(terminals);
        await follow(command, shell, directory.path, terminals);
      }
      // Both ways led to the service, and nothing of ours is left in Consul.
      expect(web.arrived).toBeGreaterThanOrEqual(3);
      expect(await answerOf(`${consul.httpAddress}/v1/catalog/services`)).toEqual({ consul: [] });
      expect(await answerOf(`${consul.httpAddress}/v1/config/service-defaults`)).toEqual([]);
      expect(terminals).toEqual([]);
    } finally {
      for (const terminal of terminals) await terminal[Symbol.asyncDispose]();
      await web.stop();
      directory.remove();
    }
  });
});

/** The page offers it to those who have no Consul at hand. */
async function startEmbedded(): Promise<AsyncDisposable & { readonly httpAddress: string }> {
  const registry = await startRegistry({ port: 0 });
  return { httpAddress: registry.url, [Symbol.asyncDispose]: () => registry.stop() };
}

async function follow(
  { kind, script, shown, line }: PageCommand,
  shell: ReaderShell,
  directory: string,
  terminals: Terminal[],
): Promise<void> {
  if (kind === 'own-terminal') {
    const terminal = new Terminal({ directory, args: ['-euc', script] });
    terminals.push(terminal);
    for (const each of shown) await terminal.shows(shownPattern(each));
    return;
  }
  const output = await shell.run(script);
  for (const each of shown) expect(output, `output of the commands of line ${line}`).toMatch(shownPattern(each));
}

/** As the page tells: Ctrl-C in each, the newest first. */
async function endAll(terminals: Terminal[]): Promise<void> {
  for (let terminal = terminals.pop(); terminal !== undefined; terminal = terminals.pop()) {
    expect(await terminal.end('SIGINT'), terminal.output).toBe(0);
  }
}

async function answerOf(address: string): Promise<unknown> {
  return (await fetch(address, { signal: AbortSignal.timeout(5_000) })).json();
}
