import type { BenchOptions } from '../harness/options.ts';
import type { SuiteReport } from '../harness/report.ts';
import { attacksSuite } from './attacks.ts';
import { grpcSuite } from './grpc.ts';
import { http1Suite } from './http1.ts';
import { http2Suite } from './http2.ts';
import { latencySuite } from './latency.ts';
import { memorySuite } from './memory.ts';
import { microSuite } from './micro.ts';
import { slowClientsSuite } from './slow-clients.ts';
import { tcpSuite } from './tcp.ts';
import { tlsSuite } from './tls.ts';
import { xdsSuite } from './xds.ts';

/** Every suite of `npm run bench`, by name. */
export const SUITES: Readonly<Record<string, (options: BenchOptions) => Promise<SuiteReport>>> = {
  http1: http1Suite,
  http2: http2Suite,
  grpc: grpcSuite,
  tcp: tcpSuite,
  tls: tlsSuite,
  attacks: attacksSuite,
  latency: latencySuite,
  memory: memorySuite,
  micro: microSuite,
  'slow-clients': slowClientsSuite,
  xds: xdsSuite,
};
