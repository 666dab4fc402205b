import type { AccessLogger } from '../../resource/access-logger.ts';
import { AccessLog } from '../../telemetry/access-log/access-log.ts';
import type { MetricsRegistry } from '../../telemetry/metrics/metrics.ts';

/** Different logs one worker keeps open; a configuration that names more is refused. */
const MAX_ACCESS_LOGS = 64;

/** The access logs of one worker. Chains that name the same log share it, and updates do not open it again. */
export class AccessLogs {
  readonly #logs = new Map<string, AccessLog>();
  readonly #metrics: MetricsRegistry;
  readonly #failed: (error: Error) => void;

  constructor(metrics: MetricsRegistry, failed: (error: Error) => void) {
    this.#metrics = metrics;
    this.#failed = failed;
  }

  /** Throws an Error that names the fault of a format that cannot be compiled. */
  get(logger: AccessLogger): AccessLog {
    const key = JSON.stringify(logger);
    const known = this.#logs.get(key);
    if (known !== undefined) return known;
    if (this.#logs.size >= MAX_ACCESS_LOGS)
      throw new Error(`access_log: more than ${MAX_ACCESS_LOGS} different logs; share formats and files`);
    const opened = AccessLog.open({
      logger,
      registry: this.#metrics,
      failed: this.#failed,
      timeOriginMs: performance.timeOrigin,
    });
    if (!opened.ok) throw new Error(`access_log: ${opened.faults.join('; ')}`);
    this.#logs.set(key, opened.log);
    return opened.log;
  }

  /** Writes what waits, within the writers' own bound. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map((log) => log.close()));
    this.#logs.clear();
  }
}
