import type { AdminActions, AdminViews } from './admin-views.ts';
import { type Answer, badRequest, textAnswer } from './answer.ts';

/**
 * `/logging` by POST: without a query it lists loggers; `level=debug` sets all, `<logger>=debug` one,
 * `paths=a:debug,b:info` several.
 */
export function loggingAnswer(views: AdminViews, actions: AdminActions, query: URLSearchParams): Answer {
  const faults: string[] = [];
  for (const [name, value] of query) {
    for (const [logger, level] of changes(name, value)) {
      if (!actions.setLogLevel(logger, level)) {
        faults.push(`no logger "${logger ?? 'any'}" or no level "${level}"`);
      }
    }
  }
  const loggers = Object.entries(views.logLevels()).map(([name, level]) => `  ${name}: ${level}\n`);
  const list = `active loggers:\n${loggers.join('')}`;
  if (faults.length === 0) return textAnswer(list);
  return badRequest(`${faults.join('\n')}\nlevels: trace, debug, info, warn, error, fatal, silent\n${list}`);
}

function changes(name: string, value: string): readonly (readonly [string | undefined, string])[] {
  if (name === 'level') return [[undefined, level(value)]];
  if (name !== 'paths') return [[name, level(value)]];
  return value.split(',').map((pair) => {
    const colon = pair.lastIndexOf(':');
    return [pair.slice(0, Math.max(colon, 0)), level(pair.slice(colon + 1))] as const;
  });
}

/** Envoy's levels in ours. */
function level(text: string): string {
  if (text === 'warning') return 'warn';
  if (text === 'critical') return 'fatal';
  return text === 'off' ? 'silent' : text;
}
