import type { BenchOptions } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { http1Suite } from './http1.ts';
import { slowClientsSuite } from './slow-clients.ts';

/** Every suite of `npm run bench`, by name. */
export const SUITES: Readonly<Record<string, (options: BenchOptions) => Promise<SuiteReport>>> = {
  http1: http1Suite,
  'slow-clients': slowClientsSuite,
};
