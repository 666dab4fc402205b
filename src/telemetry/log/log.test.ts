import { describe, expect, it } from 'vitest';
import { type LogOptions, Logs } from './log.ts';
import { textLine } from './text-line.ts';

function capture(options: Partial<LogOptions> = {}): { logs: Logs; lines: string[] } {
  const lines: string[] = [];
  return { logs: new Logs({ level: 'info', format: 'text', write: (line) => lines.push(line), ...options }), lines };
}

describe('logs', () => {
  it('write one text line per message, with its logger and fields', () => {
    const { logs, lines } = capture();
    logs.logger('xds').info({ server: '127.0.0.1:18000', attempts: 2, note: 'two words' }, 'connected');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}xds connected server=127\.0\.0\.1:18000 attempts=2 note="two words"\n$/,
    );
  });

  it('keep hostile values on one line and away from the terminal', () => {
    const { logs, lines } = capture();
    logs.root.warn({ path: 'a\nINFO forged', escape: '\u001b[2J' }, 'bad\r\nmessage\u2028x');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(lines[0]).toContain('bad\\u000d\\u000amessage\\u2028x path="a\\nINFO forged"');
  });

  it('write JSON with the time, the level and errors in full', () => {
    const { logs, lines } = capture({ format: 'json' });
    logs.root.error({ err: new Error('boom') }, 'failed');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 50, msg: 'failed', err: { message: 'boom' } });
  });

  it('change levels while running, all or one', () => {
    const { logs, lines } = capture();
    const xds = logs.logger('xds');
    xds.debug('unseen');
    expect(logs.setLoggerLevel('xds', 'debug')).toBe(true);
    expect(logs.setLoggerLevel('nobody', 'debug')).toBe(false);
    xds.debug('seen');
    logs.setLevel('error');
    xds.info('unseen');
    expect(lines).toHaveLength(1);
    expect(logs.levels()).toEqual({ root: 'error', xds: 'error' });
  });

  it('print a line that is no JSON as it can', () => {
    expect(textLine('not json\n')).toBe('"not json\\n"\n');
  });
});
