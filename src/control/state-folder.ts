import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recollection, WatchMemory } from './consul/consul.ts';

const FORMAT = 'weft-control-state/1';
const SUFFIX = '.state';
/** A header names the key, and keys hold filter expressions. */
const MAX_HEADER_BYTES = 16 * 1024;
/** As large as the largest answer of Consul that is taken. */
const MAX_FILE_BYTES = 64 * 1024 * 1024 + MAX_HEADER_BYTES;
/** A value that changes all the time is written this often. */
const WRITE_AFTER_MS = 1_000;
const WRITES_AT_A_TIME = 4;
/** More than one server has watches and proxies for. */
const MAX_FILES = 50_000;

export interface StateFolderOptions {
  readonly folder: string;
  readonly wallMs: () => number;
  /** A file that cannot be written or read: the program goes on, and somebody should know. */
  readonly onFault: (message: string) => void;
  /** Of those there are at the start, the oldest beyond this many go. */
  readonly maxFiles?: number;
}

interface Header {
  readonly key: string;
  readonly savedAtWallMs: number;
}

/**
 * What the control server knew last, one file for each thing: written beside, flushed, renamed, and believed only where its
 * checksum holds. It is a cache: a server that starts with an empty folder has lost nothing but what Consul itself no longer
 * says.
 */
export class StateFolder implements WatchMemory {
  readonly #options: StateFolderOptions;
  /** By key, what is still to be written; undefined removes the file. */
  readonly #pending = new Map<string, string | undefined>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly counters = { written: 0, failed: 0, recalled: 0, refused: 0 };

  /** Throws where the folder cannot be made. */
  constructor(options: StateFolderOptions) {
    this.#options = options;
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new Error(`--state-dir: cannot make ${options.folder}: ${messageOf(error)}`, { cause: error });
    }
    const names = readdirSync(options.folder);
    // What a write left behind that did not come to its end.
    this.#remove(names.filter((name) => name.endsWith('.tmp')));
    this.#keepNewest(
      names.filter((name) => name.endsWith(SUFFIX)),
      options.maxFiles ?? MAX_FILES,
    );
  }

  /** Proxies come and go for years, and what was kept of each is small but stays. */
  #keepNewest(names: readonly string[], maxFiles: number): void {
    if (names.length <= maxFiles) return;
    const byAge = names
      .map((name) => ({ name, changedMs: statSync(join(this.#options.folder, name)).mtimeMs }))
      .sort((a, b) => a.changedMs - b.changedMs);
    this.#remove(byAge.slice(0, names.length - maxFiles).map(({ name }) => name));
  }

  #remove(names: readonly string[]): void {
    for (const name of names) rmSync(join(this.#options.folder, name), { force: true });
  }

  get folder(): string {
    return this.#options.folder;
  }

  get isEmpty(): boolean {
    return !readdirSync(this.#options.folder).some((name) => name.endsWith(SUFFIX));
  }

  recall(key: string): Recollection | undefined {
    // Not written yet, it is what counts nevertheless.
    if (this.#pending.has(key)) {
      const body = this.#pending.get(key);
      return body === undefined ? undefined : { body, savedAtWallMs: this.#options.wallMs() };
    }
    const file = this.#fileOf(key);
    try {
      if (statSync(file).size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
      const recalled = decode(readFileSync(file), key);
      this.counters.recalled += 1;
      return recalled;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      this.counters.refused += 1;
      this.#options.onFault(`state of "${key}" in ${file} is not used: ${messageOf(error)}`);
      return undefined;
    }
  }

  keep(key: string, body: string): void {
    this.#pending.set(key, body);
    this.#schedule();
  }

  forget(key: string): void {
    this.#pending.set(key, undefined);
    this.#schedule();
  }

  /** Writes what is waiting to be written. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll());
    await this.#writing;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), WRITE_AFTER_MS);
    this.#timer.unref();
  }

  async #writeAll(): Promise<void> {
    const next = [...this.#pending].values();
    const writer = async (): Promise<void> => {
      for (const [key, body] of next) {
        await this.#write(key, body);
        // Something newer may have come meanwhile, and then its own time to be written.
        if (this.#pending.get(key) === body) this.#pending.delete(key);
      }
    };
    await Promise.all(Array.from({ length: WRITES_AT_A_TIME }, writer));
  }

  async #write(key: string, body: string | undefined): Promise<void> {
    const file = this.#fileOf(key);
    try {
      if (body === undefined) await rm(file, { force: true });
      else await replaceFile(file, encode({ key, savedAtWallMs: this.#options.wallMs() }, body));
      this.counters.written += 1;
    } catch (error) {
      this.counters.failed += 1;
      this.#options.onFault(
        `state of "${key}" cannot be written to ${file} (the one before stays): ${messageOf(error)}`,
      );
    }
  }

  #fileOf(key: string): string {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 40);
    return join(this.#options.folder, `${name}${SUFFIX}`);
  }
}

function encode(header: Header, body: string): Buffer {
  const bytes = Buffer.from(body);
  const line = `${FORMAT} ${digest(bytes)} ${bytes.length} ${JSON.stringify(header)}\n`;
  return Buffer.concat([Buffer.from(line), bytes]);
}

/** Throws, saying what is wrong, where the bytes are not what was written for this key. */
function decode(bytes: Buffer, key: string): Recollection {
  const end = bytes.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a);
  const [, sum, length, json] = /^weft-control-state\/1 (\w+) (\d+) (.*)$/.exec(bytes.toString('utf8', 0, end)) ?? [];
  if (end < 0 || json === undefined) throw new Error(`it is not of the format ${FORMAT}`);
  const body = bytes.subarray(end + 1);
  if (String(body.length) !== length) throw new Error(`${body.length} bytes follow a header that says ${length}`);
  if (digest(body) !== sum) throw new Error('its checksum does not match');
  const header = JSON.parse(json) as Header;
  if (header.key !== key) throw new Error(`it is the state of "${header.key}"`);
  return { body: body.toString('utf8'), savedAtWallMs: header.savedAtWallMs };
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function replaceFile(file: string, bytes: Buffer): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
