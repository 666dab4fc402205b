import { readFile, stat } from 'node:fs/promises';
import type { Logger } from '../../telemetry/log/log.ts';

export interface FileSourcesOptions {
  readonly log: Logger;
  /** How often files are looked at. */
  readonly intervalMs: number;
  /** What keeps a content from being used, undefined for nothing. */
  faultOf(path: string, text: string): string | undefined;
  /** Contents that are new or have changed. */
  onChanged(files: ReadonlyMap<string, string>): void;
}

/** A certificate chain is a few thousand bytes; what is larger is another file. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Files that TLS contexts and JWT providers name, read now and whenever they change. They are looked at by name, as
 * symbolic links are how many rotate them. A file that cannot be read, or holds what cannot be used, keeps its last good
 * content, and is among the faults.
 */
export class FileSources {
  readonly #options: FileSourcesOptions;
  /** By path: what its metadata looked like when it was read last. */
  readonly #seen = new Map<string, string>();
  readonly #contents = new Map<string, string>();
  /** Files that cannot be used as they are now, and why. */
  readonly #faults = new Map<string, string>();
  #paths: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #isStopped = false;

  constructor(options: FileSourcesOptions) {
    this.#options = options;
  }

  get faults(): ReadonlyMap<string, string> {
    return this.#faults;
  }

  /** What is no longer named is forgotten. */
  setPaths(paths: ReadonlySet<string>): void {
    const isNew = !paths.isSubsetOf(this.#paths);
    this.#paths = paths;
    for (const kept of [this.#seen, this.#contents, this.#faults]) {
      for (const path of kept.keys()) if (!paths.has(path)) kept.delete(path);
    }
    if (isNew) void this.#look();
    else if (paths.size === 0) clearTimeout(this.#timer);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    const looked = this.#paths;
    const changed = new Map<string, string>();
    for (const path of looked) {
      const text = await this.#read(path);
      if (text !== undefined) changed.set(path, text);
    }
    this.#isLooking = false;
    if (this.#isStopped) return;
    if (changed.size > 0) this.#options.onChanged(changed);
    if (this.#paths.size === 0) return;
    // Names that came meanwhile are looked at now.
    this.#timer = setTimeout(() => void this.#look(), this.#paths.isSubsetOf(looked) ? this.#options.intervalMs : 0);
    this.#timer.unref();
  }

  /** The content where it differs from the last and can be used. */
  async #read(path: string): Promise<string | undefined> {
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const look = `${mtimeMs} ${size} ${ino}`;
      if (this.#seen.get(path) === look) return undefined;
      if (size > MAX_FILE_BYTES) throw new Error(`is ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
      const text = await readFile(path, 'utf8');
      if (!this.#paths.has(path)) return undefined;
      this.#seen.set(path, look);
      const fault = this.#options.faultOf(path, text);
      if (fault !== undefined) {
        this.#complain(path, fault);
        return undefined;
      }
      this.#faults.delete(path);
      if (this.#contents.get(path) === text) return undefined;
      this.#contents.set(path, text);
      return text;
    } catch (error) {
      // One that comes back as it was is read again.
      this.#seen.delete(path);
      this.#complain(path, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #complain(path: string, reason: string): void {
    if (!this.#paths.has(path) || this.#faults.get(path) === reason) return;
    this.#faults.set(path, reason);
    this.#options.log.warn(
      { path, reason },
      'a file that configuration names cannot be used; its last good content stays',
    );
  }
}
