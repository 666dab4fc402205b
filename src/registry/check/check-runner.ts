/**
 * Runs one check until it is stopped. HTTP and TCP checks probe at their interval, one probe in flight at most; TTL checks
 * turn critical when nobody reported in time. Alias checks need no runner: the agent recomputes them when what they follow moves.
 */
import type { Random } from '../../base/random.ts';
import type { CheckDefinition } from '../input/check-definition.ts';
import type { CheckStatus } from '../state/catalog-rows.ts';
import { type ProbeResult, probeHttp, probeTcp } from './probe.ts';
import { StatusThresholds } from './status-thresholds.ts';

export interface CheckRunner {
  /** A report from outside; false unless this is a TTL check. */
  report(status: CheckStatus, output: string): boolean;
  stop(): void;
}

export type ReportStatus = (status: CheckStatus, output: string) => void;

/** First probes of checks registered together are spread over this much of an interval, and over no more than this long. */
const MAX_FIRST_DELAY_MS = 100;

export function startCheck(definition: CheckDefinition, report: ReportStatus, random: Random): CheckRunner {
  const { probe } = definition;
  switch (probe.kind) {
    case 'http':
      return startProbing(definition, probe.intervalMs, (signal) => probeHttp(probe, signal), report, random);
    case 'tcp':
      return startProbing(definition, probe.intervalMs, (signal) => probeTcp(probe, signal), report, random);
    case 'ttl':
      return startTtl(probe.ttlMs, report);
    case 'alias':
      return { report: () => false, stop: () => undefined };
  }
}

function startProbing(
  definition: CheckDefinition,
  intervalMs: number,
  probe: (signal: AbortSignal) => Promise<ProbeResult>,
  report: ReportStatus,
  random: Random,
): CheckRunner {
  const stopped = new AbortController();
  const thresholds = new StatusThresholds(definition);
  let timer: NodeJS.Timeout | undefined;
  const run = async (): Promise<void> => {
    const result = await probe(stopped.signal);
    if (stopped.signal.aborted) return;
    const status = thresholds.after(result.status);
    if (status !== undefined) report(status, result.output);
    schedule(intervalMs);
  };
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => void run(), delayMs);
    timer.unref();
  };
  schedule(random.next() * Math.min(intervalMs, MAX_FIRST_DELAY_MS));
  return {
    report: () => false,
    stop: () => {
      stopped.abort();
      clearTimeout(timer);
    },
  };
}

function startTtl(ttlMs: number, report: ReportStatus): CheckRunner {
  let lastOutput = '';
  const expire = (): void => {
    report(
      'critical',
      lastOutput === '' ? 'TTL expired' : `TTL expired (last output before timeout follows): ${lastOutput}`,
    );
  };
  let timer = setTimeout(expire, ttlMs).unref();
  return {
    report: (status, output) => {
      clearTimeout(timer);
      timer = setTimeout(expire, ttlMs).unref();
      lastOutput = output;
      report(status, output);
      return true;
    },
    stop: () => clearTimeout(timer),
  };
}
