import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/** Everything a node had in force, as bytes by type. */
export interface LastGoodConfig {
  /** A config belongs to one proxy: another one's is refused. */
  readonly nodeId: string;
  readonly types: ReadonlyMap<string, readonly LastGoodResource[]>;
}

export interface LastGoodResource {
  readonly name: string;
  readonly version: string;
  readonly message: Buffer;
  /** How long it lives without being renewed; undefined is for ever. */
  readonly ttlMs?: number;
}

/** What reading the file gave. Refused is never half applied: the file is as good as absent, and says why. */
export type LastGoodLoad =
  | { readonly kind: 'none' }
  | { readonly kind: 'loaded'; readonly config: LastGoodConfig; readonly savedAtWallMs: number }
  | { readonly kind: 'refused'; readonly reason: string };

/** First word of the file; the number moves when older readers could not read it. */
const FORMAT = 'weft-last-good-1';
/** Larger than any mesh one sidecar should see; a larger file is somebody's mistake. */
export const MAX_LAST_GOOD_BYTES = 128 * 1024 * 1024;
const MAX_HEADER_BYTES = 200;

/** The file's body. Messages are base64, so that it can be looked at with any JSON tool. */
interface Body {
  readonly nodeId: string;
  readonly savedAtWallMs: number;
  readonly types: Readonly<Record<string, readonly StoredResource[]>>;
}

/** Few resources have a time to live: only those have a fourth part. */
type StoredResource = readonly [name: string, version: string, message: string, ttlMs?: number];

/** Header line (format, sha256 of the body, its length), then the body as JSON. */
export function encodeLastGoodConfig(config: LastGoodConfig, savedAtWallMs: number): Buffer {
  const types = Object.fromEntries(
    [...config.types].map(([typeUrl, resources]) => [
      typeUrl,
      resources.map(({ name, version, message, ttlMs }): StoredResource => {
        const text = message.toString('base64');
        return ttlMs === undefined ? [name, version, text] : [name, version, text, ttlMs];
      }),
    ]),
  );
  const body = Buffer.from(JSON.stringify({ nodeId: config.nodeId, savedAtWallMs, types } satisfies Body));
  return Buffer.concat([Buffer.from(`${FORMAT} ${sha256(body)} ${body.length}\n`), body]);
}

/** Reads what {@link encodeLastGoodConfig} wrote, or says what is wrong with it. */
export function decodeLastGoodConfig(bytes: Buffer, nodeId: string): LastGoodLoad {
  const endOfHeader = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a);
  if (endOfHeader === -1) return refused('has no header line');
  const [format, digest, length, ...rest] = bytes.toString('latin1', 0, endOfHeader).split(' ');
  if (format !== FORMAT) return refused(`is not of the format ${FORMAT}`);
  const body = bytes.subarray(endOfHeader + 1);
  if (rest.length > 0 || String(body.length) !== length) {
    return refused(
      `is cut short or has grown: ${body.length} bytes follow the header, which says ${length ?? 'nothing'}`,
    );
  }
  if (sha256(body) !== digest) return refused('is damaged: its checksum does not match');
  const parsed = parseBody(body);
  if (parsed === undefined) return refused('has a body of unknown shape');
  if (parsed.nodeId !== nodeId) return refused(`belongs to node "${parsed.nodeId}", this is "${nodeId}"`);
  const types = new Map<string, LastGoodResource[]>();
  for (const [typeUrl, resources] of Object.entries(parsed.types)) {
    const decoded = resources.map(([name, version, message, ttlMs]) => ({
      name,
      version,
      message: Buffer.from(message, 'base64'),
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }));
    types.set(typeUrl, decoded);
  }
  return { kind: 'loaded', config: { nodeId, types }, savedAtWallMs: parsed.savedAtWallMs };
}

