/**
 * A container's health check, as an image without a shell or curl can have one: asks WEFT_READY_URL (a sidecar's /ready by
 * default; a control server's is http://127.0.0.1:18080/ready) and exits 0 where the answer is 200, else 1 with the reason.
 */
const DEFAULT_URL = 'http://127.0.0.1:19000/ready';
const ANSWER_WITHIN_MS = 3_000;

const url = process.env['WEFT_READY_URL'] ?? DEFAULT_URL;
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  const state = (await response.text()).trim();
  process.stdout.write(`${url}: ${response.status} ${state}\n`);
  process.exit(response.status === 200 ? 0 : 1);
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  process.stdout.write(`${url}: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exit(1);
}
