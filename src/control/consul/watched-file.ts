import { readFileSync, statSync } from 'node:fs';

/** How often a file is looked at again; only while somebody asks for it. */
const LOOK_AGAIN_MS = 1_000;
/** A certificate bundle of every public CA is a quarter of this. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * A small file whose text is wanted as it is now: certificates and tokens are replaced while a program runs. The first read
 * must succeed; later ones that fail leave the text of before, since a file that is being replaced may be gone for a moment.
 */
export class WatchedFile {
  readonly #path: string;
  readonly #nowMs: () => number;
  #text: string;
  #stamp: string;
  #lookedAtMs: number;
  #faults = 0;

  /** `name` is how people set it (`CONSUL_CACERT`). Throws where the file cannot be read. */
  constructor(name: string, path: string, nowMs: () => number) {
    this.#path = path;
    this.#nowMs = nowMs;
    this.#lookedAtMs = nowMs();
    try {
      this.#stamp = stampOf(path);
      this.#text = readBounded(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${name}: cannot read ${path}: ${reason}; name a file that this program may read`, {
        cause: error,
      });
    }
  }

  get text(): string {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedAtMs >= LOOK_AGAIN_MS) {
      this.#lookedAtMs = nowMs;
      this.#look();
    }
    return this.#text;
  }

  /** How often it could not be read again. */
  get faults(): number {
    return this.#faults;
  }

  #look(): void {
    try {
      const stamp = stampOf(this.#path);
      if (stamp === this.#stamp) return;
      this.#text = readBounded(this.#path);
      this.#stamp = stamp;
    } catch {
      this.#faults += 1;
    }
  }
}

function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}

function readBounded(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (text.length > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
  return text;
}