/** Reads the file; never throws. */
export function loadLastGoodConfig(file: string, nodeId: string, maxBytes = MAX_LAST_GOOD_BYTES): LastGoodLoad {
  try {
    const { size } = statSync(file);
    if (size > maxBytes) return refused(`is ${size} bytes, at most ${maxBytes} are read`, file);
    const loaded = decodeLastGoodConfig(readFileSync(file), nodeId);
    return loaded.kind === 'refused' ? refused(loaded.reason, file) : loaded;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'none' };
    return refused(`cannot be read: ${error instanceof Error ? error.message : String(error)}`, file);
  }
}

/** When to write: soon after a change, and not more often than the disk deserves. */
export interface LastGoodWriterOptions {
  readonly file: string;
  /** Called when it is time to write, for the state of that moment. */
  readonly read: () => LastGoodConfig;
  readonly wallMs: () => number;
  readonly onError: (message: string) => void;
  readonly delayMs?: number;
  readonly maxBytes?: number;
}

const DEFAULT_DELAY_MS = 1000;

/** Keeps the file up to date: whole or not at all, at most once per delay however many changes come. */
export class LastGoodConfigWriter {
  readonly #options: LastGoodWriterOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Files written and failures, for views. */
  readonly counters = { written: 0, failed: 0 };

  constructor(options: LastGoodWriterOptions) {
    this.#options = options;
  }

  /** Something changed. The first change of a burst sets the time; later ones ride along. */
  schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), this.#options.delayMs ?? DEFAULT_DELAY_MS);
    this.#timer.unref();
  }

  /** Writes now if something is waiting to be written; for the end of the process. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#write();
  }

  #write(): void {
    const { file, read, wallMs, onError, maxBytes = MAX_LAST_GOOD_BYTES } = this.#options;
    try {
      const bytes = encodeLastGoodConfig(read(), wallMs());
      if (bytes.length > maxBytes) throw new Error(`${bytes.length} bytes, at most ${maxBytes} are kept`);
      replaceFile(file, bytes);
      this.counters.written += 1;
    } catch (error) {
      this.counters.failed += 1;
      const reason = error instanceof Error ? error.message : String(error);
      onError(`last good config: ${file} cannot be written (the one before stays): ${reason}`);
    }
  }
}

/** Temporary file, fsync, rename, fsync of the folder: after a power cut there is the old file or the new one. */
function replaceFile(file: string, bytes: Buffer): void {
  const folder = path.dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    withOpen(temporary, 'w', (descriptor) => {
      for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
      fsyncSync(descriptor);
    });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  withOpen(folder, 'r', fsyncSync);
}

function withOpen(file: string, flags: string, use: (descriptor: number) => void): void {
  const descriptor = openSync(file, flags, 0o600);
  try {
    use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function parseBody(bytes: Buffer): Body | undefined {
  try {
    const body: unknown = JSON.parse(bytes.toString());
    return isBody(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function isBody(body: unknown): body is Body {
  if (typeof body !== 'object' || body === null) return false;
  if (!('nodeId' in body) || typeof body.nodeId !== 'string') return false;
  if (!('savedAtWallMs' in body) || typeof body.savedAtWallMs !== 'number') return false;
  if (!('types' in body) || typeof body.types !== 'object' || body.types === null) return false;
  return Object.values(body.types).every((resources) => Array.isArray(resources) && resources.every(isResource));
}

function isResource(resource: unknown): boolean {
  if (!Array.isArray(resource) || resource.length < 3 || resource.length > 4) return false;
  const [name, version, message, ttlMs]: readonly unknown[] = resource;
  const hasTexts = [name, version, message].every((part) => typeof part === 'string');
  return hasTexts && (resource.length === 3 || (typeof ttlMs === 'number' && ttlMs >= 0));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refused(reason: string, file?: string): LastGoodLoad {
  if (file === undefined) return { kind: 'refused', reason };
  const advice = 'it is ignored; the config comes from a control server';
  return { kind: 'refused', reason: `last good config: ${file} ${reason}; ${advice}` };
}
