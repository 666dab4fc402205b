import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument } from 'yaml';
import type { BootstrapFile } from '../resource/bootstrap.ts';
import { decodeBootstrap } from '../resource/bootstrap-decode.ts';
import { UsageError } from './usage-error.ts';

/** Reads an Envoy bootstrap in JSON or YAML (JSON is YAML). Throws a UsageError that lists every fault with its place. */
export async function readBootstrapFile(path: string): Promise<BootstrapFile> {
  const decoded = decodeBootstrap(await parsedFile(path));
  if (decoded.ok) return decoded.value;
  throw new UsageError(`${path}: ${decoded.faults.map((fault) => `${fault.field}: ${fault.message}`).join('; ')}`);
}

async function parsedFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--bootstrap: cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [first] = document.errors;
  if (first !== undefined) {
    const { line, col } = lines.linePos(first.pos[0]);
    throw new UsageError(`${path}:${line}:${col}: ${first.message}`);
  }
  return document.toJS({ maxAliasCount: 100 });
}
