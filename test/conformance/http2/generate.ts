/**
 * Writes docs/conformance/http2.md from a run of the tests of HTTP/2: the attacks, h2spec, and what the codec promises.
 * `node test/conformance/http2/generate.ts`; exit code 1 where a test failed, the page is written all the same.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { peerBinary } from '../../peers/install/locate.ts';
import { runH2spec } from '../../peers/support/h2spec.ts';
import { startEchoServer } from './echo-server.ts';
import { ATTACK_ROWS, type AttackRow } from './rows.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = join(REPOSITORY, 'docs/conformance/http2.md');
const VITEST = join(REPOSITORY, 'node_modules/vitest/vitest.mjs');
const TESTS = [
  'test/conformance/http2',
  'src/http/http2',
  'src/sidecar/listener/http2',
  'src/sidecar/listener/grpc.test',
  'src/sidecar/listener/grpc-limits',
  'src/sidecar/listener/declared-lengths',
];
const BRIDGES = 'src/sidecar/listener/websocket';
const ATTACK_TITLE = /^attack (\d\d): (.*)$/;
const RUN_TIMEOUT_MS = 600_000;
/** h2spec's chapters, strict rules included. */
const H2SPEC_SECTIONS = ['generic', 'http2', 'hpack'];

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(
        z.object({ title: z.string(), ancestorTitles: z.array(z.string()), status: z.string() }),
      ),
    }),
  ),
});

interface Proof {
  readonly title: string;
  readonly file: string;
  readonly passed: boolean;
}

function runTests(): Proof[] {
  const directory = mkdtempSync(join(tmpdir(), 'http2-conformance-'));
  try {
    const output = join(directory, 'report.json');
    const args = ['run', ...TESTS, BRIDGES, '--reporter=json', `--outputFile=${output}`];
    spawnSync(process.execPath, [VITEST, ...args], { cwd: REPOSITORY, stdio: 'inherit', timeout: RUN_TIMEOUT_MS });
    const { testResults } = Report.parse(JSON.parse(readFileSync(output, 'utf8')));
    return testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ title, ancestorTitles, status }) => ({
        title: ATTACK_TITLE.test(title) ? title : [...ancestorTitles, title].join(': '),
        file: relative(REPOSITORY, name),
        passed: status === 'passed',
      })),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runSections(): Promise<string[]> {
  if (peerBinary('h2spec') === undefined) return ['h2spec was not installed when this page was made: `npm run peers`.'];
  const server = await startEchoServer();
  try {
    const lines = ['| chapter | passed | failed | skipped |', '|---|---|---|---|'];
    for (const section of H2SPEC_SECTIONS) {
      const { passed, failures, skipped } = await runH2spec({ port: server.port, sections: ['--strict', section] });
      lines.push(`| ${section} | ${passed} | ${failures.length} | ${skipped} |`);
    }
    return lines;
  } finally {
    await server.close();
  }
}

function escapeCell(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('|', '\\|')
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n')
    .replaceAll('\0', '\\0');
}

function attackLine({ row, attack, known, behaviour }: AttackRow, proofs: readonly Proof[]): string {
  const own = proofs.filter(({ title }) => ATTACK_TITLE.exec(title)?.[1] === row);
  const names = [...new Set(own.map(({ title }) => escapeCell(ATTACK_TITLE.exec(title)?.[2] ?? '')))].join('<br>');
  const result = own.length === 0 ? 'no test' : own.every(({ passed }) => passed) ? 'passed' : '**failed**';
  return `| ${row} | ${attack} | ${known} | ${behaviour} | ${names} | ${result} |`;
}

/** What is promised beside the attacks, file by file. */
function ruleLines(proofs: readonly Proof[]): string[] {
  const byFile = new Map<string, Proof[]>();
  for (const proof of proofs) {
    if (ATTACK_TITLE.test(proof.title)) continue;
    byFile.set(proof.file, [...(byFile.get(proof.file) ?? []), proof]);
  }
  return [...byFile]
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([file, list]) => [
      '',
      `### \`${file}\``,
      '',
      ...list.map(({ title, passed }) => `- ${escapeCell(title)}${passed ? '' : ': **failed**'}`),
    ]);
}

const proofs = runTests();
const sections = await runSections();
const failed = proofs.filter(({ passed }) => !passed);
mkdirSync(join(PAGE, '..'), { recursive: true });
const page = [
  '# HTTP/2 conformance',
  '',
  'What the sidecar does with HTTP/2 as its peers write it, and with what some of them write on purpose. Made by',
  '`node test/conformance/http2/generate.ts` from a run of the tests it names; do not edit.',
  '',
  `${proofs.length} tests, ${failed.length} failed.`,
  '',
  '## Attacks',
  '',
  'Each is made against a whole listener (sockets, connection manager, router, an app) by a client that reads nothing, while',
  'somebody else is served. It must be cut off or refused for a reason that is counted by name',
  '(`http.PREFIX.downstream_http2_REASON`) while the clock of the listener stands still, and what it makes the process keep',
  'stays below 8 MiB, the requests at work included: with the 100 streams of an edge, and with the 1,000 of a mesh. The same',
  'attacks on the codec alone stand in `test/conformance/http2/attacks-*.test.ts`; `npm run bench -- attacks` takes their time.',
  '',
  '| row | attack | known as | what must happen | tried as | result |',
  '|---|---|---|---|---|---|',
  ...ATTACK_ROWS.map((row) => attackLine(row, proofs)),
  '',
  '## h2spec',
  '',
  'Version 2.2.1, `--strict`, against the codec in plain text. `npm run test:peers -- h2spec` runs it twenty times, and as often',
  "against a sidecar's listeners with codec_type HTTP2, with AUTO, and over TLS where ALPN says `h2`.",
  '',
  ...sections,
  '',
  '## Rules, by the tests that hold them',
  ...ruleLines(proofs),
  '',
];
writeFileSync(PAGE, page.join('\n'));
for (const { title, file } of failed) console.error(`failed: ${title} (${file})`);
process.exitCode = failed.length > 0 ? 1 : 0;
