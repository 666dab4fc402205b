/**
 * `npm run bench -- SUITE… [--json FILE] [--svg FILE] [--rounds N] [--quick] [--only PEER,PEER] [--streams N,N]`
 *
 * Side-by-side measurements on this machine, interleaved, as ratios within one run. Installs nothing: peers that are not
 * found are named under `missing`.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chartSvg } from './harness/chart.ts';
import { controlPlaneChart } from './harness/control-plane-chart.ts';
import type { BenchOptions } from './harness/options.ts';
import type { SuiteReport } from './harness/report.ts';
import { reportText } from './harness/report-text.ts';
import { SUITES } from './suites/suites.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    svg: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string' },
    streams: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});

const unknown = positionals.filter((name) => !(name in SUITES));
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(
    `bench: ${unknown.length > 0 ? `no suite ${unknown.join(', ')}` : 'name a suite'}; there are: ${Object.keys(SUITES).join(', ')}\n`,
  );
  process.exit(2);
}

const abort = new AbortController();
process.on('SIGINT', () => abort.abort());
process.on('SIGTERM', () => abort.abort());

const options: BenchOptions = {
  rounds: values.rounds === undefined ? (values.quick ? 2 : 5) : Number(values.rounds),
  secondsPerRound: values.seconds === undefined ? (values.quick ? 2 : 5) : Number(values.seconds),
  only: values.only?.split(','),
  streams: values.streams?.split(',').map(Number),
  signal: abort.signal,
  progress: (line) => process.stderr.write(`${line}\n`),
};

const reports: SuiteReport[] = [];
for (const name of positionals) {
  const suite = SUITES[name];
  if (suite !== undefined && !abort.signal.aborted) reports.push(await suite(options));
}
process.stdout.write(`${reports.map(reportText).join('\n\n')}\n`);
const [onlyReport] = reports;
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(reports.length === 1 ? onlyReport : reports, null, 2)}\n`);
}
if (values.svg !== undefined) {
  const controlPlane = reports.flatMap((report) => report.controlPlane ?? []);
  writeFileSync(values.svg, controlPlane.length > 0 ? controlPlaneChart(controlPlane) : chartSvg(reports));
}
process.exit(abort.signal.aborted ? 130 : 0);
