import type { Logger } from '../telemetry/log/log.ts';
import type { Problem } from './translate/translate.ts';

/** Owners told apart; beyond it problems of new ones stand on the console alone. */
const MAX_OWNERS = 50_000;

/** One line for each problem when it appears and when it is mended, however many proxies share it. */
export class ProblemLog {
  readonly #log: Logger;
  readonly #byOwner = new Map<string, ReadonlyMap<string, Problem>>();
  readonly #owners = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The problems of one owner (a proxy, the entries) as they are now. */
  told(owner: string, problems: readonly Problem[]): void {
    const before = this.#byOwner.get(owner) ?? new Map<string, Problem>();
    if (problems.length === 0 && before.size === 0) return;
    if (!this.#byOwner.has(owner) && this.#byOwner.size >= MAX_OWNERS) return;
    const now = new Map(problems.map((problem) => [`${problem.where}\0${problem.message}`, problem]));
    for (const [key, problem] of now) if (!before.has(key)) this.#appeared(key, problem);
    for (const [key, problem] of before) if (!now.has(key)) this.#went(key, problem);
    if (now.size === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, now);
  }

  #appeared(key: string, { severity, where, message }: Problem): void {
    const owners = (this.#owners.get(key) ?? 0) + 1;
    this.#owners.set(key, owners);
    if (owners > 1) return;
    const line = `${where}: ${message}`;
    if (severity === 'error') this.#log.error(line);
    else this.#log.warn(line);
  }

  #went(key: string, { where, message }: Problem): void {
    const owners = (this.#owners.get(key) ?? 1) - 1;
    if (owners > 0) {
      this.#owners.set(key, owners);
      return;
    }
    this.#owners.delete(key);
    this.#log.info(`no longer so: ${where}: ${message}`);
  }
}
