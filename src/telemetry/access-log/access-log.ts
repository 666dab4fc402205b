/**
 * One line per finished stream, off unless configured. This room turns a record into a line in Envoy's formats and gets
 * lines to a file or a standard stream without making the data path wait; it does not know what the record means, and
 * what it cannot write it counts.
 */
import type { AccessLogger } from '../../resource/access-logger.ts';
import type { MetricsRegistry } from '../metrics/metrics.ts';
import type { StreamRecord } from '../stream-record.ts';
import type { StreamObserver } from '../telemetry.ts';
import { compileAccessLogFormat, type LineFormatter } from './line-format.ts';
import { LineWriter } from './line-writer.ts';

export { compileAccessLogFormat, DEFAULT_JSON_FORMAT } from './line-format.ts';

export interface AccessLogOptions {
  readonly logger: AccessLogger;
  readonly registry: MetricsRegistry;
  /** Told once when lines begin to be lost to an error. */
  readonly failed: (error: Error) => void;
  /** `performance.timeOrigin` of the thread whose streams these are. */
  readonly timeOriginMs: number;
}

/** Writes a line for each stream it is told of. */
export class AccessLog implements StreamObserver {
  readonly #formatter: LineFormatter;
  readonly #writer: LineWriter;
  readonly #timeOriginMs: number;

  /** The log, or every fault of its format. */
  static open(
    options: AccessLogOptions,
  ): { readonly ok: true; readonly log: AccessLog } | { readonly ok: false; readonly faults: readonly string[] } {
    const compiled = compileAccessLogFormat(options.logger.format);
    return compiled.ok ? { ok: true, log: new AccessLog(options, compiled.formatter) } : compiled;
  }

  private constructor(options: AccessLogOptions, formatter: LineFormatter) {
    const { registry } = options;
    this.#formatter = formatter;
    this.#timeOriginMs = options.timeOriginMs;
    this.#writer = new LineWriter({
      target: options.logger.destination,
      failed: options.failed,
      counters: {
        written: registry.counter({ kind: 'accessLog' }, 'lines_written'),
        dropped: registry.counter({ kind: 'accessLog' }, 'lines_dropped'),
        failed: registry.counter({ kind: 'accessLog' }, 'lines_failed'),
      },
    });
  }

  streamEnded(record: StreamRecord): void {
    this.#writer.write(this.#formatter(record, this.#timeOriginMs));
  }

  /** Writes what waits, within two seconds, and lets go of the file. */
  close(): Promise<void> {
    return this.#writer.close();
  }
}
