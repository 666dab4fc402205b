const LEVEL_NAMES: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** Fields that have a place of their own in the line. */
const PLACED = new Set(['level', 'time', 'logger', 'msg']);

/**
 * One pino JSON line as one line for people: `2026-11-22T21:16:10.123Z INFO  xds connected server=127.0.0.1:18000`.
 * Whatever a value holds, the line stays one line: control characters are written as JSON writes them.
 */
export function textLine(json: string): string {
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    return `${JSON.stringify(json)}\n`;
  }
  if (typeof fields !== 'object' || fields === null) return `${JSON.stringify(fields)}\n`;
  const values = new Map(Object.entries(fields));
  const time = new Date(Number(values.get('time') ?? 0)).toISOString();
  const level = LEVEL_NAMES[Number(values.get('level'))] ?? 'INFO';
  const logger = values.get('logger');
  let line = `${time} ${level.padEnd(5)} ${logger === undefined ? '' : `${plain(logger)} `}${plain(values.get('msg') ?? '')}`;
  for (const [name, value] of values) if (!PLACED.has(name)) line += ` ${name}=${valueText(value)}`;
  return `${line}\n`;
}

/** A message as it is, but for what would break the line or steer a terminal. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function valueText(value: unknown): string {
  if (typeof value !== 'string') return plain(value);
  return /^[^\s"=\\]+$/.test(value) ? plain(value) : plain(JSON.stringify(value));
}
