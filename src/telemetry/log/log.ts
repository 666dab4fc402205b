/**
 * What a program says about itself: pino, set up by options, to stderr. This room knows levels and lines; it does not
 * know what is worth saying, and it is not for requests (see access-log).
 */
import pino from 'pino';
import { textLine } from './text-line.ts';

/** What rooms are handed to speak with. */
export type Logger = pino.Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Where lines go; stderr where absent. */
  readonly write?: (line: string) => void;
}

/** Distinct logger names kept; more share the root's level. */
const MAX_LOGGERS = 256;

/** True for a word that names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text);
}

/**
 * The loggers of one thread, by name, with levels that can change while the program runs (Envoy's `/logging`). Lines are
 * written at once: a program that dies has said why.
 */
export class Logs {
  readonly root: Logger;
  readonly #loggers = new Map<string, Logger>();

  constructor(options: LogOptions) {
    const write = options.write ?? stderrWriter();
    const stream = options.format === 'json' ? { write } : { write: (line: string) => write(textLine(line)) };
    this.root = pino({ level: options.level, base: null, serializers: { err: pino.stdSerializers.err } }, stream);
  }

  /** The logger of one part of the program; the same name gives the same logger. */
  logger(name: string): Logger {
    const known = this.#loggers.get(name);
    if (known !== undefined) return known;
    const logger = this.root.child({ logger: name });
    if (this.#loggers.size < MAX_LOGGERS) this.#loggers.set(name, logger);
    return logger;
  }

  /** Sets every logger's level. */
  setLevel(level: LogLevel): void {
    this.root.level = level;
    for (const logger of this.#loggers.values()) logger.level = level;
  }

  /** Sets one logger's level; false where there is none of that name. */
  setLoggerLevel(name: string, level: LogLevel): boolean {
    const logger = this.#loggers.get(name);
    if (logger !== undefined) logger.level = level;
    return logger !== undefined;
  }

  /** Levels by name, sorted; the root is named `root`. */
  levels(): Readonly<Record<string, string>> {
    const named = [...this.#loggers].map(([name, logger]) => [name, logger.level] as const);
    return Object.fromEntries([['root', this.root.level] as const, ...named.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  }
}

function stderrWriter(): (line: string) => void {
  const destination = pino.destination({ dest: 2, sync: true });
  // A reader that went away must not end the program.
  destination.on('error', () => {});
  return (line) => destination.write(line);
}
