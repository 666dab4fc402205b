/**
 * Writes docs/conformance/http1.md from a run of every test named `row NN: …`, wherever it stands.
 * `node test/conformance/http1/generate.ts`; exit code 1 where a row failed, the page is written all the same.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ConformanceRow, ROWS } from './rows.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = join(REPOSITORY, 'docs/conformance/http1.md');
const VITEST = join(REPOSITORY, 'node_modules/vitest/vitest.mjs');
const ROW_TITLE = /^row (\d\d): (.*)$/;
const RUN_TIMEOUT_MS = 300_000;

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ title: z.string(), status: z.string() })),
    }),
  ),
});

interface RowTest {
  readonly title: string;
  readonly file: string;
  readonly passed: boolean;
}

function runRowTests(): Map<number, RowTest[]> {
  const directory = mkdtempSync(join(tmpdir(), 'http1-conformance-'));
  try {
    const output = join(directory, 'report.json');
    const filter = ['run', '--testNamePattern', 'row [0-9][0-9]:', '--reporter=json', `--outputFile=${output}`];
    spawnSync(process.execPath, [VITEST, ...filter], { cwd: REPOSITORY, stdio: 'inherit', timeout: RUN_TIMEOUT_MS });
    return collect(Report.parse(JSON.parse(readFileSync(output, 'utf8'))));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function collect(report: z.infer<typeof Report>): Map<number, RowTest[]> {
  const rows = new Map<number, RowTest[]>();
  for (const { name, assertionResults } of report.testResults) {
    // HTTP/2 numbers the rows of a checklist of its own.
    if (name.includes('http2')) continue;
    for (const { title, status } of assertionResults) {
      const [, number, behaviour] = ROW_TITLE.exec(title) ?? [];
      if (number === undefined || behaviour === undefined || status === 'skipped' || status === 'pending') continue;
      const tests = rows.get(Number(number)) ?? [];
      tests.push({ title: behaviour, file: relative(REPOSITORY, name), passed: status === 'passed' });
      rows.set(Number(number), tests);
    }
  }
  return rows;
}

function resultOf({ decidedBy }: ConformanceRow, tests: readonly RowTest[]): string {
  if (tests.some(({ passed }) => !passed)) return '**failed**';
  if (tests.length === 0) return 'no test yet';
  const isCodecOnly = tests.every(({ file }) => file.startsWith('src/http/'));
  return decidedBy === 'both' && isCodecOnly ? 'passed (codec part)' : 'passed';
}

function escapeCell(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|');
}

function tableLine(row: ConformanceRow, tests: readonly RowTest[]): string {
  const names = tests.map(({ title, file }) => `${escapeCell(title)} (\`${file}\`)`).join('<br>');
  return `| ${row.row} | ${escapeCell(row.behaviour)} | ${names} | ${resultOf(row, tests)} |`;
}

function page(rows: ReadonlyMap<number, readonly RowTest[]>): string {
  const lines = ROWS.map((row) => tableLine(row, rows.get(row.row) ?? []));
  const tested = ROWS.filter(({ row }) => (rows.get(row)?.length ?? 0) > 0).length;
  return [
    '# HTTP/1.1 conformance',
    '',
    'What the sidecar does with each kind of hostile or unusual HTTP/1.1 message. Where the RFCs leave a choice it refuses and',
    'closes. Made by `node test/conformance/http1/generate.ts` from a run of the tests it names; do not edit.',
    '',
    `${tested} of ${ROWS.length} rows have tests.`,
    '',
    '| row | behaviour | tests | result |',
    '|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

const rows = runRowTests();
mkdirSync(join(PAGE, '..'), { recursive: true });
writeFileSync(PAGE, page(rows));
const failed = [...rows.values()].flat().filter(({ passed }) => !passed);
for (const { title, file } of failed) console.error(`failed: ${title} (${file})`);
process.exitCode = failed.length > 0 ? 1 : 0;
