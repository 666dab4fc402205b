import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirePeer } from './peer.ts';
import { makeTempDirectory } from './temp-directory.ts';

const CASE_TIMEOUT_SECONDS = 2;
const RUN_TIMEOUT_MS = 100_000;

export interface H2specOptions {
  readonly port: number;
  readonly path?: string;
  /** TLS with a certificate that is not checked. */
  readonly tls?: boolean;
  /** Such as `generic/1` or `http2/6.5`; all of them when left out. */
  readonly sections?: readonly string[];
}

export interface H2specResult {
  readonly passed: number;
  readonly skipped: number;
  /** `SECTION: what it demands`, one for each case that failed. */
  readonly failures: readonly string[];
}

/** Runs h2spec against an HTTP/2 server on the loopback address. */
export async function runH2spec({
  port,
  path = '/',
  tls = false,
  sections = [],
}: H2specOptions): Promise<H2specResult> {
  const directory = makeTempDirectory('h2spec');
  const reportPath = join(directory.path, 'report.xml');
  const args = ['--host', '127.0.0.1', '--port', String(port), '--path', path]
    .concat(['--timeout', String(CASE_TIMEOUT_SECONDS), '--junit-report', reportPath])
    .concat(tls ? ['--tls', '--insecure'] : [], sections);
  try {
    const output = await execute(requirePeer('h2spec'), args);
    return parseReport(readFileSync(reportPath, 'utf8'), output);
  } finally {
    directory.remove();
  }
}

/** The program's output; a failed case is an exit code of 1 and no error of ours. */
function execute(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: RUN_TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error !== null && error.code !== 1) reject(new Error(`h2spec: ${error.message}\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
  });
}

/** Reads the JUnit report, which h2spec always writes in the same shape: one `testcase` element for each case. */
function parseReport(xml: string, output: string): H2specResult {
  const cases = xml.match(/<testcase[\s\S]*?<\/testcase>/g) ?? [];
  if (cases.length === 0) throw new Error(`h2spec ran nothing\n${output}`);
  const skipped = cases.filter((element) => element.includes('<skipped')).length;
  const failures = cases.filter((element) => /<failure|<error/.test(element)).map(describeCase);
  return { passed: cases.length - skipped - failures.length, skipped, failures };
}

function describeCase(element: string): string {
  const attribute = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(element)?.[1] ?? '';
  return `${attribute('package')}: ${attribute('classname')}`;
}
