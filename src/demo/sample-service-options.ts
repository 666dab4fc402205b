/** What one sample service is and does, as it arrives on its command line. */
import { z } from 'zod';

const port = z.number().int().min(1).max(65_535);

const schema = z.strictObject({
  name: z.string().min(1).max(64),
  /** Consul's service ID. */
  instance: z.string().min(1).max(64),
  port,
  sidecarPort: port,
  registryUrl: z.url(),
  /** Where the sidecar listens for each upstream. */
  upstreams: z.array(z.strictObject({ name: z.string().min(1), localPort: port })).max(32),
  /** Stages one after the other; the calls of a stage at the same time. */
  stages: z.array(z.array(z.string().min(1)).max(32)).max(32),
  latency: z.strictObject({ medianMs: z.number().min(0).max(60_000), p99Ms: z.number().min(0).max(60_000) }),
  errorRate: z.number().min(0).max(1),
  checkIntervalMs: z.number().int().min(50).max(600_000).default(1_000),
  /** Between deregistration and the end, while others learn of it. */
  drainMs: z.number().int().min(0).max(60_000).default(500),
  /** A seed makes latencies and errors repeat. */
  seed: z.number().int().optional(),
});

export type SampleServiceOptions = z.output<typeof schema>;
export type SampleServiceInput = z.input<typeof schema>;

/** Throws one line that names every wrong field. */
export function readSampleServiceOptions(given: unknown): SampleServiceOptions {
  const read = schema.safeParse(given);
  if (!read.success) {
    const faults = read.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    throw new Error(`demo-service: ${faults.join('; ')}`);
  }
  const known = new Set(read.data.upstreams.map((upstream) => upstream.name));
  const unknown = read.data.stages.flat().filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `demo-service: stages: ${unknown.join(', ')} is not among upstreams; add it there with its localPort`,
    );
  }
  return read.data;
}
