import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { type Document, parseAllDocuments } from 'yaml';
import type { Finding } from '../control/analyze.ts';
import { consulSettings, type Environment } from './environment.ts';
import { UsageError } from './usage-error.ts';

interface AnalyzeOptions {
  readonly consul: string | undefined;
  readonly json: boolean;
}

/** More than anybody writes by hand. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_YAML_ALIASES = 100;

/** `weft analyze`: what is wrong with config entries and registrations, before or while they are in Consul. */
export function analyzeCommand(environment: Environment): Command {
  return new Command('analyze')
    .description(
      'Say what is wrong with config entries and registrations: in files (JSON or YAML), or in a Consul. Ends with 0 where ' +
        'there is no error, 1 where there is one, 2 where nothing could be looked at.',
    )
    .argument('[files...]', 'files of config entries and service registrations; none: ask Consul')
    .option('--consul <url>', 'Consul HTTP API, several separated by commas (or CONSUL_HTTP_ADDR)')
    .option('--json', 'print findings as JSON', false)
    .action(async (files: readonly string[], options: AnalyzeOptions) => {
      if (files.length > 0 && options.consul !== undefined) {
        throw new UsageError('analyze: name files, or a Consul with --consul, not both');
      }
      const findings = files.length > 0 ? await analyzeFiles(files) : await analyzeConsul(options.consul, environment);
      process.stdout.write(options.json ? `${JSON.stringify({ findings }, undefined, 2)}\n` : report(findings));
      if (findings.some(({ severity }) => severity === 'error')) process.exitCode = 1;
    });
}

async function analyzeConsul(option: string | undefined, environment: Environment): Promise<readonly Finding[]> {
  const { analyze, readConsul } = await import('../control/analyze.ts');
  const access = consulSettings(option, environment);
  const everything = await readConsul(access).catch((error: unknown) => {
    throw new UsageError(`analyze: ${error instanceof Error ? error.message : String(error)}`);
  });
  return analyze(everything);
}

async function analyzeFiles(files: readonly string[]): Promise<readonly Finding[]> {
  const { analyze } = await import('../control/analyze.ts');
  const { dryRun } = await import('../registry/dry-run.ts');
  const { entries, services, refusals } = dryRun(files.flatMap(readDocuments));
  const node = { Node: { Node: 'files', Address: '127.0.0.1', Datacenter: 'dc1' }, Services: services };
  const refused = refusals.map(({ where, message }): Finding => {
    const [, kind = '', name = ''] = /^([a-z-]+)\/(\S+)$/.exec(where) ?? [];
    return { severity: 'error', kind, name, where, field: '', message };
  });
  // What is not in Consul yet has no index.
  const found = analyze({ entries, nodes: [node] }).map((finding) => ({
    ...finding,
    where: finding.where.replace(/ \(ModifyIndex \d+\)/, ''),
  }));
  return [...refused, ...found];
}

/** One file holds one document, a list of them, or several divided by `---`. JSON is YAML, too. */
function readDocuments(file: string): readonly (readonly [string, unknown])[] {
  const documents = parseAllDocuments(readText(file), { prettyErrors: true });
  return [...documents].flatMap((document, at): readonly (readonly [string, unknown])[] => {
    const place = documents.length > 1 ? `${file}: document ${at + 1}` : file;
    const value = plainValue(document, place);
    if (!Array.isArray(value)) return value === null ? [] : [[place, value]];
    return value.map((item: unknown, index) => [`${place}[${index}]`, item]);
  });
}

function plainValue(document: Document.Parsed, place: string): unknown {
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`analyze: ${place}: ${error.message.replaceAll('\n', ' ')}`);
  try {
    return document.toJS({ maxAliasCount: MAX_YAML_ALIASES });
  } catch (cause) {
    throw new UsageError(`analyze: ${place}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function readText(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= MAX_FILE_BYTES) return text;
  } catch (cause) {
    throw new UsageError(`analyze: cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  throw new UsageError(`analyze: ${file} is larger than ${MAX_FILE_BYTES} bytes`);
}

/** One line each, errors first: what, where, why and what to do. */
function report(findings: readonly Finding[]): string {
  const lines = findings.map(({ severity, where, field, message }) => {
    const isTold = field === '' || message.includes(`"${field.slice(field.lastIndexOf('.') + 1)}"`);
    return `${severity}: ${isTold ? where : `${where}: ${field}`}: ${message.trimEnd()}\n`;
  });
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return `${lines.join('')}${errors} errors, ${findings.length - errors} warnings\n`;
}
